/**
 * Status writes: only what differs, only on top of what was read, and nothing at all when nothing differs.
 */
import type { KubeClient } from './client.ts'
import { mergePatchBetween } from './merge-patch.ts'
import { type KubeObject, keyOf, type ResourceType } from './resource.ts'

type StatusOf<T> = T extends { readonly status?: infer S } ? NonNullable<S> : Record<string, unknown>

/**
 * Makes the status be `next`, by a merge patch that is refused with a conflict when somebody wrote the object since
 * `object` was read. A key that `next` does not have is removed. Resolves with the object as written, or with
 * `undefined` when there was nothing to write.
 */
export async function patchStatus<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
  next: StatusOf<T>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<T | undefined> {
  const before = (object as { readonly status?: unknown }).status ?? {}
  const status = mergePatchBetween(before, next)
  if (status === undefined) return undefined
  const body = { metadata: { resourceVersion: object.metadata.resourceVersion }, status }
  return client.patch(type, keyOf(object), body, { kind: 'merge', subresource: 'status', ...options })
}
