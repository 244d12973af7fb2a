/**
 * The objects of a namespace in the order of REST's lists, sorted anew only after something in that namespace changed.
 */
import type { Cache } from '../../kube/cache.ts'
import type { KubeObject } from '../../kube/resource.ts'
import { oldestFirst } from '../http/pagination.ts'

export type OrderedLists<T> = (namespace: string) => readonly T[]

export function orderedLists<T extends KubeObject>(cache: Cache<T>): OrderedLists<T> {
  const sorted = new Map<string, readonly T[]>()
  cache.onChange(({ object }) => sorted.delete(object.metadata.namespace ?? ''))

  return (namespace) => {
    let list = sorted.get(namespace)
    if (list === undefined) {
      list = cache.list(namespace).toSorted(oldestFirst)
      if (list.length > 0) sorted.set(namespace, list)
    }
    return list
  }
}
