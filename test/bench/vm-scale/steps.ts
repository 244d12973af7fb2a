/**
 * What the scale benchmark does with the VMs once all are Ready, step by step; each answers with what it measured.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { VM } from '../../../crds/vm.ts'
import { vmKind } from '../../../crds/vm.ts'
import type { Cache } from '../../../kube/cache.ts'
import { keyOf, keyString } from '../../../kube/resource.ts'
import type { Figure } from '../report.ts'
import { inParallel } from '../seed/in-parallel.ts'
import type { BenchCloudKind } from './clouds.ts'
import type { Controller, Rig, Writes } from './rig.ts'
import { isReady, patienceSeconds, secondsUntil } from './waiting.ts'

const QUIET_SECONDS = 60
/** Longer than the recorder of Events keeps a count. */
const REST_SECONDS = 35
const STOPPED_AT_ONCE = 1_000
const STOPPED_OUTSIDE = 10

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

export async function quiet(rig: Rig, controller: Controller): Promise<Figure[]> {
  await atRest(rig)
  const before = { calls: await rig.cloudCalls(), writes: await rig.apiserverWrites(), usage: await controller.usage() }
  await sleep(QUIET_SECONDS * 1000)
  const after = { calls: await rig.cloudCalls(), writes: await rig.apiserverWrites(), usage: await controller.usage() }
  return [
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
  ]
}

/** Nothing else is written in quiet, so that a new version of the object is the news. */
export async function drift(rig: Rig, vms: Cache<VM>): Promise<Figure[]> {
  const { stopOutside } = rig.cloud
  if (stopOutside === undefined) return []
  const chosen = vms.list().slice(-STOPPED_OUTSIDE)
  const versions = new Map(chosen.map(({ metadata }) => [metadata.uid, metadata.resourceVersion]))
  await stopOutside(chosen.map(({ status }) => status?.instanceID ?? ''))
  const isTold = ({ metadata: { uid, resourceVersion } }: VM) =>
    versions.has(uid) && versions.get(uid) !== resourceVersion
  const count = chosen.length
  const told = await secondsUntil(vms, count, isTold, 600)
  const isRunning = (vm: VM) => versions.has(vm.metadata.uid) && vm.status?.state === 'running' && isReady(vm)
  const mended = told + (await secondsUntil(vms, count, isRunning, 600))
  return [
    { label: `until ${count} VMs said that others had stopped them`, value: told, unit: 's', expected: 'under 120' },
    { label: 'until they ran again', value: mended, unit: 's' },
  ]
}

export async function stopMany(rig: Rig, kind: BenchCloudKind, vms: Cache<VM>): Promise<Figure[]> {
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
    60 + patienceSeconds(kind, names.size),
  )
  const after = await rig.cloudCalls()
  return [
    {
      label: `cloud mutations to stop ${names.size.toLocaleString('en-US')} VMs`,
      value: after.mutations - before.mutations,
      unit: 'calls',
      expected: `at most ${kind.stopCalls(names.size)}`,
    },
    { label: `until ${names.size.toLocaleString('en-US')} VMs were stopped and Ready`, value: seconds, unit: 's' },
  ]
}

export async function restart(rig: Rig, controller: Controller): Promise<{ next: Controller; figures: Figure[] }> {
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
  const figures = [
    { label: 'restart to synced', value: seconds, unit: 's', expected: 'under 10' },
    {
      label: 'cloud mutations after a restart',
      value: after.calls.mutations - before.calls.mutations,
      unit: 'calls',
      expected: '0',
    },
    ...writesBetween(before.writes, after.writes, 'after a restart'),
  ]
  return { next, figures }
}

export async function takeOver(rig: Rig, leader: Controller): Promise<Figure[]> {
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
  await standby.program.stop()
  return [
    {
      label: 'from SIGKILL of the leader until a standby leads',
      value: seconds,
      unit: 's',
      expected: 'under 30',
    },
  ]
}
