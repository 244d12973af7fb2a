import { describe, expect, it } from 'vitest'
import { flowControl } from './flow-control.ts'
import { manualClock } from './manual-clock.ts'

describe('flowControl', () => {
  it('lets the burst through at once and then keeps to the rate, in order', async () => {
    const clock = manualClock()
    const flow = flowControl({ qps: 10, burst: 3, clock })
    const passed: [number, number][] = []
    for (let request = 0; request < 6; request++) void flow.take().then(() => passed.push([request, clock.now()]))

    await clock.advanceAsync(1_000)

    expect(passed).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [3, 100],
      [4, 200],
      [5, 300],
    ])
    expect(clock.pending).toBe(0)
  })

  it('does not make the next one wait for one who gave up', async () => {
    const clock = manualClock()
    const flow = flowControl({ qps: 1, burst: 1, clock })
    await flow.take()
    const leaving = new AbortController()
    const gaveUp = flow.take(leaving.signal).catch((error) => error)
    let passedAt = 0
    void flow.take().then(() => {
      passedAt = clock.now()
    })

    leaving.abort(new Error('stopped'))
    await clock.advanceAsync(1_500)

    expect(await gaveUp).toEqual(new Error('stopped'))
    expect(passedAt).toBe(1_000)
  })

  it('lets everything through when there is no limit', async () => {
    const clock = manualClock()
    const flow = flowControl({ qps: Number.POSITIVE_INFINITY, burst: 0, clock })
    await Promise.all(Array.from({ length: 1_000 }, () => flow.take()))
    expect(clock.now()).toBe(0)
  })
})
