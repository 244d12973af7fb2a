/** A read of what may not be there. */
import type { KubeClient } from './client.ts'
import { isNotFound } from './kube-error.ts'
import type { KubeObject, ObjectKey, ResourceType } from './resource.ts'

/** Asks the API server itself, past any cache; `undefined` when it says that there is none. Throws every other error. */
export async function find<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  key: ObjectKey,
): Promise<T | undefined> {
  try {
    return await client.get(type, key)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
