/**
 * The VM controller at scale, on a cloud and a real apiserver: from an empty cluster to all Ready, in quiet, after others have stopped some, asked to
 * stop a thousand at once, restarted, and taken over from. `VM_SCALE=100,1000 node test/bench/vm-scale.ts` takes other sizes; the largest, or
 * 10,000, is the one of the figures. `VM_SCALE_CLOUD=gce` (or `moto`) takes another cloud than `sim`; the figures of all stand
 * beside each other in a table of docs/benchmarks.md.
 *
 * The floor of "all Ready" is a bare generator of the same writes, run before it against the same apiserver.
 */
import type { VM } from '../../crds/vm.ts'
import { vmKind } from '../../crds/vm.ts'
import { type Cache, cache } from '../../kube/cache.ts'
import { keyOf } from '../../kube/resource.ts'
import { type Figure, report } from './report.ts'
import { inParallel } from './seed/in-parallel.ts'
import { benchCloud, type CloudCalls } from './vm-scale/clouds.ts'
import {
  bareWrites,
  createVms,
  makeCredentials,
  makeNamespaces,
  VMS_PER_CREDENTIAL,
  WRITES_PER_VM,
} from './vm-scale/load.ts'
import { type Controller, type Rig, startRig } from './vm-scale/rig.ts'
import { drift, quiet, restart, stopMany, takeOver } from './vm-scale/steps.ts'
import { isReady, patienceSeconds, secondsUntil } from './vm-scale/waiting.ts'

const cloudName = process.env.VM_SCALE_CLOUD ?? 'sim'
const kind = benchCloud(cloudName)
const sizes = process.env.VM_SCALE?.split(',').map(Number) ?? kind.sizes
const main = Math.min(10_000, Math.max(...sizes))

interface Measured {
  readonly floorSeconds: number
  readonly readySeconds: number
  readonly writesPerVm: number
  /** Of the cloud, until all were Ready. */
  readonly calls: CloudCalls
  readonly peakMiB: number
  readonly loopDelayP99Ms: number
}

async function watched(rig: Rig, action: (vms: Cache<VM>) => Promise<void>): Promise<void> {
  const stop = new AbortController()
  const vms = cache(rig.client, vmKind, { signal: stop.signal })
  await vms.synced()
  try {
    await action(vms)
  } finally {
    stop.abort()
    await vms.done
  }
}

async function timed(task: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await task()
  return (performance.now() - startedAt) / 1000
}

/** The curve: each size in a cluster of its own. */
async function measure(
  count: number,
  then?: (rig: Rig, controller: Controller, vms: Cache<VM>) => Promise<void>,
): Promise<Measured> {
  await using rig = await startRig(kind)
  const { load } = rig.cloud
  const floorNamespaces = await makeNamespaces(rig.client, 'floor', Math.ceil(count / VMS_PER_CREDENTIAL))
  const floorSeconds = await timed(() => bareWrites(rig.client, { namespaces: floorNamespaces, count, load }))
  for (const namespace of floorNamespaces) await forget(rig, namespace, count)

  const namespaces = await makeNamespaces(rig.client, 'bench', Math.ceil(count / VMS_PER_CREDENTIAL))
  await makeCredentials(rig.client, namespaces, load)
  const controller = await rig.startController()
  const measured: { result?: Measured } = {}
  await watched(rig, async (vms) => {
    const writesBefore = (await rig.apiserverWrites()).vms
    const ready = secondsUntil(vms, count, isReady, patienceSeconds(kind, count))
    await createVms(rig.client, { namespaces, count, load })
    const readySeconds = await ready
    const calls = await rig.cloudCalls()
    const writes = (await rig.apiserverWrites()).vms - writesBefore - count
    const { peakMiB } = await controller.usage()
    const lag = (await controller.metric('nodejs_eventloop_lag_p99_seconds')) ?? Number.NaN
    measured.result = {
      floorSeconds,
      readySeconds,
      writesPerVm: writes / count,
      calls,
      peakMiB,
      loopDelayP99Ms: lag * 1000,
    }
    await then?.(rig, controller, vms)
  })
  await controller.program.stop()
  if (!measured.result) throw new Error('unreachable')
  return measured.result
}

/** Takes the floor's VMs away, so that the controller finds an empty cluster. */
async function forget(rig: Rig, namespace: string, count: number): Promise<void> {
  const { items } = await rig.client.list(vmKind, { namespace })
  await inParallel(Math.min(items.length, count), async (index) => {
    const vm = items[index]
    if (!vm) return
    await rig.client.patch(vmKind, keyOf(vm), { metadata: { finalizers: null } }, { kind: 'merge' })
    await rig.client.delete(vmKind, keyOf(vm))
  })
}

const figures: Figure[] = []
const curve: Measured[] = []
for (const size of sizes) {
  console.log(`${size.toLocaleString('en-US')} VMs …`)
  const measured = await measure(size, async (rig, controller, vms) => {
    if (size !== main) return
    figures.push(...(await quiet(rig, controller)), ...(await drift(rig, vms)), ...(await stopMany(rig, kind, vms)))
    const restarted = await restart(rig, controller)
    figures.push(...restarted.figures, ...(await takeOver(rig, restarted.next)))
  })
  curve.push(measured)
  if (size === main) {
    figures.unshift(
      {
        label: 'empty cluster to all Ready',
        value: measured.readySeconds,
        unit: 's',
        against: { label: `the same ${WRITES_PER_VM} writes a VM by a bare generator`, value: measured.floorSeconds },
        expected: kind.readyWithin(main),
      },
      {
        label: 'apiserver writes to a VM and its status until Ready',
        value: measured.writesPerVm,
        unit: 'writes',
        expected: 'at most 4',
      },
      { label: 'cloud reads until all were Ready', value: measured.calls.reads, unit: 'calls' },
      { label: 'cloud mutations until all were Ready', value: measured.calls.mutations, unit: 'calls' },
      { label: 'resident memory at its peak', value: measured.peakMiB, unit: 'MiB', expected: 'under 250' },
      { label: 'event-loop delay, p99', value: measured.loopDelayP99Ms, unit: 'ms', expected: 'under 50' },
    )
  }
}

const against = (label: string, unit: string, pick: (measured: Measured) => number) => ({
  label: 'The VM controller',
  x: { label: 'VMs', values: sizes },
  y: { label, unit, values: curve.map(pick) },
})

report({
  name: cloudName === 'sim' ? 'vm-scale' : `vm-scale-${cloudName}`,
  about: `The VM controller with ${main.toLocaleString('en-US')} VMs on ${kind.about}, and a real apiserver, all on one machine.`,
  figures,
  column: { of: 'vm-scale', label: `${main.toLocaleString('en-US')} VMs on ${cloudName}` },
  ...(sizes.length > 1 && {
    curves: [
      against('time to all Ready', 's', (measured) => measured.readySeconds),
      against('time of the bare writes', 's', (measured) => measured.floorSeconds),
      against('resident memory at its peak', 'MiB', (measured) => measured.peakMiB),
    ],
  }),
})
