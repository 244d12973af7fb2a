/**
 * A queue of keys that want attention: client-go's work queue, fair between namespaces.
 *
 * Guarantees:
 * - a key that was added is handed out afterwards, at least once, however the calls interleave, until the queue shuts down;
 * - however often it was added meanwhile, it waits once; and it is never handed out while a worker has it: an add
 *   during the work makes it come again after `done`;
 * - namespaces take turns: with k of them waiting, the first key of each is among the next k handed out; within one
 *   namespace, first come, first served;
 * - a delayed key comes not before its time; of several delays for one key the earliest holds;
 * - `shutDown` hands out nothing more, and resolves when every worker is done.
 *
 * Whoever gets a key must say `done`; `forget` after success, `retry` after failure.
 */
import { backoffMs } from './backoff.ts'
import { type Clock, systemClock } from './clock.ts'
import { delayedKeys } from './delayed-keys.ts'

export interface WorkQueueOptions {
  readonly clock?: Clock
  readonly random?: () => number
  /** Of `retry`: about this long after the first failure, doubled with each, up to the longest. */
  readonly baseDelayMs?: number
  readonly maxDelayMs?: number
  readonly metrics?: WorkQueueMetrics
}

/** Plain callbacks, for whatever counts. */
export interface WorkQueueMetrics {
  /** A key that was not waiting now is. */
  readonly added?: (key: string) => void
  /** A worker took it, after it waited so long. */
  readonly taken?: (key: string, waitedMs: number) => void
  readonly done?: (key: string, workedMs: number) => void
  readonly retried?: (key: string, delayMs: number) => void
}

export interface WorkQueue {
  add(key: string, options?: { readonly afterMs?: number }): void
  /** The next key, as soon as there is one; `undefined` when the queue shuts down or the signal is aborted. */
  get(signal?: AbortSignal): Promise<string | undefined>
  done(key: string): void
  /** Adds the key again after its backoff, and returns how long that is. */
  retry(key: string): number
  /** Forgets the key's failures. */
  forget(key: string): void
  /** Failures in a row. */
  failures(key: string): number
  /** Keys that wait for a worker. */
  readonly length: number
  /** Keys that workers have. */
  readonly working: number
  /** Keys that wait for their time. */
  readonly delayed: number
  shutDown(): Promise<void>
}

export function workQueue(options: WorkQueueOptions = {}): WorkQueue {
  const { clock = systemClock, random = Math.random, baseDelayMs = 500, maxDelayMs = 60_000, metrics = {} } = options
  /** Key → when it was added. */
  const waiting = new Map<string, number>()
  /** Key → when it was taken. */
  const working = new Map<string, number>()
  /** Added while a worker has it. */
  const again = new Set<string>()
  const failures = new Map<string, number>()
  /** Namespaces in the order of their turns, each with its keys in the order in which they came; none is empty. */
  const turns = new Map<string, string[]>()
  const takers = new Set<(key: string | undefined) => void>()
  const delayed = delayedKeys(clock, enqueue)
  let drained: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined

  function enqueue(key: string): void {
    if (drained || waiting.has(key)) return
    if (working.has(key)) {
      again.add(key)
      return
    }
    waiting.set(key, clock.now())
    metrics.added?.(key)
    const namespace = namespaceOf(key)
    const keys = turns.get(namespace)
    if (keys) keys.push(key)
    else turns.set(namespace, [key])
    const [taker] = takers
    if (taker) taker(next())
  }

  /** The first key of the namespace whose turn it is; the namespace goes to the end of the line. */
  function next(): string | undefined {
    const [turn] = turns
    if (!turn) return undefined
    const [namespace, keys] = turn
    const key = keys.shift() as string
    turns.delete(namespace)
    if (keys.length > 0) turns.set(namespace, keys)
    const now = clock.now()
    metrics.taken?.(key, now - (waiting.get(key) ?? now))
    waiting.delete(key)
    working.set(key, now)
    return key
  }

  return {
    add(key, { afterMs = 0 } = {}) {
      if (drained) return
      if (afterMs > 0) delayed.add(key, afterMs)
      else enqueue(key)
    },

    get(signal) {
      if (drained || signal?.aborted) return Promise.resolve(undefined)
      const key = next()
      if (key !== undefined) return Promise.resolve(key)
      return new Promise((resolve) => {
        const abort = () => take(undefined)
        function take(taken: string | undefined): void {
          takers.delete(take)
          signal?.removeEventListener('abort', abort)
          resolve(taken)
        }
        takers.add(take)
        signal?.addEventListener('abort', abort, { once: true })
      })
    },

    done(key) {
      const takenAt = working.get(key)
      if (takenAt === undefined) throw new Error(`done(${key}), which nobody works on`)
      working.delete(key)
      metrics.done?.(key, clock.now() - takenAt)
      if (again.delete(key)) enqueue(key)
      if (drained && working.size === 0) drained.resolve()
    },

    retry(key) {
      const count = (failures.get(key) ?? 0) + 1
      failures.set(key, count)
      const delayMs = backoffMs(count, { baseMs: baseDelayMs, maxMs: maxDelayMs, random })
      metrics.retried?.(key, delayMs)
      if (!drained) delayed.add(key, delayMs)
      return delayMs
    },

    forget: (key) => void failures.delete(key),
    failures: (key) => failures.get(key) ?? 0,
    get length() {
      return waiting.size
    },
    get working() {
      return working.size
    },
    get delayed() {
      return delayed.size
    },

    shutDown() {
      if (!drained) {
        drained = Promise.withResolvers<void>()
        delayed.clear()
        waiting.clear()
        turns.clear()
        again.clear()
        for (const take of [...takers]) take(undefined)
        if (working.size === 0) drained.resolve()
      }
      return drained.promise
    },
  }
}

function namespaceOf(key: string): string {
  const slash = key.indexOf('/')
  return slash < 0 ? '' : key.slice(0, slash)
}
