import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manualClock } from './manual-clock.ts'
import { type WorkQueue, workQueue } from './work-queue.ts'

const exactBackoff = { random: () => 0.5 } // a jitter factor of 1

/** What can be taken now, without waiting. */
async function takeAll(queue: WorkQueue): Promise<string[]> {
  const keys: string[] = []
  while (queue.length > 0) keys.push((await queue.get()) ?? '')
  return keys
}

describe('workQueue', () => {
  it('hands out a key once, however often it was added', async () => {
    const queue = workQueue()
    for (const key of ['a/1', 'a/2', 'a/1', 'a/1']) queue.add(key)
    expect(await takeAll(queue)).toEqual(['a/1', 'a/2'])
  })

  it('hands a key that was added during the work out again only after it is done', async () => {
    const queue = workQueue()
    queue.add('a/1')
    await queue.get()
    queue.add('a/1')
    queue.add('a/1')

    expect(queue.length).toBe(0)
    queue.done('a/1')
    expect(await takeAll(queue)).toEqual(['a/1'])
    queue.done('a/1')
    expect(queue.length).toBe(0)
  })

  it('lets namespaces take turns, so that ten thousand keys of one do not hold up the key of another', async () => {
    const queue = workQueue()
    for (let vm = 0; vm < 10_000; vm++) queue.add(`big/${vm}`)
    queue.add('small/1')
    queue.add('cluster-scoped')

    const first = [await queue.get(), await queue.get(), await queue.get(), await queue.get()]
    expect(first).toEqual(['big/0', 'small/1', 'cluster-scoped', 'big/1'])
  })

  it('gives a key to whoever waited longest for one', async () => {
    const queue = workQueue()
    const taken: string[] = []
    const takers = ['first', 'second'].map(async (name) => taken.push(`${name} ${await queue.get()}`))

    queue.add('a/1')
    queue.add('a/2')
    await Promise.all(takers)

    expect(taken).toEqual(['first a/1', 'second a/2'])
  })

  it('lets go of whoever stops waiting, and gives the key to another', async () => {
    const queue = workQueue()
    const leaving = new AbortController()
    const gone = queue.get(leaving.signal)
    const staying = queue.get()

    leaving.abort()
    queue.add('a/1')

    expect(await gone).toBeUndefined()
    expect(await staying).toBe('a/1')
    expect(await queue.get(leaving.signal)).toBeUndefined()
  })

  it('delays with one timer for all keys, and lets the earliest of several delays for one hold', async () => {
    const clock = manualClock()
    const queue = workQueue({ clock })
    for (let key = 0; key < 1_000; key++) queue.add(`a/${key}`, { afterMs: 60_000 + key })
    queue.add('a/999', { afterMs: 1_000 })
    queue.add('a/0', { afterMs: 90_000 })

    expect(clock.pending).toBe(1)
    clock.advance(999)
    expect(queue.length).toBe(0)
    clock.advance(1)
    expect(await takeAll(queue)).toEqual(['a/999'])
    clock.advance(59_000)
    expect(await takeAll(queue)).toEqual(['a/0'])
    clock.advance(100_000)
    expect(await takeAll(queue)).toHaveLength(998)
    expect(clock.pending).toBe(0)
  })

  it('retries with a backoff that doubles up to its bound, for each key by itself, until it is forgotten', () => {
    const queue = workQueue({ clock: manualClock(), ...exactBackoff, baseDelayMs: 500, maxDelayMs: 60_000 })
    const delays = Array.from({ length: 10 }, () => queue.retry('a/1'))

    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
    expect(queue.failures('a/1')).toBe(10)
    expect(queue.retry('a/2')).toBe(500)
    queue.forget('a/1')
    expect(queue.retry('a/1')).toBe(500)
  })

  it('spreads retries of keys that failed together', () => {
    const queue = workQueue({ clock: manualClock() })
    const delays = new Set(Array.from({ length: 100 }, (_, key) => Math.round(queue.retry(`a/${key}`) / 10)))
    expect(delays.size).toBeGreaterThan(20)
  })

  it('hands out nothing after the shutdown, which waits for the workers', async () => {
    const clock = manualClock()
    const queue = workQueue({ clock })
    queue.add('a/1')
    await queue.get()
    const waiting = queue.get()
    queue.add('a/2', { afterMs: 10 })
    queue.retry('a/1')

    let isDown = false
    const down = queue.shutDown().then(() => {
      isDown = true
    })
    expect(await waiting).toBeUndefined()
    queue.add('a/3')
    clock.advance(100_000)
    expect(await queue.get()).toBeUndefined()
    expect(isDown).toBe(false)
    queue.done('a/1')
    await down
    expect([queue.length, queue.working, queue.delayed, clock.pending]).toEqual([0, 0, 0, 0])
  })

  it('tells its metrics how long a key waited and was worked on', async () => {
    const clock = manualClock()
    const told: unknown[] = []
    const queue = workQueue({
      clock,
      ...exactBackoff,
      metrics: {
        added: (key) => told.push(['added', key]),
        taken: (key, ms) => told.push(['taken', key, ms]),
        done: (key, ms) => told.push(['done', key, ms]),
        retried: (key, ms) => told.push(['retried', key, ms]),
      },
    })
    queue.add('a/1')
    queue.add('a/1')
    clock.advance(30)
    await queue.get()
    clock.advance(70)
    queue.retry('a/1')
    queue.done('a/1')

    expect(told).toEqual([
      ['added', 'a/1'],
      ['taken', 'a/1', 30],
      ['retried', 'a/1', 500],
      ['done', 'a/1', 70],
    ])
  })

  it('refuses done for a key that nobody has', () => {
    expect(() => workQueue().done('a/1')).toThrow('done(a/1), which nobody works on')
  })
})

