import { describe, expect, it } from 'vitest'
import { sleep, systemClock } from './clock.ts'
import { manualClock } from './manual-clock.ts'

describe('sleep', () => {
  it('ends with its signal, and leaves no timer behind', async () => {
    const clock = manualClock()
    const stop = new AbortController()
    const sleeping = sleep(clock, 60_000, stop.signal).catch((error) => error)

    stop.abort(new Error('stopped'))

    expect(await sleeping).toEqual(new Error('stopped'))
    expect(clock.pending).toBe(0)
    await expect(sleep(clock, 1, stop.signal)).rejects.toThrow('stopped')
  })

  it('does not take a month for no time at all', async () => {
    let woke = false
    const cancel = systemClock.after(2 ** 31, () => {
      woke = true
    })
    await sleep(systemClock, 20)
    cancel()
    expect(woke).toBe(false)
  })

  it('of a time that has passed is over at once, without a warning on stderr', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    await sleep(systemClock, -0.1)
    await sleep(systemClock, 1) // a warning is told on the next tick
    process.off('warning', note)

    expect(warnings).toEqual([])
  })
})
