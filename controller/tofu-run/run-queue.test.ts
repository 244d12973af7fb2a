import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inOrder, type QueuedRun, turns } from './run-queue.ts'

let next = 100
function run(name: string, rest: Partial<QueuedRun> = {}): QueuedRun {
  const ticket = String(next++)
  const base = {
    namespace: 'a',
    name,
    stack: 'default',
    createdAt: '2026-01-01T00:00:00Z',
    ticket,
    state: 'waiting' as const,
  }
  return { ...base, key: `${rest.namespace ?? 'a'}/${name}`, ...rest }
}

describe('turns', () => {
  it('lets the first run of a stack go and tells the others what they wait for', () => {
    const result = turns([run('one'), run('two'), run('three')], 4)
    expect(result.get('a/one')).toEqual({ go: true })
    expect(result.get('a/two')).toMatchObject({
      reason: 'WaitingForStack',
      message: 'Waits for run one of the stack default.',
    })
    expect(result.get('a/three')).toMatchObject({ message: 'Waits for run one and 1 more run of the stack default.' })
  })

  it('serves first come first served, also within one second, whatever the names', () => {
    const early = run('zzz', { createdAt: '2026-01-01T00:00:00Z', ticket: '999' })
    const sameSecond = run('aaa', { createdAt: '2026-01-01T00:00:00Z', ticket: '1000' })
    const late = run('mmm', { createdAt: '2026-01-01T00:00:01Z', ticket: '5' })
    expect([late, sameSecond, early].sort(inOrder)).toEqual([early, sameSecond, late])
  })

  it('lets different stacks go side by side up to the limit', () => {
    const result = turns([run('a', { stack: '1' }), run('b', { stack: '2' }), run('c', { stack: '3' })], 2)
    expect([...result.values()].filter(({ go }) => go)).toHaveLength(2)
    expect(result.get('a/c')).toMatchObject({ go: false, reason: 'WaitingForSlot' })
  })

  it('takes stacks of one name in two namespaces for two stacks', () => {
    const result = turns([run('x', { namespace: 'a' }), run('x', { namespace: 'b' })], 4)
    expect([...result.values()]).toEqual([{ go: true }, { go: true }])
  })

  it('is not held up by a run that awaits its approval', () => {
    expect(turns([run('waits', { state: 'idle' }), run('goes')], 4).get('a/goes')).toEqual({ go: true })
  })

  it('never lets two runs of a stack go, never more than the limit, and always somebody while there is room', () => {
    const some = fc.array(
      fc.record({ stack: fc.constantFrom('1', '2', '3'), state: fc.constantFrom('waiting', 'idle') }),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(some, fc.integer({ min: 1, max: 4 }), fc.nat({ max: 3 }), (shapes, limit, activeCount) => {
        const active = Array.from({ length: Math.min(activeCount, limit) }, (_, index) =>
          run(`active${index}`, { stack: String(index + 1), state: 'active' }),
        )
        const runs = [...active, ...shapes.map((shape, index) => run(`r${index}`, shape as Partial<QueuedRun>))]
        const going = runs.filter(({ key, state }) => state === 'active' || turns(runs, limit).get(key)?.go)
        expect(new Set(going.map(({ stack }) => stack)).size).toBe(going.length)
        expect(going.length).toBeLessThanOrEqual(limit)
        const waitingStacks = new Set(runs.filter(({ state }) => state === 'waiting').map(({ stack }) => stack))
        const busy = new Set(going.map(({ stack }) => stack))
        if (going.length < limit) for (const stack of waitingStacks) expect(busy).toContain(stack)
      }),
    )
  })
})
