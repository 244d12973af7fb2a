import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { elapsed, progress } from './progress.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function recorded() {
  const lines: string[] = []
  return { lines, ...progress({ write: (line) => lines.push(line), now: () => Date.now() }) }
}

describe('progress', () => {
  it('shows every few seconds that a long step is alive and how far it is', async () => {
    const { lines, step } = recorded()
    const { promise, resolve } = Promise.withResolvers<string>()
    const done = step('etcd: building', async (note) => {
      note('packages compiled: 3 of 900')
      return promise
    })

    await vi.advanceTimersByTimeAsync(65_000)
    resolve('built')

    expect(await done).toBe('built')
    expect(lines).toHaveLength(14)
    expect(lines[0]).toBe('etcd: building, 5 s, packages compiled: 3 of 900')
    expect(lines[12]).toBe('etcd: building, 1 min 5 s, packages compiled: 3 of 900')
    expect(lines[13]).toBe('etcd: building: done after 1 min 5 s')
  })

  it('prints nothing for a step that ends at once', async () => {
    const { lines, step } = recorded()
    await step('quick', async () => undefined)
    expect(lines).toEqual([])
  })

  it('prints nothing more once a step has failed', async () => {
    const { lines, step } = recorded()
    await expect(step('hopeless', () => Promise.reject(new Error('no compiler')))).rejects.toThrow('no compiler')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(lines).toEqual([])
  })
})

describe('elapsed', () => {
  it('reads as a person says it', () => {
    expect([elapsed(4_400), elapsed(59_000), elapsed(61_000)]).toEqual(['4 s', '59 s', '1 min 1 s'])
  })
})
