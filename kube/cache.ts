/**
 * An informer cache: all objects of a selection in memory, kept up to date by a reflector.
 *
 * Guarantees:
 * - before the first list is complete it is empty and `isSynced` is false; a later relist is swapped in as a whole, so
 *   that a reader never sees half of one;
 * - listeners hear of each change once, in the order in which it took effect, and after it can be read;
 * - objects are the cache's own: nobody may change them (they are frozen);
 * - it goes on through any fault of the server until its signal is aborted, and leaves nothing behind.
 *
 * `managedFields`, a third of a typical object, are dropped.
 */
import type { KubeClient, Selection } from './client.ts'
import { type Clock, systemClock } from './clock.ts'
import { compactor } from './compact.ts'
import { type ReflectorEvent, reflect } from './reflector.ts'
import { compareResourceVersions, type KubeObject, type ObjectKey, type ResourceType } from './resource.ts'
import { type Change, type IndexFunction, type Store, store } from './store.ts'

export interface CacheOptions<T extends KubeObject> extends Selection {
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>
  /** What is kept of each object; may change and return its argument. Default: everything but `managedFields`. */
  readonly transform?: (object: T) => T
  readonly onChange?: (change: Change<T>) => void
  /** Every event of the reflector, for logs and metrics. */
  readonly onReflectorEvent?: (event: ReflectorEvent<T>) => void
  readonly pageSize?: number
  readonly livenessMs?: number
  readonly signal: AbortSignal
  readonly clock?: Clock
  readonly random?: () => number
}

export interface Freshness {
  readonly synced: boolean
  /** By the clock of the cache; `-Infinity` before anything was heard. */
  readonly lastHeardAt: number
  /** Milliseconds since the server was last heard: a change, a bookmark (about one a minute), a list or a watch begun. */
  readonly staleMs: number
  /** Whether a watch is open, as far as is known. */
  readonly connected: boolean
}

interface WaitOptions {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
}

export interface Cache<T extends KubeObject> {
  get(key: ObjectKey): T | undefined
  byUid(uid: string): T | undefined
  /** Of one namespace, or all. */
  list(namespace?: string): readonly T[]
  /** The objects for which that index function gives that value. */
  index(name: string, value: string): readonly T[]
  readonly size: number
  readonly isSynced: boolean
  /** Resolves once the first list is complete; rejects with the reason of whichever signal is aborted first. */
  synced(signal?: AbortSignal): Promise<void>
  freshness(): Freshness
  /**
   * Resolves with `true` once the cache shows this write or something later (a later delete too), with `false` when
   * that took longer than `timeoutMs`.
   */
  seen(written: Written, options?: WaitOptions): Promise<boolean>
  /** Resolves with `true` once `test` says so of the object at `key`, with `false` after `timeoutMs`. */
  until(key: ObjectKey, test: (object: T | undefined) => boolean, options?: WaitOptions): Promise<boolean>
  /** Returns what takes the listener off again. */
  onChange(listener: (change: Change<T>) => void): () => void
  /** Settles when the signal was aborted and everything is released. */
  readonly done: Promise<void>
}

/** An object as a write answered it. */
export interface Written {
  readonly metadata: { readonly resourceVersion: string }
}

export function cache<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  options: CacheOptions<T>,
): Cache<T> {
  const { signal, clock = systemClock, transform = dropManagedFields } = options
  const compact = compactor()
  const objects: Store<T> = store(options.indexes)
  const listeners = new Set<(change: Change<T>) => void>(options.onChange ? [options.onChange] : [])
  const waiters = new Set<() => void>()
  let pending: T[] | undefined
  let isSynced = false
  let connected = false
  let lastHeardAt = Number.NEGATIVE_INFINITY
  /** Everything up to this version has been taken in. */
  let progress = '0'

  function keep(object: T): T {
    const kept = transform(object)
    return compact(kept)
  }

  function tell(changes: readonly Change<T>[]): void {
    for (const change of changes) {
      for (const listener of [...listeners]) {
        try {
          listener(change)
        } catch (error) {
          // A listener that throws is a bug: loud, but the cache and the other listeners stay whole.
          queueMicrotask(() => {
            throw error
          })
        }
      }
    }
  }

  function heard(resourceVersion: string): void {
    progress = resourceVersion
    lastHeardAt = clock.now()
    for (const check of [...waiters]) check()
  }

  function take(event: ReflectorEvent<T>): void {
    switch (event.type) {
      case 'init':
        pending = []
        break
      case 'watching':
        connected = true
        lastHeardAt = clock.now()
        break
      case 'apply':
        if (pending) {
          pending.push(keep(event.object))
          break
        }
        tell(objects.apply(keep(event.object)))
        heard(event.object.metadata.resourceVersion)
        break
      case 'delete':
        tell(objects.delete(keep(event.object)))
        heard(event.object.metadata.resourceVersion)
        break
      case 'ready': {
        const all = pending ?? []
        pending = undefined
        isSynced = true
        tell(objects.replaceAll(all))
        heard(event.resourceVersion)
        break
      }
      case 'bookmark':
        heard(event.resourceVersion)
        break
      case 'interrupted':
        connected = false
    }
  }

  async function run(): Promise<void> {
    for await (const event of reflect(client, type, options)) {
      take(event)
      options.onReflectorEvent?.(event)
    }
    connected = false // stopped
  }

  /** Looks again after everything that was heard. */
  function wait(test: () => boolean, { timeoutMs, signal: own }: WaitOptions): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const stopped = [signal, own].find((one) => one?.aborted)
      if (stopped) return reject(stopped.reason)
      if (test()) return resolve(true)
      const cancel = timeoutMs === undefined ? undefined : clock.after(timeoutMs, () => settle(() => resolve(false)))
      const check = () => test() && settle(() => resolve(true))
      const abort = () => settle(() => reject(signal.aborted ? signal.reason : own?.reason))
      function settle(how: () => void): void {
        cancel?.()
        waiters.delete(check)
        signal.removeEventListener('abort', abort)
        own?.removeEventListener('abort', abort)
        how()
      }
      waiters.add(check)
      signal.addEventListener('abort', abort, { once: true })
      own?.addEventListener('abort', abort, { once: true })
    })
  }

  return {
    get: objects.get,
    byUid: objects.byUid,
    list: objects.list,
    index: objects.index,
    get size() {
      return objects.size
    },
    get isSynced() {
      return isSynced
    },
    async synced(own) {
      await wait(() => isSynced, { signal: own })
    },
    freshness() {
      return { synced: isSynced, lastHeardAt, staleMs: clock.now() - lastHeardAt, connected }
    },
    seen({ metadata }, waitOptions = {}) {
      return wait(() => isSynced && compareResourceVersions(progress, metadata.resourceVersion) >= 0, waitOptions)
    },
    until(key, test, waitOptions = {}) {
      return wait(() => isSynced && test(objects.get(key)), waitOptions)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    done: run(),
  }
}

function dropManagedFields<T extends KubeObject>(object: T): T {
  // Emptied rather than deleted: `delete` would turn the object into a dictionary, slower and larger.
  if (object.metadata.managedFields) (object.metadata as { managedFields?: unknown }).managedFields = undefined
  return object
}
