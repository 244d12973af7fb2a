/**
 * What a VM says, and when it tries again, for each class of error that a cloud may answer with; and what becomes of instances
 * that have no VM. With the controller as a process, and the simulated cloud told to fail in EC2's words.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { instanceTags } from '../../crds/names.ts'
import { vmKind } from '../../crds/vm.ts'
import { namespaceType } from '../../kube/builtin-types.ts'
import { type Collector, startCollector } from '../tracing/collector.ts'
import { conditionOf, eventually, type Room } from './room.ts'
import { openStage, type Stage } from './stage.ts'

let collector: Collector
let stage: Stage
let room: Room
let count = 0
/** An instance of this installation whose VM is no more, and one of another installation's. */
let orphan = ''
let strangers = ''

beforeAll(async () => {
  collector = await startCollector()
  const traces = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '500' }
  stage = await openStage({ env: { ...traces, SKYCLUST_ORPHANS: 'delete', SKYCLUST_ORPHAN_GRACE: '1m' } })
  room = await stage.room()
  // From the first, since the grace is a minute at least.
  const { metadata } = await stage.administrator.get(namespaceType, { name: 'kube-system' })
  orphan = launched('gone', metadata.uid)
  strangers = launched('theirs', crypto.randomUUID())
})
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]()
  await collector?.[Symbol.asyncDispose]()
})
afterEach(() => void stage.sim.configure({ faults: [], throttle: {}, noCapacity: [], maxInstances: null }))

function launched(name: string, cluster: string): string {
  const tags = {
    [instanceTags.vmUID]: crypto.randomUUID(),
    [instanceTags.vm]: `${room.namespace}/${name}`,
    [instanceTags.cluster]: cluster,
  }
  return stage.sim.outside({ action: 'launch', tags })[0]?.id ?? ''
}

const newName = () => `vm-${++count}`
const sentFor = (uid: string) => stage.sim.instances({ state: 'all' }).filter(({ token }) => token.includes(uid))

/** Creates are refused with that code from now on. */
function refuseCreates(code: string, status = 400): void {
  const error = { code, message: `The words of ${code}`, status }
  stage.sim.configure({ faults: [{ action: 'RunInstances', answer: 'error', error }] })
}

describe('what only a person can mend', () => {
  it.each([
    ['InvalidAMIID.NotFound', 'InvalidSpec', /Correct the field/],
    ['InvalidParameterValue', 'InvalidSpec', /Correct the field/],
    ['InsufficientInstanceCapacity', 'InsufficientCapacity', /another zone or instance type/],
    ['VcpuLimitExceeded', 'QuotaExceeded', /Raise the quota/],
    ['UnauthorizedOperation', 'Forbidden', /Grant the permission/],
  ])(
    'as %s is Stalled, with the cloud’s words and what to do, and is not tried again soon',
    async (code, reason, remedy) => {
      refuseCreates(code)
      const name = newName()
      await room.create(name)

      const vm = await room.untilReason(name, reason)
      const stalled = conditionOf(vm, 'Stalled')
      expect(stalled).toMatchObject({ status: 'True', reason })
      expect(stalled?.message).toContain(`The words of ${code}`)
      expect(stalled?.message).toMatch(remedy)
      expect(conditionOf(vm, 'Reconciling')).toBeUndefined()
      expect(vm.status).toMatchObject({ state: 'error', observedGeneration: 1 })
      expect(vm.status?.create).toBeUndefined()
      await room.untilTold(name, `Warning ${reason}`)
      const { calls } = stage.sim.calls.byAction.RunInstances
      expect(calls).toBeGreaterThan(0)

      // A change of the spec is a reason to try at once.
      stage.sim.configure({ faults: [] })
      await room.change(name, { tags: { tried: 'again' } })
      await room.untilReady(name)
      expect(sentFor(vm.metadata.uid)).toHaveLength(1)
    },
  )

  it('as the account’s limit of instances is tried again by itself, later', async () => {
    stage.sim.configure({ maxInstances: 0 })
    const name = newName()
    await room.create(name)
    const vm = await room.untilReason(name, 'QuotaExceeded')
    const { calls } = stage.sim.calls.byAction.RunInstances

    await room.create(newName()) // as long as it takes for another one to be refused
    await room.untilReason(`vm-${count}`, 'QuotaExceeded')

    expect(stage.sim.calls.byAction.RunInstances.calls).toBe(calls + 1)
    expect((await room.find(name))?.metadata.resourceVersion).toBe(vm.metadata.resourceVersion)
  })
})

