/**
 * A controller of one kind, as `app.ts` runs it: a name, what wakes it, and a reconcile. And how it is run: with a work
 * queue of its own, on the keys that this replica owns.
 */
import { type Aside, type Reconcile, type RequeueDecision, type Result, runController } from '../kube/controller.ts'
import { keyString, type ObjectKey } from '../kube/resource.ts'
import { type WorkQueue, workQueue } from '../kube/work-queue.ts'
import type { ControllerMetrics } from './metrics.ts'
import { scopeOf, shardOf } from './sharding/shard.ts'

export interface KindController {
  /** In logs and metrics. */
  readonly name: string
  /** How many keys at a time. */
  readonly concurrency: number
  /** How many more while others wait aside. Default: none. */
  readonly maxAside?: number
  readonly reconcile: Reconcile
  /** What becomes of a key whose reconcile threw. Default: it is tried again with backoff. */
  onError?(key: ObjectKey, error: unknown): RequeueDecision | Promise<RequeueDecision>
  /** Everything there is now: looked at when this replica takes up a shard. */
  all(): Iterable<ObjectKey>
  /** Calls `wake` for each key that wants attention, from now on. */
  follow(wake: Wake): void
}

export type Wake = (key: ObjectKey, options?: { readonly afterMs?: number }) => void

export interface RunKindOptions {
  readonly shards: number
  /** May new work be taken up there? See `Sharding.accepts`. */
  readonly accepts: (scope: string) => boolean
  readonly metrics: ControllerMetrics
  /** No key is taken up after it is aborted. */
  readonly signal: AbortSignal
  /** How long what runs then may go on. */
  readonly drainMs: number
  readonly onError: (key: ObjectKey, error: unknown) => RequeueDecision
}

export interface RunningKind {
  /** Looks at everything in this shard. */
  takeUp(shard: number): void
  /** Resolves when nobody works on this shard any more; `accepts` must say no of it already. */
  drained(shard: number): Promise<void>
  /** Settles when the last worker has ended. */
  readonly done: Promise<void>
}

export function runKind(controller: KindController, options: RunKindOptions): RunningKind {
  const { shards, accepts, metrics, drainMs, signal, onError } = options
  const queue: WorkQueue = workQueue({ metrics: metrics.queue(controller.name, controller.concurrency) })
  metrics.depthOf(controller.name, () => queue.length)
  /** By shard: what is being worked on. */
  const working = new Map<number, Set<Promise<unknown>>>()

  function wake(key: ObjectKey, wakeOptions?: { readonly afterMs?: number }): void {
    if (accepts(scopeOf(key))) queue.add(keyString(key), wakeOptions)
  }

  /** A key that came to the queue while the shard was ours is dropped once it is not. */
  async function reconcile(key: ObjectKey, abandon: AbortSignal, aside: Aside): Promise<Result> {
    if (!accepts(scopeOf(key))) return undefined
    const shard = shardOf(scopeOf(key), shards)
    const task = controller.reconcile(key, abandon, aside)
    const tasks = working.get(shard) ?? new Set()
    working.set(shard, tasks.add(task))
    try {
      return await task
    } finally {
      tasks.delete(task)
    }
  }

  controller.follow(wake)
  const done = runController({
    name: controller.name,
    queue,
    reconcile,
    concurrency: controller.concurrency,
    ...(controller.maxAside && { maxAside: controller.maxAside }),
    onError: (key, error) => controller.onError?.(key, error) ?? onError(key, error),
    onReconciled: metrics.reconciled,
    drainMs,
    signal,
  })

  return {
    takeUp(shard) {
      for (const key of controller.all()) {
        if (shardOf(scopeOf(key), shards) === shard) queue.add(keyString(key))
      }
    },
    async drained(shard) {
      await Promise.allSettled(working.get(shard) ?? [])
    },
    done: done.then(() => queue.shutDown()),
  }
}
