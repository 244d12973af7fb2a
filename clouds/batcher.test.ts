import { describe, expect, it } from 'vitest'
import { type BatcherOptions, batcher } from './batcher.ts'
import { virtualTime } from './virtual-time.ts'

/** A batcher of numbers that keeps the calls it made, with the moment of each. */
function recording(options: Partial<BatcherOptions<number, string>> = {}) {
  const time = virtualTime()
  const calls: { at: number; items: readonly number[] }[] = []
  const batch = batcher<number, string>({
    maxItems: 100,
    quietMs: 50,
    maxWaitMs: 1_000,
    spacingMs: 250,
    async run(items) {
      calls.push({ at: time.now(), items })
      return items.map((item) => ({ status: 'fulfilled', value: `done ${item}` }))
    },
    ...time,
    ...options,
  })
  return { batch, calls, time }
}

describe('batcher', () => {
  it('sends what comes together in one call, and gives each its own result', async () => {
    const { batch, calls, time } = recording()

    const results = await time.until(Promise.all([1, 2, 3].map((item) => batch.add(item))))

    expect(results).toEqual(['done 1', 'done 2', 'done 3'])
    expect(calls).toEqual([{ at: 50, items: [1, 2, 3] }])
  })

  it('waits on while more comes, but never longer than the longest wait', async () => {
    const { batch, calls, time } = recording()

    const added: Promise<string>[] = []
    const trickle = (async () => {
      for (let item = 0; item < 60; item++) {
        added.push(batch.add(item))
        await time.sleep(40)
      }
    })()
    await time.until(trickle)
    await time.until(Promise.all(added))

    expect(calls[0]?.at).toBe(1_000)
    expect(calls.flatMap(({ items }) => items)).toEqual(Array.from({ length: 60 }, (_, item) => item))
  })

  it('sends a full call at once and keeps the rest for the next', async () => {
    const { batch, calls, time } = recording({ maxItems: 2 })

    await time.until(Promise.all([1, 2, 3].map((item) => batch.add(item))))

    expect(calls).toEqual([
      { at: 0, items: [1, 2] },
      { at: 250, items: [3] },
    ])
  })

  it('keeps its distance between calls, however items are strewn', async () => {
    const { batch, calls, time } = recording()

    const added: Promise<string>[] = []
    await time.until(
      (async () => {
        for (let item = 0; item < 40; item++) {
          added.push(batch.add(item))
          await time.sleep(80) // longer than the quiet window: each would be a call of its own
        }
      })(),
    )
    await time.until(Promise.all(added))

    const gaps = calls.slice(1).map(({ at }, index) => at - (calls[index]?.at ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(250)
    expect(calls.length).toBeLessThanOrEqual((40 * 80) / 250 + 1)
  })

  it('keeps ever more of a distance while they trickle in, and begins anew after a rest', async () => {
    const { batch, calls, time } = recording({ maxSpacingMs: 2_000 })

    const added: Promise<string>[] = []
    await time.until(
      (async () => {
        for (let item = 0; item < 100; item++) {
          added.push(batch.add(item))
          await time.sleep(100)
        }
      })(),
    )
    await time.until(Promise.all(added))
    const trickled = calls.length
    await time.until(time.sleep(5_000))
    const rested = time.now()
    await time.until(Promise.all([batch.add(100), time.sleep(300).then(() => batch.add(101))]))

    expect(trickled).toBeLessThanOrEqual(9)
    expect(calls.slice(trickled).map(({ at }) => at - rested)).toEqual([50, 350])
  })

  it('takes in what comes while it waits to be admitted', async () => {
    const { batch, calls, time } = recording({
      async admit(waiting) {
        await time.sleep(500)
        return waiting()
      },
    })

    const early = batch.add(1)
    const late = time.sleep(400).then(() => batch.add(2))
    await time.until(Promise.all([early, late]))

    expect(calls).toEqual([{ at: 550, items: [1, 2] }])
  })

  it('sends as many as it is granted, and the rest when more are', async () => {
    const { batch, calls, time } = recording({ admit: async () => 2 })

    await time.until(Promise.all([1, 2, 3, 4, 5].map((item) => batch.add(item))))

    expect(calls.map(({ items }) => items)).toEqual([[1, 2], [3, 4], [5]])
  })

  it('lets one go who gives up while the call is out, and the call goes on for the others', async () => {
    const { batch, time } = recording({
      async run(items) {
        await time.sleep(1_000)
        return items.map((item) => ({ status: 'fulfilled', value: `done ${item}` }))
      },
    })
    const giveUp = new AbortController()

    const gaveUp = expect(batch.add(1, giveUp.signal)).rejects.toThrow('shutting down')
    const stays = batch.add(2)
    await time.until(time.sleep(500))
    giveUp.abort(new Error('shutting down'))

    await gaveUp
    expect(await time.until(stays)).toBe('done 2')
  })

  it('never sends the item of one who gave up in time', async () => {
    const { batch, calls, time } = recording()
    const giveUp = new AbortController()

    const gaveUp = batch.add(1, giveUp.signal)
    const stays = batch.add(2)
    giveUp.abort(new Error('deposed'))

    await expect(gaveUp).rejects.toThrow('deposed')
    await time.until(stays)
    expect(calls.map(({ items }) => items)).toEqual([[2]])
  })

  it('makes no call when everybody gave up', async () => {
    const { batch, calls, time } = recording()
    const giveUp = new AbortController()

    const gaveUp = batch.add(1, giveUp.signal)
    giveUp.abort(new Error('deposed'))
    await expect(gaveUp).rejects.toThrow('deposed')
    await time.until(time.sleep(2_000))

    expect(calls).toEqual([])
  })

  it('lets one fail without the others', async () => {
    const { batch, time } = recording({
      run: async (items) =>
        items.map((item) =>
          item === 2 ? { status: 'rejected', reason: new Error('not you') } : { status: 'fulfilled', value: `${item}` },
        ),
    })

    const outcomes = await time.until(Promise.allSettled([1, 2, 3].map((item) => batch.add(item))))

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  it('gives everybody the error of a call that failed as a whole, and goes on', async () => {
    let attempts = 0
    const { batch, time } = recording({
      async run(items) {
        if (attempts++ === 0) throw new Error('down')
        return items.map((item) => ({ status: 'fulfilled', value: `${item}` }))
      },
    })

    const first = await time.until(Promise.allSettled([batch.add(1), batch.add(2)]))
    const second = await time.until(batch.add(3))

    expect(first.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(second).toBe('3')
  })

  it('never mixes groups', async () => {
    const { batch, calls, time } = recording({ groupOf: (item) => (item % 2 === 0 ? 'even' : 'odd') })

    await time.until(Promise.all([1, 2, 3, 4].map((item) => batch.add(item))))

    expect(calls.map(({ items }) => items)).toEqual([
      [1, 3],
      [2, 4],
    ])
  })
})
