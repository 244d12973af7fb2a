/**
 * The VM controller at scale, on a cloud and a real apiserver: from an empty cluster to all Ready, in quiet, after others have stopped some, asked to
 * stop a thousand at once, restarted, and taken over from. `VM_SCALE=100,1000 node test/bench/vm-scale.ts` takes other sizes; the largest, or
 * 10,000, is the one of the figures. `VM_SCALE_CLOUD=gce` (or `moto`) takes another cloud than `sim`; the figures of all stand
 * beside each other in a table of docs/benchmarks.md.
 *
 * The floor of "all Ready" is a bare generator of the same writes, run before it against the same apiserver.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { VM } from '../../crds/vm.ts'
import { vmKind } from '../../crds/vm.ts'
import { type Cache, cache } from '../../kube/cache.ts'
import { getCondition } from '../../kube/conditions.ts'
import { keyOf, keyString } from '../../kube/resource.ts'
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
import { type Controller, type Rig, startRig, type Writes } from './vm-scale/rig.ts'

const QUIET_SECONDS = 60
/** Longer than the recorder of Events keeps a count. */
const REST_SECONDS = 35
const STOPPED_AT_ONCE = 1_000
const STOPPED_OUTSIDE = 10
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

const isReady = (vm: VM) => getCondition(vm.status?.conditions ?? [], 'Ready')?.status === 'True'

