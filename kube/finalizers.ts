/**
 * Finalizers: a name in `metadata.finalizers` keeps a deleted object until whoever put it there has cleaned up.
 * Both writes are on top of what was read: a conflict is thrown when somebody wrote the object since.
 */
import type { KubeClient } from './client.ts'
import { isNotFound } from './kube-error.ts'
import { type KubeObject, keyOf, type ResourceType } from './resource.ts'

interface FinalizerOptions {
  readonly signal?: AbortSignal | undefined
}

export function hasFinalizer(object: KubeObject, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false
}

/** Resolves with the object as written, or with `object` itself when it has the finalizer already. */
export async function ensureFinalizer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
  finalizer: string,
  options: FinalizerOptions = {},
): Promise<T> {
  if (hasFinalizer(object, finalizer)) return object
  return patchFinalizers(client, type, object, [...(object.metadata.finalizers ?? []), finalizer], options)
}

/** Resolves with the object as written; `undefined` when it did not have the finalizer, or is gone altogether. */
export async function removeFinalizer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
  finalizer: string,
  options: FinalizerOptions = {},
): Promise<T | undefined> {
  if (!hasFinalizer(object, finalizer)) return undefined
  const others = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer)
  try {
    return await patchFinalizers(client, type, object, others, options)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

function patchFinalizers<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
  finalizers: readonly string[],
  options: FinalizerOptions,
): Promise<T> {
  const { uid, resourceVersion } = object.metadata
  const body = { metadata: { uid, resourceVersion, finalizers } }
  return client.patch(type, keyOf(object), body, { kind: 'merge', ...options })
}
