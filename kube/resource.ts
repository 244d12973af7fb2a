/**
 * What every Kubernetes object has, and how a kind is named to the API server.
 *
 * A `ResourceType` is data: group, version, plural. Built-in ones are in `builtin-types.ts`; a custom
 * one comes from wherever its schema is written, and only has to have this shape.
 */

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean | undefined
  readonly blockOwnerDeletion?: boolean | undefined
}

/** @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/ */
export interface ObjectMeta {
  readonly name: string
  readonly generateName?: string | undefined
  /** Absent on cluster-scoped objects. */
  readonly namespace?: string | undefined
  readonly uid: string
  /** A decimal integer of any length (KEP-5504); compare with {@link compareResourceVersions}. */
  readonly resourceVersion: string
  readonly generation?: number | undefined
  /** RFC 3339, whole seconds. */
  readonly creationTimestamp: string
  readonly deletionTimestamp?: string | undefined
  readonly deletionGracePeriodSeconds?: number | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly finalizers?: readonly string[] | undefined
  readonly ownerReferences?: readonly OwnerReference[] | undefined
  readonly managedFields?: readonly unknown[] | undefined
}

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
}

export interface ResourceType<T extends KubeObject = KubeObject> {
  /** "" is the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  /** Carries the type; never there. */
  readonly object?: T
}

/** Where an object is. `namespace` is absent for cluster-scoped kinds. */
export interface ObjectKey {
  readonly namespace?: string | undefined
  readonly name: string
}

type Partially<V> = V extends readonly unknown[]
  ? V
  : V extends object
    ? { readonly [K in keyof V]?: Partially<V[K]> }
    : V

export type DraftMeta = Pick<
  ObjectMeta,
  'namespace' | 'generateName' | 'labels' | 'annotations' | 'finalizers' | 'ownerReferences'
> & { readonly name?: string; readonly uid?: string; readonly resourceVersion?: string }

/**
 * An object to be created or applied: as much of it as the writer has an opinion on. `apiVersion` and
 * `kind` are filled in from the type; what is missing or too much, the API server says (strictly).
 */
export type Draft<T extends KubeObject> = {
  readonly [K in keyof Omit<T, keyof KubeObject>]?: Partially<T[K]>
} & {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: DraftMeta
}

export function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`
}

export function keyOf(object: {
  readonly metadata: { readonly namespace?: string | undefined; readonly name: string }
}): ObjectKey {
  const { namespace, name } = object.metadata
  return namespace ? { namespace, name } : { name }
}

/** `namespace/name`, or `name` for what is cluster-scoped. Neither part can contain a slash. */
export function keyString(key: ObjectKey): string {
  return key.namespace ? `${key.namespace}/${key.name}` : key.name
}

export function parseKey(text: string): ObjectKey {
  const slash = text.indexOf('/')
  return slash < 0 ? { name: text } : { namespace: text.slice(0, slash), name: text.slice(slash + 1) }
}

/** The path of a collection: of one namespace, or of all when `namespace` is absent. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`
  const scope = type.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  return `${root}${scope}/${type.plural}`
}

/** The path of one object. Throws a `TypeError` when the key does not fit the kind's scope. */
export function objectPath(type: ResourceType, key: ObjectKey, subresource?: string): string {
  if (type.namespaced && !key.namespace) throw new TypeError(`${type.kind} ${key.name} needs a namespace`)
  if (key.name === '') throw new TypeError(`${type.kind} needs a name`)
  const path = `${collectionPath(type, key.namespace)}/${encodeURIComponent(key.name)}`
  return subresource === undefined ? path : `${path}/${subresource}`
}

/**
 * Negative when `a` is older than `b`, 0 when they are the same, positive when it is newer. Versions of one
 * resource type are decimal integers without leading zeros, of any length, and grow with time.
 *
 * @see https://www.kubernetes.dev/resources/keps/5504/ comparable resource versions
 */
export function compareResourceVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length
  return a === b ? 0 : a < b ? -1 : 1
}
