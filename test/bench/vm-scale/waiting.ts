/** Waiting for VMs to be as they should. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { VM } from '../../../crds/vm.ts'
import type { Cache } from '../../../kube/cache.ts'
import { getCondition } from '../../../kube/conditions.ts'
import type { BenchCloudKind } from './clouds.ts'

export const isReady = (vm: VM) => getCondition(vm.status?.conditions ?? [], 'Ready')?.status === 'True'

/** Resolves with the seconds until `test` holds of all VMs of the cache; throws when that takes longer than `limitSeconds`. */
export async function secondsUntil(
  vms: Cache<VM>,
  count: number,
  test: (vm: VM) => boolean,
  limitSeconds: number,
): Promise<number> {
  const startedAt = performance.now()
  const passed = () => (performance.now() - startedAt) / 1000
  for (;;) {
    const done = vms.list().filter(test).length
    if (done >= count) return passed()
    if (passed() > limitSeconds) throw new Error(`${done} of ${count} VMs after ${limitSeconds} s`)
    await sleep(100)
  }
}

/** For so many VMs at once. */
export function patienceSeconds({ vmsPerSecond }: BenchCloudKind, count: number): number {
  return 60 + count / vmsPerSecond
}
