/**
 * How many replicas are alive: each holds a Lease of its own, and counts those of the others that it saw renewed within
 * their duration, by its own clock. Its own is renewed by the election that holds it.
 *
 * A replica that died is counted for one lease duration more; its Lease is removed by whoever sees it so long dead that
 * nobody can be wrong.
 */
import { type Lease, leaseType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Clock } from '../../kube/clock.ts'
import { isConflict, isNotFound } from '../../kube/kube-error.ts'
import { keyOf } from '../../kube/resource.ts'

export interface ReplicasOptions {
  readonly client: KubeClient
  readonly namespace: string
  /** Lease names of replicas begin so; nothing else's may. */
  readonly prefix: string
  readonly clock: Clock
}

export interface Replicas {
  /** Looks, and returns how many live ones there are besides the Lease `own`. Throws what the server says. */
  countOthers(own: string, signal: AbortSignal): Promise<number>
}

/** A Lease not renewed for this many durations belongs to nobody. */
const FORGOTTEN_AFTER_DURATIONS = 20

export function replicas({ client, namespace, prefix, clock }: ReplicasOptions): Replicas {
  /** Lease name → its last renewal and when this process saw it. */
  const seen = new Map<string, { readonly renewal: string; readonly at: number }>()

  /** How many of its durations have gone by since it was seen to be renewed. */
  function age(lease: Lease): number {
    const renewal = `${lease.spec?.holderIdentity} ${lease.spec?.renewTime}`
    const known = seen.get(lease.metadata.name)
    if (known?.renewal !== renewal) {
      seen.set(lease.metadata.name, { renewal, at: clock.now() })
      return 0
    }
    return (clock.now() - known.at) / ((lease.spec?.leaseDurationSeconds ?? 15) * 1000)
  }

  async function remove(lease: Lease, signal: AbortSignal): Promise<void> {
    const { uid, resourceVersion } = lease.metadata
    try {
      await client.delete(leaseType, keyOf(lease), { preconditions: { uid, resourceVersion }, signal })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  return {
    async countOthers(own, signal) {
      const { items } = await client.list(leaseType, { namespace, signal })
      const others = items.filter(({ metadata: { name } }) => name.startsWith(prefix) && name !== own)
      for (const name of seen.keys()) {
        if (!others.some((lease) => lease.metadata.name === name)) seen.delete(name)
      }
      let alive = 0
      for (const lease of others) {
        const durations = age(lease)
        if (lease.spec?.holderIdentity && durations < 1) alive++
        if (durations > FORGOTTEN_AFTER_DURATIONS) await remove(lease, signal)
      }
      return alive
    },
  }
}
