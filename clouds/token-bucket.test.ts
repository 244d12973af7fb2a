import { describe, expect, it } from 'vitest'
import { tokenBucket } from './token-bucket.ts'

/** A clock that moves only when somebody sleeps. */
function clock() {
  let t = 0
  return {
    now: () => t,
    async sleep(ms: number) {
      t += ms
    },
  }
}

describe('tokenBucket', () => {
  it('lets the burst through at once and then keeps to the rate', async () => {
    const time = clock()
    const bucket = tokenBucket({ burst: 5, refillPerSecond: 2, ...time })

    for (let call = 0; call < 5; call++) await bucket.take()
    expect(time.now()).toBe(0)

    for (let call = 0; call < 10; call++) await bucket.take()
    expect(time.now()).toBe(5_000)
  })

  it('goes at half the rate after the cloud said slow down, and recovers', async () => {
    const time = clock()
    const bucket = tokenBucket({ burst: 1, refillPerSecond: 10, ...time })
    await bucket.take()
    bucket.throttled()

    await bucket.take()
    expect(time.now()).toBe(200)

    for (let call = 0; call < 100; call++) await bucket.take()
    const recovered = time.now()
    await bucket.take()
    expect(time.now() - recovered).toBe(100)
  })

  it('gives up a burst that it had saved when the cloud says slow down', async () => {
    const time = clock()
    const bucket = tokenBucket({ burst: 100, refillPerSecond: 1, ...time })

    bucket.throttled()
    await bucket.take()

    expect(time.now()).toBe(2_000)
  })

  it('does not make the next one wait for one who gave up', async () => {
    const time = clock()
    const bucket = tokenBucket({ burst: 1, refillPerSecond: 1, ...time })
    await bucket.take()

    const gaveUp = bucket.take(1, AbortSignal.abort(new Error('stopped')))
    const next = bucket.take()

    await expect(gaveUp).rejects.toThrow('stopped')
    await next
    expect(time.now()).toBe(1_000)
  })

  it('lets a call that costs more than the bucket holds through when it is full, and those after it pay', async () => {
    const time = clock()
    const bucket = tokenBucket({ burst: 10, refillPerSecond: 10, ...time })

    await bucket.take(30)
    expect(time.now()).toBe(0)

    await bucket.take()
    expect(time.now()).toBe(2_100)
  })

  it('gives what it has to one who takes less than all', async () => {
    const time = clock()
    const bucket = tokenBucket({ burst: 10, refillPerSecond: 2, ...time })

    expect(await bucket.takeSome(() => 4)).toBe(4)
    expect(await bucket.takeSome(() => 100)).toBe(6)
    expect(time.now()).toBe(0)

    expect(await bucket.takeSome(() => 100)).toBe(1)
    expect(time.now()).toBe(500)
  })

  it('answers at once to one who does not want to wait', () => {
    const time = clock()
    const bucket = tokenBucket({ burst: 2, refillPerSecond: 1, ...time })

    expect([bucket.tryTake(), bucket.tryTake(), bucket.tryTake()]).toEqual([true, true, false])
  })
})
