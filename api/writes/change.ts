/**
 * A change of an object's spec as the caller: read as it is now, check, and write only if nobody else wrote since; again
 * when somebody did. So nobody's change is lost, and a field cannot change hands between the check and the write.
 */
import { setTimeout } from 'node:timers/promises'
import type { KubeClient } from '../../kube/client.ts'
import { isConflict, isNotFound } from '../../kube/kube-error.ts'
import { type KubeObject, keyOf, type ResourceType } from '../../kube/resource.ts'
import { notFound } from '../http/api-error.ts'
import { requireUndeclared } from './field-owners.ts'

export interface Change {
  /** A merge patch of `spec`. */
  readonly spec: Readonly<Record<string, unknown>>
  /** Fields that must not be declared by anybody else; see `field-owners.ts`. */
  readonly fields: readonly (readonly string[])[]
}

/** Of many writers at once one gets through in every round, so there are more attempts than writers to be expected. */
const ATTEMPTS = 60
/** Those who clash do not come back in step: each waits a part of this, chosen by chance. */
const LONGEST_PAUSE_MS = 150

/**
 * @param object says which one; another object of the same name is not found
 * @param decide may throw; `undefined` leaves the object as it is
 * @returns the object as it is afterwards
 */
export async function change<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
  decide: (current: T) => Change | undefined,
): Promise<T> {
  const key = keyOf(object)
  for (let attempt = 1; ; attempt++) {
    const current = await read(client, type, object)
    const wanted = decide(current)
    if (wanted === undefined) return current
    for (const field of wanted.fields) requireUndeclared(current, field)

    const { uid, resourceVersion } = current.metadata
    const body = { metadata: { uid, resourceVersion }, spec: wanted.spec }
    try {
      return await client.patch(type, key, body, { kind: 'merge' })
    } catch (error) {
      if (isNotFound(error)) throw notFound()
      if (!isConflict(error) || attempt === ATTEMPTS) throw error
      await setTimeout(Math.random() * Math.min(LONGEST_PAUSE_MS, 10 * attempt))
    }
  }
}

async function read<T extends KubeObject>(client: KubeClient, type: ResourceType<T>, object: T): Promise<T> {
  try {
    const current = await client.get(type, keyOf(object))
    if (current.metadata.uid === object.metadata.uid) return current
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  throw notFound()
}
