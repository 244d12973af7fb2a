/**
 * Instances that carry this installation's tags but have no VM: something bypassed the finalizer. They are counted and told,
 * and ended only if the operator said so.
 *
 * An instance is never ended here unless all of this holds: it has had no VM for the whole grace; the cache of VMs is in
 * sync and knows none with that UID, and none that names the instance; its tags say where its VM was; and the API server,
 * asked directly, says that there is no VM of that name, or that it has another UID.
 */
import type { Instance } from '../../clouds/cloud.ts'
import { instanceTags } from '../../crds/names.ts'
import { parseKey } from '../../kube/resource.ts'
import type { AccountRegion } from './account-region.ts'

export interface OrphanSweepOptions {
  readonly mode: 'report' | 'delete'
  readonly graceMs: number
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
  /** Whether the cache shows everything there is. */
  readonly isSynced: () => boolean
  /** Whether some VM has this UID, or names this instance, as far as the cache knows. */
  readonly isClaimed: (uid: string, instanceId: string) => boolean
  /** Whether this replica is the one to speak for this namespace. */
  readonly accepts: (namespace: string) => boolean
  /** The UID of the VM of that name, from the API server itself; `undefined` when there is none. */
  readonly askUid: (namespace: string, name: string) => Promise<string | undefined>
  /** Once for each orphan. */
  readonly onFound: (eyes: AccountRegion, instance: Instance) => void
  readonly onEnded: (eyes: AccountRegion, instance: Instance) => void
  readonly onFailed: (instance: Instance, error: unknown) => void
}

export interface OrphanSweep {
  /** Looks at what one place holds. Resolves with how many orphans there are. */
  sweep(eyes: AccountRegion): Promise<number>
}

interface Entry {
  readonly since: number
  told: boolean
}

export function orphanSweep(options: OrphanSweepOptions): OrphanSweep {
  const { mode, graceMs, wallClock } = options
  /** For each place, by instance id: since when it has had no VM, and whether that was told. */
  const books = new WeakMap<AccountRegion, ReadonlyMap<string, Entry>>()

  async function sweep(eyes: AccountRegion): Promise<number> {
    if (!options.isSynced()) return 0
    const before = books.get(eyes)
    const orphans = [...eyes.all()].map(({ instance }) => instance).filter(isOrphan)
    const book = new Map(orphans.map(({ id }) => [id, before?.get(id) ?? { since: wallClock(), told: false }]))
    books.set(eyes, book)
    // One that was not there at the last listing may be newer than the cache.
    const known = orphans.filter(({ id }) => before?.has(id))
    for (const instance of known) {
      const entry = book.get(instance.id)
      if (!entry) continue
      if (!entry.told) options.onFound(eyes, instance)
      entry.told = true
      if (mode === 'delete' && wallClock() - entry.since >= graceMs) await end(eyes, instance)
    }
    return known.length
  }

  function isOrphan(instance: Instance): boolean {
    if (instance.state === 'terminated' || instance.state === 'terminating') return false
    const uid = instance.tags[instanceTags.vmUID]
    const { namespace } = homeOf(instance)
    if (uid === undefined || options.isClaimed(uid, instance.id)) return false
    return options.accepts(namespace ?? '')
  }

  async function end(eyes: AccountRegion, instance: Instance): Promise<void> {
    const { namespace, name } = homeOf(instance)
    if (namespace === undefined) return
    try {
      const uid = await options.askUid(namespace, name)
      if (uid === instance.tags[instanceTags.vmUID] || !isOrphan(instance)) return
      const [cloud] = eyes.clouds.values()
      await cloud?.terminate([instance.id])
      options.onEnded(eyes, instance)
    } catch (error) {
      options.onFailed(instance, error)
    }
  }

  return { sweep }
}

/** Where its VM was, as its tag says. */
function homeOf({ tags }: Instance): { namespace?: string; name: string } {
  const { namespace, name } = parseKey(tags[instanceTags.vm] ?? '')
  return namespace && name ? { namespace, name } : { name: '' }
}
