/** What is counted when it is asked for: ownership, caches, objects by how they are. */
import { tofuRunPhases } from '../crds/tofu-run.ts'
import { type VM, vmStates } from '../crds/vm.ts'
import { getCondition } from '../kube/conditions.ts'
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
    name: 'skyclust_cache_staleness_seconds',
    help: 'Since when nothing was heard of what a cache follows, not even that nothing changed.',
    label: 'cache',
    values: () => caches.staleness(),
  })
  metrics.observed({
    name: 'skyclust_cache_objects',
    help: 'Objects that a cache holds.',
    label: 'cache',
    values: () => caches.sizes(),
  })
  metrics.observed({
    name: 'skyclust_vms',
    help: 'VMs by the state of their instance.',
    label: 'state',
    values: () => counted(vmStates, caches.vms.list(), ({ status }) => status?.state ?? 'pending'),
  })
  metrics.observed({
    name: 'skyclust_vms_by_condition',
    help: 'VMs that have a condition: Ready, Stalled (nothing moves until somebody acts), Drifted, Paused.',
    label: 'condition',
    values: () => conditions.map((type) => [type, caches.vms.list().filter((vm) => has(vm, type)).length] as const),
  })
  metrics.observed({
    name: 'skyclust_credentials',
    help: 'Credentials by whether their cloud accepted them.',
    label: 'ready',
    values: () =>
      counted(['True', 'False', 'Unknown'], caches.credentials.list(), ({ status }) => {
        return getCondition(status?.conditions, 'Ready')?.status ?? 'Unknown'
      }),
  })
  metrics.observed({
    name: 'skyclust_tofu_runs',
    help: 'TofuRuns by phase.',
    label: 'phase',
    values: () => counted(tofuRunPhases, caches.runs.list(), ({ status }) => status?.phase ?? 'Pending'),
  })
}

const conditions = ['Ready', 'Stalled', 'Drifted', 'Paused'] as const

function has({ status }: { readonly status?: VM['status'] }, type: (typeof conditions)[number]): boolean {
  return getCondition(status?.conditions, type)?.status === 'True'
}

/** Every one of `values`, however many have it. */
function counted<T>(
  values: readonly string[],
  objects: Iterable<T>,
  valueFor: (object: T) => string,
): Map<string, number> {
  const counts = new Map<string, number>(values.map((value) => [value, 0]))
  for (const object of objects) {
    const value = valueFor(object)
    counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  return counts
}
