import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { unlessAborted } from './unless-aborted.ts'

describe('unlessAborted', () => {
  const never = new Promise<never>(() => undefined)

  it('gives what the promise gives, and leaves no listener behind', async () => {
    const { signal } = new AbortController()

    expect(await unlessAborted(Promise.resolve('done'), signal)).toBe('done')
    await expect(unlessAborted(Promise.reject(new Error('failed')), signal)).rejects.toThrow('failed')

    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('rejects with the reason of the signal if that comes first', async () => {
    const giveUp = new AbortController()

    const waiting = unlessAborted(never, giveUp.signal)
    giveUp.abort(new Error('enough'))

    await expect(waiting).rejects.toThrow('enough')
    await expect(unlessAborted(never, giveUp.signal)).rejects.toThrow('enough')
    expect(getEventListeners(giveUp.signal, 'abort')).toEqual([])
  })
})