/** Resolves with the seconds until `test` holds of all VMs of the cache; throws when that takes longer than `limitSeconds`. */
async function secondsUntil(
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
function patienceSeconds(count: number): number {
  return 60 + count / kind.vmsPerSecond
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
    const ready = secondsUntil(vms, count, isReady, patienceSeconds(count))
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

/** Events follow one after the other, so that nothing else waits for them, and what they count up to half a minute later. */
async function atRest(rig: Rig): Promise<void> {
  const total = async () => Object.values(await rig.apiserverWrites()).reduce((sum, count) => sum + count, 0)
  for (let before = -1, now = await total(); now !== before; ) {
    await sleep(REST_SECONDS * 1000)
    before = now
    now = await total()
  }
}

function writesBetween(before: Writes, after: Writes, when: string): Figure[] {
  const objects = after.vms + after.others - before.vms - before.others
  return [
    { label: `apiserver writes ${when}, of objects and status`, value: objects, unit: 'writes', expected: '0' },
    { label: `apiserver writes ${when}, of Events`, value: after.events - before.events, unit: 'writes' },
  ]
}

async function quiet(rig: Rig, controller: Controller): Promise<void> {
  await atRest(rig)
  const before = { calls: await rig.cloudCalls(), writes: await rig.apiserverWrites(), usage: await controller.usage() }
  await sleep(QUIET_SECONDS * 1000)
  const after = { calls: await rig.cloudCalls(), writes: await rig.apiserverWrites(), usage: await controller.usage() }
  figures.push(
    {
      label: 'cloud reads in quiet',
      value: (after.calls.reads - before.calls.reads) / QUIET_SECONDS,
      unit: 'calls/s',
      expected: 'at most 0.5',
    },
    ...writesBetween(before.writes, after.writes, 'in a minute of quiet'),
    {
      label: 'processor in quiet',
      value: ((after.usage.cpuSeconds - before.usage.cpuSeconds) / QUIET_SECONDS) * 100,
      unit: '% of a core',
      expected: 'under 5',
    },
  )
}

/** Nothing else is written in quiet, so that a new version of the object is the news. */
async function drift(rig: Rig, vms: Cache<VM>): Promise<void> {
  const { stopOutside } = rig.cloud
  if (stopOutside === undefined) return
  const chosen = vms.list().slice(-STOPPED_OUTSIDE)
  const versions = new Map(chosen.map(({ metadata }) => [metadata.uid, metadata.resourceVersion]))
  await stopOutside(chosen.map(({ status }) => status?.instanceID ?? ''))
  const isTold = ({ metadata: { uid, resourceVersion } }: VM) =>
    versions.has(uid) && versions.get(uid) !== resourceVersion
  const count = chosen.length
  const told = await secondsUntil(vms, count, isTold, 600)
  const isRunning = (vm: VM) => versions.has(vm.metadata.uid) && vm.status?.state === 'running' && isReady(vm)
  const mended = told + (await secondsUntil(vms, count, isRunning, 600))
  figures.push(
    { label: `until ${count} VMs said that others had stopped them`, value: told, unit: 's', expected: 'under 120' },
    { label: 'until they ran again', value: mended, unit: 's' },
  )
}

async function stopMany(rig: Rig, vms: Cache<VM>): Promise<void> {
  await atRest(rig)
  const before = await rig.cloudCalls()
  // Of as few Credentials as can be: calls of two are never gathered into one.
  const byNamespace = vms.list().toSorted((a, b) => keyString(keyOf(a)).localeCompare(keyString(keyOf(b))))
  const chosen = byNamespace.slice(0, Math.min(STOPPED_AT_ONCE, vms.size))
  const names = new Set(chosen.map((vm) => vm.metadata.uid))
  await inParallel(chosen.length, async (index) => {
    const vm = chosen[index]
    if (vm) await rig.client.patch(vmKind, keyOf(vm), { spec: { powerState: 'Stopped' } }, { kind: 'merge' })
  })
  const seconds = await secondsUntil(
    vms,
    names.size,
    (vm) => names.has(vm.metadata.uid) && vm.status?.state === 'stopped' && isReady(vm),
    60 + patienceSeconds(names.size),
  )
  const after = await rig.cloudCalls()
  figures.push(
    {
      label: `cloud mutations to stop ${names.size.toLocaleString('en-US')} VMs`,
      value: after.mutations - before.mutations,
      unit: 'calls',
      expected: `at most ${kind.stopCalls(names.size)}`,
    },
    { label: `until ${names.size.toLocaleString('en-US')} VMs were stopped and Ready`, value: seconds, unit: 's' },
  )
}

async function restart(rig: Rig, controller: Controller): Promise<Controller> {
  controller.program.kill('SIGKILL')
  await controller.program.exited
  await sleep(16_000) // the dead leader's lease
  const before = { calls: await rig.cloudCalls(), writes: await rig.apiserverWrites() }
  const startedAt = performance.now()
  const next = await rig.startController()
  while ((await next.metric('skyclust_controller_synced').catch(() => undefined)) !== 1) await sleep(50)
  const seconds = (performance.now() - startedAt) / 1000
  await sleep(15_000) // long enough for everything that a restart could make it do
  const after = { calls: await rig.cloudCalls(), writes: await rig.apiserverWrites() }
  figures.push(
    { label: 'restart to synced', value: seconds, unit: 's', expected: 'under 10' },
    {
      label: 'cloud mutations after a restart',
      value: after.calls.mutations - before.calls.mutations,
      unit: 'calls',
      expected: '0',
    },
    ...writesBetween(before.writes, after.writes, 'after a restart'),
  )
  return next
}

async function takeOver(rig: Rig, leader: Controller): Promise<void> {
  const standby = await rig.startController()
  const leads = (value: number) => async () => {
    const found = await standby.metric('leader_election_master_status{').catch(() => undefined)
    return found === value
  }
  for (const isStandby = leads(0); !(await isStandby()); ) await sleep(50)
  const startedAt = performance.now()
  leader.program.kill('SIGKILL')
  for (const isLeader = leads(1); !(await isLeader()); ) await sleep(50)
  const seconds = (performance.now() - startedAt) / 1000
  figures.push({
    label: 'from SIGKILL of the leader until a standby leads',
    value: seconds,
    unit: 's',
    expected: 'under 30',
  })
  await standby.program.stop()
}

const curve: Measured[] = []
for (const size of sizes) {
  console.log(`${size.toLocaleString('en-US')} VMs …`)
  const measured = await measure(size, async (rig, controller, vms) => {
    if (size !== main) return
    await quiet(rig, controller)
    await drift(rig, vms)
    await stopMany(rig, vms)
    await takeOver(rig, await restart(rig, controller))
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
