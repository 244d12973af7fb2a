/**
 * When somebody last changed what an object wants: Kubernetes keeps no such time, but notes in `managedFields` when each
 * writer last changed what it owns. The controller's writes (status, finalizers) are not the user's and do not count.
 *
 * `managedFields` is a third of an object, so caches drop it; this keeps the one time that is asked for.
 */
import type { KubeObject } from '../../kube/resource.ts'

const noted = new WeakMap<KubeObject, string>()

/** A cache's `transform`: notes the time, then drops `managedFields`. */
export function noteUpdateTime<T extends KubeObject>(object: T): T {
  noted.set(object, fromManagedFields(object))
  // Emptied rather than deleted: `delete` would turn the object into a dictionary, slower and larger.
  if (object.metadata.managedFields) Object.assign(object.metadata, { managedFields: undefined })
  return object
}

/** RFC 3339 with whole seconds; the time of creation when nothing was changed since. */
export function updatedAt(object: KubeObject): string {
  return noted.get(object) ?? fromManagedFields(object)
}

/** @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/#System */
interface ManagedFields {
  readonly subresource?: string
  readonly time?: string
  readonly fieldsV1?: Readonly<Record<string, unknown>>
}

function fromManagedFields({ metadata }: KubeObject): string {
  let latest = metadata.creationTimestamp
  for (const entry of (metadata.managedFields ?? []) as readonly ManagedFields[]) {
    const ofUser = !entry.subresource && entry.fieldsV1?.['f:spec'] !== undefined
    if (ofUser && entry.time !== undefined && entry.time > latest) latest = entry.time
  }
  return latest
}