describe('what mends itself', () => {
  it.each([
    ['RequestLimitExceeded', 503, 'Throttled'],
    ['InternalError', 500, 'CloudUnavailable'],
    ['Unavailable', 503, 'CloudUnavailable'],
    ['RequestTimeTooSkewed', 403, 'CloudUnavailable'],
  ])('as %s is tried again with backoff, told while it lasts, and never Stalled', async (code, status, reason) => {
    const name = newName()
    await room.create(name)
    await room.untilReady(name)
    const error = { code, message: `The words of ${code}`, status }
    stage.sim.configure({ faults: [{ action: 'StopInstances', answer: 'error', error }] })
    const before = stage.sim.calls.byAction.StopInstances.calls

    await room.change(name, { powerState: 'Stopped' })
    const vm = await room.untilReason(name, reason)
    expect(conditionOf(vm, 'Reconciling')?.message).toContain(`The words of ${code}`)
    expect(conditionOf(vm, 'Stalled')).toBeUndefined()
    expect(stage.sim.calls.byAction.StopInstances.calls - before).toBeLessThan(20)

    stage.sim.configure({ faults: [] })
    expect((await room.untilReady(name)).status?.state).toBe('stopped')
  })

  it('as a create without an answer is looked for, not repeated', async () => {
    stage.sim.configure({
      tokenValidityMs: 0,
      faults: [{ action: 'RunInstances', count: 1, effect: 'done', answer: 'reset' }],
    })
    const name = newName()
    await room.create(name)

    const vm = await room.untilReady(name)
    expect(sentFor(vm.metadata.uid).map(({ id }) => id)).toEqual([vm.status?.instanceID])
    await room.untilTold(name, 'Normal InstanceFound')
  })
})

describe('an instance that has our tags and no VM', () => {
  it('is reported on the Credential, and terminated after the grace where the operator says so', async () => {
    const keeper = newName()
    await room.create(keeper)
    const kept = await room.untilReady(keeper)
    const stateOf = (id: string | undefined) =>
      stage.sim.instances({ state: 'all' }).find((one) => one.id === id)?.state

    await room.untilTold('main', 'Warning OrphanFound')
    await room.untilTold('main', 'Warning OrphanTerminated')

    await eventually(() => expect(stateOf(orphan)).toBe('terminated'))
    expect(stateOf(strangers)).toBe('running')
    expect(stateOf(kept.status?.instanceID)).toBe('running')
    const { metrics } = await stage.controller.logged(({ msg }) => msg === 'listening')
    expect(await (await fetch(`${metrics}/metrics`)).text()).toContain('skyclust_orphan_instances{')
    const attributes = { 'skyclust.action': 'terminate', 'skyclust.outcome': 'ok', 'skyclust.instances': 1 }
    await eventually(() =>
      expect(collector.spans).toContainEqual(
        expect.objectContaining({ name: 'sim terminate', attributes: expect.objectContaining(attributes) }),
      ),
    )
  })
})

it('leaves nothing when all VMs are deleted together', async () => {
  await stage.administrator
    .list(vmKind, { namespace: room.namespace })
    .then(({ items }) => Promise.all(items.map(({ metadata }) => room.delete(metadata.name))))
  await eventually(async () =>
    expect((await stage.administrator.list(vmKind, { namespace: room.namespace })).items).toEqual([]),
  )
  const ours = stage.sim.instances().filter(({ token }) => token.startsWith('skyclust-'))
  expect(ours.filter(({ state }) => state !== 'terminating')).toEqual([])
})
