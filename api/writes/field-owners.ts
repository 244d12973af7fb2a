/**
 * Who else declares a field: whoever applies it from somewhere (Argo CD, Flux, a pipeline) would put it back, so the facade
 * does not fight over it but says who it is.
 *
 * Server-side apply is such a declaration by its nature. A plain write is not, but Argo CD's, which applies client-side
 * unless told otherwise: of its fields, those count that its last apply named, since an object's creator is put down for what the schema filled in, too,
 * and would not put that back. A person with `kubectl edit` or `kubectl apply` has written once, and holds nothing.
 *
 * @see https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
 */
import type { KubeObject } from '../../kube/resource.ts'
import { ApiError } from '../http/api-error.ts'
import { refused } from '../language/messages.ts'

export const FIELD_MANAGER = 'skyclust-api'

interface ManagedFields {
  readonly manager?: string
  readonly operation?: 'Apply' | 'Update'
  readonly subresource?: string
  readonly fieldsV1?: FieldSet
}

interface FieldSet {
  readonly [field: string]: FieldSet
}

/** Programs that apply from a repository, but by plain writes. */
const appliesByUpdate = /^argocd-/
/** Where a client-side apply remembers what it applied. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** @param path as in `fieldsV1`, without the `f:` of plain fields: `['spec', 'members', 'k:{"user":"bob"}']` */
export function declaredElsewhere(object: KubeObject, path: readonly string[]): string | undefined {
  const named = namedByClientSideApply(object, path)
  return (object.metadata.managedFields as readonly ManagedFields[] | undefined)?.find((entry) => {
    const declares = entry.operation === 'Apply' || (named && appliesByUpdate.test(entry.manager ?? ''))
    return declares && entry.manager !== FIELD_MANAGER && !entry.subresource && contains(entry.fieldsV1, path)
  })?.manager
}

/** Throws `CONFLICT`, naming the field and its manager. */
export function requireUndeclared(object: KubeObject, path: readonly string[]): void {
  const manager = declaredElsewhere(object, path)
  if (manager !== undefined) throw new ApiError('CONFLICT', refused.managedElsewhere(path.join('.'), manager))
}

/** Whether the last client-side apply gave the field a value. Where none is remembered, as after a replace, everything counts. */
function namedByClientSideApply({ metadata }: KubeObject, path: readonly string[]): boolean {
  const text = metadata.annotations?.[lastApplied]
  if (text === undefined) return true
  try {
    return has(JSON.parse(text), path)
  } catch {
    return true // not what kubectl writes
  }
}

function has(value: unknown, [step, ...rest]: readonly string[]): boolean {
  if (step === undefined) return value !== undefined
  if (typeof value !== 'object' || value === null) return false
  if (!Array.isArray(value)) return has((value as Readonly<Record<string, unknown>>)[step], rest)
  const key = Object.entries(JSON.parse(step.replace('k:', '')))
  return has(
    value.find((item) => key.every(([field, wanted]) => item?.[field] === wanted)),
    rest,
  )
}

function contains(fields: FieldSet | undefined, path: readonly string[]): boolean {
  const [first, ...rest] = path
  if (first === undefined) return fields !== undefined
  return fields !== undefined && contains(fields[first.includes(':') ? first : `f:${first}`], rest)
}
