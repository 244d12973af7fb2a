/**
 * A custom resource kind, declared once: its zod schemas are the TypeScript type, the CRD that the API server enforces
 * and the sentences of `kubectl explain`.
 *
 * A kind is structurally the `ResourceType` that `kube/` takes, so it is handed to a client or a cache as it is.
 */
import type { z } from 'zod'
import { group, version } from './names.ts'

/** The metadata of an object as the API server sends it. */
export interface Metadata {
  readonly name: string
  readonly generateName?: string | undefined
  readonly namespace?: string | undefined
  readonly uid: string
  readonly resourceVersion: string
  readonly generation?: number | undefined
  readonly creationTimestamp: string
  readonly deletionTimestamp?: string | undefined
  readonly deletionGracePeriodSeconds?: number | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly finalizers?: readonly string[] | undefined
  readonly ownerReferences?:
    | readonly {
        readonly apiVersion: string
        readonly kind: string
        readonly name: string
        readonly uid: string
        readonly controller?: boolean | undefined
        readonly blockOwnerDeletion?: boolean | undefined
      }[]
    | undefined
  readonly managedFields?: readonly unknown[] | undefined
}

/** An object of a kind, as read: the schema's defaults are filled in. It is the cache's, so nobody may change it. */
export interface CustomObject<Spec, Status> {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Metadata
  readonly spec: Spec
  readonly status?: Status
}

export type Immutable<T> = T extends readonly (infer Item)[]
  ? readonly Immutable<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Immutable<T[Key]> }
    : T

/** @see https://kubernetes.io/docs/reference/using-api/cel/ */
export interface ValidationRule {
  readonly rule: string
  /** Names the field and says what to do. */
  readonly message: string
  /** Of the field that is at fault, from where the rule stands: `.zone`. */
  readonly fieldPath?: string
}

/** @see https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#additional-printer-columns */
export interface PrinterColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'boolean' | 'date'
  readonly jsonPath: string
  readonly description: string
  /** 1 shows it with `-o wide` only. */
  readonly priority?: 1
}

export interface KindDefinition<Spec extends z.ZodObject, Status extends z.ZodObject> {
  readonly kind: string
  readonly singular: string
  readonly plural: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly scope: 'Namespaced' | 'Cluster'
  /** What `kubectl explain` says of the kind. */
  readonly description: string
  readonly spec: Spec
  /** Left out: a kind without a status. */
  readonly status?: Status
  /** About the object as a whole: of its metadata, only the name can be judged. */
  readonly rules?: readonly ValidationRule[]
  readonly columns: readonly PrinterColumn[]
  /** What `--field-selector` may name, beside the name. */
  readonly selectableFields?: readonly string[]
}

export interface Kind<Spec extends z.ZodObject = z.ZodObject, Status extends z.ZodObject = z.ZodObject> {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  /** Carries the type; never there. */
  readonly object?: CustomObject<Immutable<z.output<Spec>>, Immutable<z.output<Status>>>
  readonly definition: KindDefinition<Spec, Status>
}

/** The type of a kind's objects. */
export type ObjectOf<K extends Kind> = NonNullable<K['object']>

export function defineKind<Spec extends z.ZodObject, Status extends z.ZodObject>(
  definition: KindDefinition<Spec, Status>,
): Kind<Spec, Status> {
  const { kind, plural, scope } = definition
  return { group, version, kind, plural, namespaced: scope === 'Namespaced', definition }
}
