/**
 * Deletes what is in a Workspace, in the order in which it can go: VMs and runs, until the cloud has let go of them; then
 * the Credentials with which that is done.
 *
 * Guarantees: a Credential is not deleted before the API server itself has said that there is no VM and no run left; each
 * object is deleted once, and by its UID, so that one of the same name made meanwhile is met on its own.
 */
import { type Credential, credentialKind } from '../../crds/credential.ts'
import { type TofuRun, tofuRunKind } from '../../crds/tofu-run.ts'
import { type VM, vmKind } from '../../crds/vm.ts'
import type { Cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isConflict, isNotFound } from '../../kube/kube-error.ts'
import { type KubeObject, keyOf, type ResourceType } from '../../kube/resource.ts'
import { isPaused } from '../pause.ts'
import { isDeleting } from '../report.ts'

export interface ClearOutOptions {
  readonly client: KubeClient
  readonly vms: Cache<VM>
  readonly runs: Cache<TofuRun>
  readonly credentials: Cache<Credential>
}

/** As many deletions are sent at a time. */
const AT_ONCE = 16
/** As many are named in a message. */
const NAMED = 5

/** What is still there and waited for, as the end of a sentence; `undefined` when nothing is left. */
export async function clearOut(
  namespace: string,
  { client, vms, runs, credentials }: ClearOutOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const remove = <T extends KubeObject>(type: ResourceType<T>, cache: Cache<T>) =>
    removeAll({ client, type, cache, namespace, signal })
  const work = [...(await remove(vmKind, vms)), ...(await remove(tofuRunKind, runs))]
  if (work.length > 0) return describe(work)
  const keys = await remove(credentialKind, credentials)
  return keys.length > 0 ? describe(keys) : undefined
}

interface Removal<T extends KubeObject> {
  readonly client: KubeClient
  readonly type: ResourceType<T>
  readonly cache: Cache<T>
  readonly namespace: string
  readonly signal: AbortSignal
}

/** Deletes those that are not being deleted yet, and answers with all that are left. */
async function removeAll<T extends KubeObject>({
  client,
  type,
  cache,
  namespace,
  signal,
}: Removal<T>): Promise<readonly T[]> {
  const known = cache.list(namespace)
  const left = known.length > 0 ? known : (await client.list(type, { namespace, signal })).items
  const pending = left.filter((object) => !isDeleting(object))
  while (pending.length > 0) {
    await Promise.all(
      pending.splice(0, AT_ONCE).map(async (object) => {
        try {
          await client.delete(type, keyOf(object), { preconditions: { uid: object.metadata.uid }, signal })
        } catch (error) {
          if (!isNotFound(error) && !isConflict(error)) throw error // gone, or another one of that name: seen next time
        }
      }),
    )
  }
  return left
}

function describe(objects: readonly KubeObject[]): string {
  const named = objects.slice(0, NAMED).map((object) => {
    const hint = isPaused(object) ? ' (paused)' : ''
    return `${object.kind} ${object.metadata.name}${hint}`
  })
  const more = objects.length - named.length
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
