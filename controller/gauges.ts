/** What is counted when it is asked for: ownership, caches, VMs. */
import { vmStates } from '../crds/vm.ts'
import type { Caches } from './caches.ts'
import type { ControllerMetrics } from './metrics.ts'
import type { Sharding } from './sharding/sharding.ts'

export interface Observed {
  readonly ownership: Sharding
  readonly caches: Caches
  readonly shards: number
}

export function observeApp(metrics: ControllerMetrics, { ownership, caches, shards }: Observed): void {
  metrics.observed({
    name: 'leader_election_master_status',
    help: '1 for each shard that this replica leads.',
    label: 'name',
    values: () => {
      const held = new Set(ownership.held())
      return Array.from({ length: shards }, (_, shard) => [String(shard), held.has(shard) ? 1 : 0] as const)
    },
  })
  metrics.observed({
    name: 'skyclust_controller_synced',
    help: '1 while every cache is filled and follows the API server.',
    values: () => [['', caches.missing().length === 0 ? 1 : 0]],
  })
  metrics.observed({
    name: 'skyclust_vms',
    help: 'VMs by the state of their instance.',
    label: 'state',
    values: () => {
      const counts = new Map<string, number>(vmStates.map((state) => [state, 0]))
      for (const { status } of caches.vms.list()) {
        const state = status?.state ?? 'pending'
        counts.set(state, (counts.get(state) ?? 0) + 1)
      }
      return counts
    },
  })
}
