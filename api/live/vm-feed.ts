/** The live hub of the VMs, fed by the store's one informer, for as long as `signal` lets it. */
import type { VM } from '../../crds/vm.ts'
import { systemClock } from '../../kube/clock.ts'
import type { KnownPrices } from '../shapes/hourly-estimate.ts'
import { vmDetailText } from '../shapes/vm.ts'
import type { Store } from '../store/store.ts'
import { type LiveHub, liveHub } from './hub.ts'
import { followMemberships } from './memberships.ts'

export interface VmFeedOptions {
  readonly store: Store
  readonly prices: KnownPrices
  /** Whether sessions and memberships are too old to rely on. */
  readonly isStale: () => boolean
}

export function vmFeed({ store, prices, isStale }: VmFeedOptions): LiveHub {
  const hub = liveHub<VM>({
    log: store.vmChanges,
    objects: store.vms,
    present(vm, workspaceId) {
      const workspace = store.workspaceOfNamespace(vm.metadata.namespace)
      return workspace?.metadata.uid === workspaceId ? vmDetailText(vm, workspace, prices) : undefined
    },
    isStale,
    clock: systemClock,
    now: Date.now,
  })
  followMemberships(store, hub)
  return hub
}
