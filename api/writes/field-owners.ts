/**
 * Who else declares a field: whoever applies it from somewhere (Argo CD, Flux, a pipeline) would put it back, so the facade
 * does not fight over it but says who it is.
 *
 * Server-side apply is such a declaration by its nature. A plain write is not, but Argo CD's, which applies client-side
 * unless told otherwise. A person with `kubectl edit` or `kubectl apply` has written once, and holds nothing.
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

/** @param path as in `fieldsV1`, without the `f:` of plain fields: `['spec', 'members', 'k:{"user":"bob"}']` */
export function declaredElsewhere(object: KubeObject, path: readonly string[]): string | undefined {
  return (object.metadata.managedFields as readonly ManagedFields[] | undefined)?.find((entry) => {
    const declares = entry.operation === 'Apply' || appliesByUpdate.test(entry.manager ?? '')
    return declares && entry.manager !== FIELD_MANAGER && !entry.subresource && contains(entry.fieldsV1, path)
  })?.manager
}

/** Throws `CONFLICT`, naming the field and its manager. */
export function requireUndeclared(object: KubeObject, path: readonly string[]): void {
  const manager = declaredElsewhere(object, path)
  if (manager !== undefined) throw new ApiError('CONFLICT', refused.managedElsewhere(path.join('.'), manager))
}

function contains(fields: FieldSet | undefined, path: readonly string[]): boolean {
  const [first, ...rest] = path
  if (first === undefined) return fields !== undefined
  return fields !== undefined && contains(fields[first.includes(':') ? first : `f:${first}`], rest)
}
