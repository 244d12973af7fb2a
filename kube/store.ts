/**
 * Objects by key, uid and whatever else a caller names. Pure data: no clock, no requests.
 *
 * Guarantees: an object is in exactly those index entries that its index functions name for it as it is now; of one
 * name there is one object; `apply` of the version that is there already changes nothing.
 */
import type { KubeObject, ObjectKey } from './resource.ts'

/** What an object is found by; no value, no entry. */
export type IndexFunction<T> = (object: T) => readonly string[]

export type Change<T> =
  /** `previous` is the same object before, absent when it is new. */
  | { readonly type: 'apply'; readonly object: T; readonly previous?: T }
  | { readonly type: 'delete'; readonly object: T }

export interface Store<T extends KubeObject> {
  get(key: ObjectKey): T | undefined
  byUid(uid: string): T | undefined
  list(namespace?: string): T[]
  index(name: string, value: string): T[]
  readonly size: number
  /** What changed: nothing, one thing, or a delete and an apply where another object took the name. */
  apply(object: T): readonly Change<T>[]
  delete(object: T): readonly Change<T>[]
  /** Makes these the only ones; deletes come first. */
  replaceAll(objects: readonly T[]): readonly Change<T>[]
}

export function store<T extends KubeObject>(indexes: Readonly<Record<string, IndexFunction<T>>> = {}): Store<T> {
  const namespaces = new Map<string, Map<string, T>>()
  const uids = new Map<string, T>()
  const entries = new Map(
    Object.entries(indexes).map(([name, of]) => [name, { of, byValue: new Map<string, Set<T>>() }]),
  )

  function get({ namespace, name }: ObjectKey): T | undefined {
    return namespaces.get(namespace ?? '')?.get(name)
  }

  function insert(object: T): void {
    const { namespace = '', name, uid } = object.metadata
    const named = namespaces.get(namespace)
    if (named) named.set(name, object)
    else namespaces.set(namespace, new Map([[name, object]]))
    uids.set(uid, object)
    for (const { of, byValue } of entries.values()) {
      for (const value of of(object)) {
        const found = byValue.get(value)
        if (found) found.add(object)
        else byValue.set(value, new Set([object]))
      }
    }
  }

  function unindex(object: T): void {
    for (const { of, byValue } of entries.values()) {
      for (const value of of(object)) {
        const found = byValue.get(value)
        if (found?.delete(object) && found.size === 0) byValue.delete(value)
      }
    }
  }

  function remove(object: T): void {
    const { namespace = '', name, uid } = object.metadata
    unindex(object)
    uids.delete(uid)
    const named = namespaces.get(namespace)
    if (named?.delete(name) && named.size === 0) namespaces.delete(namespace)
  }

  function apply(object: T): Change<T>[] {
    const previous = get(object.metadata)
    if (!previous) {
      insert(object)
      return [{ type: 'apply', object }]
    }
    if (previous.metadata.uid !== object.metadata.uid) {
      remove(previous)
      insert(object)
      return [
        { type: 'delete', object: previous },
        { type: 'apply', object },
      ]
    }
    if (previous.metadata.resourceVersion === object.metadata.resourceVersion) return []
    unindex(previous)
    insert(object)
    return [{ type: 'apply', object, previous }]
  }

  function deleteOne(object: T): Change<T>[] {
    const known = uids.get(object.metadata.uid)
    if (!known) return []
    remove(known)
    return [{ type: 'delete', object }]
  }

  return {
    get,
    byUid: (uid) => uids.get(uid),
    list(namespace) {
      return [...((namespace === undefined ? uids : namespaces.get(namespace))?.values() ?? [])]
    },
    index(name, value) {
      const index = entries.get(name)
      if (!index) throw new TypeError(`no index "${name}"; there is ${[...entries.keys()].join(', ') || 'none'}`)
      return [...(index.byValue.get(value) ?? [])]
    },
    get size() {
      return uids.size
    },
    apply,
    delete: deleteOne,
    replaceAll(objects) {
      const present = new Set(objects.map((object) => object.metadata.uid))
      const gone = [...uids.values()].filter((object) => !present.has(object.metadata.uid))
      return [...gone.flatMap(deleteOne), ...objects.flatMap(apply)]
    },
  }
}
