/**
 * Workers on a queue: each gets a key, reconciles it, and does with it what the result says. A reconcile that has nothing
 * to do but wait for others steps aside, so that a call that many share can gather more than there are workers.
 *
 * Guarantees: one key is never reconciled twice at a time; never more than `concurrency` do anything but wait aside; whatever `reconcile` throws, the worker goes on and the key is
 * decided upon in one place, `onError`. When `signal` is aborted no new key is taken; what runs may finish for
 * `drainMs`, then its own signal is aborted; the promise resolves when the last worker has ended.
 */
import { type Clock, systemClock } from './clock.ts'
import { places } from './places.ts'
import { type ObjectKey, parseKey } from './resource.ts'
import type { WorkQueue } from './work-queue.ts'

/** Done, or again after that long though nothing changes. */
export type Result = undefined | { readonly requeueAfterMs: number }

/** Waits for the task outside of the worker's place, which another key has meanwhile; settles as the task does. */
export type Aside = <T>(task: () => Promise<T>) => Promise<T>

export type Reconcile = (key: ObjectKey, signal: AbortSignal, aside: Aside) => Promise<Result>

export type RequeueDecision =
  /** Again with the key's backoff. */
  | 'backoff'
  /** Not again before something changes. */
  | 'drop'
  /** Again at that interval; the backoff is left alone. */
  | { readonly afterMs: number }

export interface ControllerOptions {
  readonly name: string
  readonly queue: WorkQueue
  readonly reconcile: Reconcile
  /** How many keys at a time. */
  readonly concurrency: number
  /** How many more may be under way because others wait aside; none by default, and then whoever waits keeps its place. */
  readonly maxAside?: number
  /** Default: backoff. What it throws counts as `backoff`. */
  readonly onError?: (key: ObjectKey, error: unknown) => RequeueDecision | Promise<RequeueDecision>
  readonly onReconciled?: (record: ReconcileRecord) => void
  readonly signal: AbortSignal
  /** How long what runs may go on after the stop. */
  readonly drainMs?: number
  readonly clock?: Clock
}

/** For metrics. */
export interface ReconcileRecord {
  readonly controller: string
  readonly key: ObjectKey
  readonly outcome: 'done' | 'requeued' | 'failed'
  readonly durationMs: number
}

export async function runController(options: ControllerOptions): Promise<void> {
  const {
    name,
    queue,
    reconcile,
    concurrency,
    maxAside = 0,
    onError,
    onReconciled,
    signal,
    drainMs = 15_000,
    clock = systemClock,
  } = options
  const abandon = new AbortController()
  const active = places(concurrency)
  const underWay = places(concurrency + maxAside)
  const tasks = new Set<Promise<void>>()
  let cancelDrain: (() => void) | undefined
  const stop = () => {
    cancelDrain = clock.after(drainMs, () => abandon.abort(new Error(`${name} did not finish within ${drainMs} ms`)))
  }
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })

  /** Nobody keeps a place while there is no key for it: who comes back from aside could not get in. */
  async function handOut(): Promise<void> {
    for (;;) {
      await underWay.take()
      const key = await queue.get(signal)
      if (key === undefined) return
      await active.take()
      if (signal.aborted) return queue.done(key)
      const task = work(key).finally(() => tasks.delete(task))
      tasks.add(task)
    }
  }

  async function work(key: string): Promise<void> {
    const startedAt = clock.now()
    const outcome = await reconcileOne(key)
    queue.done(key)
    active.release()
    underWay.release()
    onReconciled?.({ controller: name, key: parseKey(key), outcome, durationMs: clock.now() - startedAt })
  }

  async function reconcileOne(key: string): Promise<ReconcileRecord['outcome']> {
    try {
      const result = await reconcile(parseKey(key), abandon.signal, active.without)
      queue.forget(key)
      if (!result) return 'done'
      queue.add(key, { afterMs: result.requeueAfterMs })
      return 'requeued'
    } catch (error) {
      const decision = await decide(key, error)
      if (decision === 'backoff') queue.retry(key)
      else if (decision === 'drop') queue.forget(key)
      else queue.add(key, decision)
      return 'failed'
    }
  }

  async function decide(key: string, error: unknown): Promise<RequeueDecision> {
    try {
      return (await onError?.(parseKey(key), error)) ?? 'backoff'
    } catch {
      return 'backoff'
    }
  }

  try {
    await handOut()
    await Promise.all(tasks)
  } finally {
    signal.removeEventListener('abort', stop)
    cancelDrain?.()
  }
}