const NOTHING = Symbol('nothing yet')

function nothingYet(): Promise<typeof NOTHING> {
  return Promise.resolve().then(() => NOTHING)
}

/**
 * Does things to a queue and checks after each what must hold. It knows only what was asked of the queue and what the queue
 * gave, and nothing of how the queue works.
 */
function observedQueue() {
  const clock = manualClock()
  const queue = workQueue({ clock, ...exactBackoff })
  /** Asked for, and not handed out since. */
  const wanted = new Set<string>()
  const working = new Set<string>()
  /** Key → when it is due. */
  const delayed = new Map<string, number>()
  /** Waiting namespace → how many others may still be served before it. */
  const turns = new Map<string, number>()
  /** Calls of `get` that have no answer yet, in order. */
  const gets: Promise<string | undefined>[] = []
  let isDown = false

  const waiting = () => [...wanted].filter((key) => !working.has(key))

  function want(key: string): void {
    if (isDown) return
    wanted.add(key)
    if (!working.has(key) && !turns.has(namespaceOf(key))) turns.set(namespaceOf(key), turns.size)
  }

  function wantAt(key: string, at: number): void {
    if (!isDown) delayed.set(key, Math.min(at, delayed.get(key) ?? at))
  }

  function handedOut(key: string): void {
    expect(isDown).toBe(false)
    expect(wanted.delete(key), `${key} was asked for`).toBe(true)
    expect(working.has(key), `${key} is with one worker only`).toBe(false)
    working.add(key)
    const served = namespaceOf(key)
    expect(turns.delete(served), `${served} waited for its turn`).toBe(true)
    for (const [namespace, left] of turns) {
      expect(left, `${namespace} is served within its turn`).toBeGreaterThan(0)
      turns.set(namespace, left - 1)
    }
    if (waiting().some((other) => namespaceOf(other) === served)) turns.set(served, turns.size)
  }

  async function check(): Promise<void> {
    for (const get of [...gets]) {
      const key = await Promise.race([get, nothingYet()])
      if (key === NOTHING) continue
      gets.splice(gets.indexOf(get), 1)
      if (key === undefined) expect(isDown).toBe(true)
      else handedOut(key)
    }
    expect(queue.length).toBe(waiting().length)
    expect(queue.working).toBe(working.size)
    expect(queue.delayed).toBe(delayed.size)
    expect(Math.min(gets.length, waiting().length), 'nobody waits while a key does').toBe(0)
    expect(clock.pending, 'timers').toBeLessThanOrEqual(1)
  }

  return {
    wanted,
    working,
    delayed,
    async add(key: string) {
      queue.add(key)
      want(key)
      await check()
    },
    async addLater(key: string, afterMs: number) {
      queue.add(key, { afterMs })
      wantAt(key, clock.now() + afterMs)
      await check()
    },
    async take() {
      gets.push(queue.get())
      await check()
    },
    async done(key: string, how: { readonly retry: boolean }) {
      if (how.retry) wantAt(key, clock.now() + queue.retry(key))
      else queue.forget(key)
      working.delete(key)
      queue.done(key)
      if (wanted.has(key)) want(key) // only from now on does it wait
      await check()
    },
    async advance(ms: number) {
      const until = clock.now() + ms
      for (const at of new Set([...delayed.values()].filter((due) => due <= until).sort((a, b) => a - b))) {
        clock.advance(at - clock.now())
        for (const [key, due] of delayed) {
          if (due > at) continue
          delayed.delete(key)
          want(key)
        }
        await check()
      }
      clock.advance(until - clock.now())
      await check()
    },
    async shutDown() {
      isDown = true
      void queue.shutDown()
      for (const asked of [wanted, delayed, turns]) asked.clear()
      await check()
    },
  }
}

function namespaceOf(key: string): string {
  return key.split('/')[0] ?? ''
}

const keys = fc.constantFrom('a/1', 'a/2', 'a/3', 'b/1', 'b/2', 'c/1')
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('add' as const), key: keys }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('later' as const), key: keys, ms: fc.integer({ min: 1, max: 50 }) }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('take' as const) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('done' as const), nth: fc.nat(5), retry: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 600 }) }) },
  ),
  { maxLength: 60 },
)

describe('workQueue, whatever the order of things', () => {
  it('loses no key, gives none to two workers, and keeps namespaces waiting no longer than their turn', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (script, endsInShutdown) => {
        const queue = observedQueue()
        for (const step of script) {
          const held = [...queue.working]
          if (step.do === 'add') await queue.add(step.key)
          else if (step.do === 'later') await queue.addLater(step.key, step.ms)
          else if (step.do === 'take') await queue.take()
          else if (step.do === 'advance') await queue.advance(step.ms)
          else if (held.length > 0) await queue.done(held[step.nth % held.length] ?? '', step)
        }
        if (endsInShutdown) await queue.shutDown()

        // Given time and workers, everything that was asked for comes.
        for (let round = 0; round < 20 && queue.wanted.size + queue.delayed.size > 0; round++) {
          await queue.advance(120_000)
          await queue.take()
          for (const key of queue.working) await queue.done(key, { retry: false })
        }
        expect([...queue.wanted, ...queue.delayed.keys()]).toEqual([])
      }),
      { numRuns: 500 },
    )
  })
})
