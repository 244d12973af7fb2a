/**
 * What changed lately, by resource version: the memory from which a listener that was cut off goes on.
 *
 * It hears the same reflector as the informer cache: `changed` is the cache's listener, `heard` its reflector's. A batch of
 * changes is closed by the event that caused it, so that a relist, which tells of changes in no order, is one batch at
 * the version of its list.
 *
 * Guarantees: `since` gives every object that changed after a position, or says that it cannot; it never gives half.
 * Positions are resource versions, and so mean the same to every replica. Only names are kept, no objects: who was cut off
 * wants the state as it is now, not the steps that led there.
 */
import type { ReflectorEvent } from '../../kube/reflector.ts'
import { compareResourceVersions, type KubeObject } from '../../kube/resource.ts'
import type { Change } from '../../kube/store.ts'

export interface LoggedChange {
  readonly position: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export interface ChangeLog<T extends KubeObject> {
  /** Everything up to this resource version was heard; absent before the first list is complete. */
  readonly position: string | undefined
  changed(change: Change<T>): void
  heard(event: ReflectorEvent<T>): void
  /**
   * The objects in these namespaces that changed (or went) after `position`, each once; `undefined` when the log does not
   * reach back that far, or has not come that far yet.
   */
  since(position: string, namespaces: Iterable<string>): LoggedChange[] | undefined
  /** Called with each batch, an empty one too, once it is in the log. Returns what takes the listener off again. */
  onAdvance(listener: (changes: readonly Change<T>[], position: string) => void): () => void
}

interface Entry extends LoggedChange {
  /** The entry before this one in the same namespace. */
  readonly before: number
}

const NONE = -1

/** @param options.capacity how many changes are kept; an entry takes about 200 bytes */
export function changeLog<T extends KubeObject>(options: { readonly capacity?: number } = {}): ChangeLog<T> {
  const { capacity = 65_536 } = options
  const ring: Entry[] = []
  /** Numbers entries from 0; entry n stands at `n % capacity`. */
  let written = 0
  const newest = new Map<string, number>()
  const listeners = new Set<(changes: readonly Change<T>[], position: string) => void>()
  let batch: Change<T>[] = []
  let listing = true
  let position: string | undefined
  /** Everything after this version is still in the ring. */
  let floor: string | undefined

  function write(change: Change<T>, at: string): void {
    const { namespace = '', name, uid } = change.object.metadata
    const evicted = ring[written % capacity]
    if (evicted && written >= capacity) {
      floor = evicted.position
      if (newest.get(evicted.namespace) === written - capacity) newest.delete(evicted.namespace)
    }
    ring[written % capacity] = { position: at, namespace, name, uid, before: newest.get(namespace) ?? NONE }
    newest.set(namespace, written)
    written += 1
  }

  function advance(to: string): void {
    const changes = batch
    batch = []
    if (floor === undefined)
      floor = to // the first list: there is nobody yet who could have missed a part of it
    else for (const change of changes) write(change, to)
    position = to
    for (const listener of listeners) listener(changes, to)
  }

  function collect(namespace: string, after: string, into: Map<string, LoggedChange>): void {
    const oldest = Math.max(0, written - capacity)
    for (let number = newest.get(namespace) ?? NONE; number >= oldest; ) {
      const entry = ring[number % capacity]
      if (!entry || compareResourceVersions(entry.position, after) <= 0) return
      if (!into.has(entry.uid)) into.set(entry.uid, entry)
      number = entry.before
    }
  }

  return {
    get position() {
      return position
    },
    changed(change) {
      batch.push(change)
    },
    heard(event) {
      switch (event.type) {
        case 'init':
          listing = true
          break
        case 'ready':
          listing = false
          advance(event.resourceVersion)
          break
        case 'bookmark':
          advance(event.resourceVersion)
          break
        case 'apply':
        case 'delete':
          if (!listing) advance(event.object.metadata.resourceVersion)
      }
    },
    since(after, namespaces) {
      if (position === undefined || floor === undefined) return undefined
      if (compareResourceVersions(after, floor) < 0 || compareResourceVersions(after, position) > 0) return undefined
      const found = new Map<string, LoggedChange>()
      for (const namespace of namespaces) collect(namespace, after, found)
      return [...found.values()]
    },
    onAdvance(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
