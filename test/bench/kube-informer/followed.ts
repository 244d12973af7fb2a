/** What one process measures of itself while it follows the VMs, and how it says so. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ResourceType } from '../../../kube/resource.ts'

export interface Followed {
  /** From the start of the informer, not of the process, until every object can be read. */
  readonly syncedMs: number
  /** Of the processor, all threads, in the same time: what a loaded machine does not change much. */
  readonly cpuMs: number
  /** After a collection. */
  readonly residentMiB: number
  readonly peakMiB: number
  readonly heapMiB: number
}

/** Said here again, so that neither process loads the schema and zod with it. */
export const vmType: ResourceType = {
  group: 'skyclust.io',
  version: 'v1alpha1',
  kind: 'VM',
  plural: 'vms',
  namespaced: true,
}

/** @param sync resolves once every object can be read */
export async function measure(sync: () => Promise<unknown>): Promise<void> {
  const startedAt = performance.now()
  const usedBefore = process.cpuUsage()
  await sync()
  const syncedMs = performance.now() - startedAt
  const { user, system } = process.cpuUsage(usedBefore)
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.()
    await sleep(300) // V8 gives pages back a little later
  }
  const { rss, heapUsed } = process.memoryUsage()
  const peakKiB = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
  const followed: Followed = {
    syncedMs,
    cpuMs: (user + system) / 1000,
    residentMiB: rss / 2 ** 20,
    peakMiB: peakKiB / 1024,
    heapMiB: heapUsed / 2 ** 20,
  }
  console.log(JSON.stringify(followed))
  process.exit()
}
