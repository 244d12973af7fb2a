import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ManualClock, manualClock } from './manual-clock.ts'
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
 * What must hold whatever happens in whatever order. It knows only what was asked of the queue and what the queue gave, and
 * nothing of how the queue works.
 */
class Observer {
  readonly clock: ManualClock = manualClock()
  readonly queue = workQueue({ clock: this.clock, ...exactBackoff })
  /** Wanted, and not handed out since: key → deliveries that may still come before its namespace is served. */
  readonly wanted = new Set<string>()
  readonly working = new Set<string>()
  /** Key → earliest time it was asked for. */
  readonly delayed = new Map<string, number>()
  readonly patience = new Map<string, number>()
  /** Calls of `get` that have no answer yet, in order. */
  readonly given: Promise<string | undefined>[] = []
  isDown = false

  async command(run: () => void): Promise<void> {
    run()
    for (const get of [...this.given]) {
      const key = await Promise.race([get, nothingYet()])
      if (key === NOTHING) continue
      this.given.splice(this.given.indexOf(get), 1)
      if (key === undefined) expect(this.isDown).toBe(true)
      else this.taken(key)
    }
    this.check()
  }

  add(key: string): void {
    this.queue.add(key)
    if (!this.isDown) this.want(key)
  }

  addLater(key: string, afterMs: number): void {
    this.queue.add(key, { afterMs })
    if (!this.isDown) this.wantAt(key, this.clock.now() + afterMs)
  }

  retry(key: string): void {
    const delayMs = this.queue.retry(key)
    if (!this.isDown) this.wantAt(key, this.clock.now() + delayMs)
  }

  take(): void {
    this.given.push(this.queue.get())
  }

  done(key: string): void {
    this.working.delete(key)
    this.queue.done(key)
    if (this.wanted.has(key)) this.want(key) // from now on its namespace waits
  }

  advance(ms: number): void {
    const until = this.clock.now() + ms
    for (const [key, at] of [...this.delayed].sort((a, b) => a[1] - b[1])) {
      if (at > until) continue
      this.clock.advance(at - this.clock.now())
      this.delayed.delete(key)
      this.want(key)
    }
    this.clock.advance(until - this.clock.now())
  }

  shutDown(): void {
    this.isDown = true
    this.wanted.clear()
    this.delayed.clear()
    void this.queue.shutDown()
  }

  private want(key: string): void {
    this.wanted.add(key)
    const namespace = key.split('/')[0] ?? ''
    if (this.working.has(key) || this.patience.has(namespace)) return
    this.patience.set(namespace, this.patience.size)
  }

  private wantAt(key: string, at: number): void {
    this.delayed.set(key, Math.min(at, this.delayed.get(key) ?? at))
  }

  private taken(key: string): void {
    expect(this.isDown).toBe(false)
    expect(this.wanted.delete(key), `${key} was asked for`).toBe(true)
    expect(this.working.has(key), `${key} is with one worker only`).toBe(false)
    this.working.add(key)
    const served = key.split('/')[0] ?? ''
    expect(this.patience.get(served), `${served} waited for its turn`).toBeDefined()
    this.patience.delete(served)
    for (const [namespace, turns] of this.patience) {
      expect(turns, `${namespace} is served within its turn`).toBeGreaterThan(0)
      this.patience.set(namespace, turns - 1)
    }
    if (this.waitingOf(served).length > 0) this.patience.set(served, this.patience.size)
  }

  private waitingOf(namespace: string): string[] {
    return [...this.wanted].filter((key) => key.startsWith(`${namespace}/`) && !this.working.has(key))
  }

  private check(): void {
    const waiting = [...this.wanted].filter((key) => !this.working.has(key))
    expect(this.queue.length).toBe(waiting.length)
    expect(this.queue.working).toBe(this.working.size)
    expect(this.queue.delayed).toBe(this.delayed.size)
    if (!this.isDown) expect(Math.min(this.given.length, waiting.length), 'nobody waits while a key does').toBe(0)
    expect(this.clock.pending).toBeLessThanOrEqual(1)
  }
}

const keys = fc.constantFrom('a/1', 'a/2', 'a/3', 'b/1', 'b/2', 'c/1')
const commands = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('add' as const), key: keys }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('later' as const), key: keys, ms: fc.integer({ min: 1, max: 50 }) }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('take' as const) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('done' as const), nth: fc.nat(5), retry: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), key: keys }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 600 }) }) },
  ),
  { maxLength: 60 },
)

describe('workQueue, whatever the order of things', () => {
  it('loses no key, gives none to two workers, and keeps namespaces waiting no longer than their turn', async () => {
    await fc.assert(
      fc.asyncProperty(commands, fc.boolean(), async (script, endsInShutdown) => {
        const observer = new Observer()
        for (const command of script) {
          await observer.command(() => {
            if (command.do === 'add') observer.add(command.key)
            else if (command.do === 'later') observer.addLater(command.key, command.ms)
            else if (command.do === 'take') observer.take()
            else if (command.do === 'forget') observer.queue.forget(command.key)
            else if (command.do === 'advance') observer.advance(command.ms)
            else {
              const key = [...observer.working][command.nth % Math.max(1, observer.working.size)]
              if (key !== undefined && command.retry) observer.retry(key)
              if (key !== undefined) observer.done(key)
            }
          })
        }
        if (endsInShutdown) await observer.command(() => observer.shutDown())
        // Given time and workers, everything that was asked for comes.
        for (let round = 0; round < 50 && observer.wanted.size + observer.delayed.size > 0; round++) {
          await observer.command(() => observer.advance(60_000))
          await observer.command(() => observer.take())
          for (const key of observer.working) await observer.command(() => observer.done(key))
        }
        expect([...observer.wanted, ...observer.delayed.keys()]).toEqual([])
      }),
      { numRuns: 300 },
    )
  })
})
