/** VMs as people meet them, with the controller as a process and the simulated cloud: from `kubectl apply` to `kubectl delete`. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { annotations, finalizers, instanceTags } from '../../crds/names.ts'
import { namespaceType } from '../../kube/builtin-types.ts'
import { conditionOf, eventually, isReady, type Room } from './room.ts'
import { openStage, type Stage } from './stage.ts'

let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})
afterAll(() => stage?.[Symbol.asyncDispose]())

/** What the cloud really has for a VM that is alive. */
const instancesOf = (uid: string) => stage.sim.instances().filter(({ token }) => token.startsWith(`skyclust-${uid}-`))
const instanceOf = (id: string | undefined) => stage.sim.instances({ state: 'all' }).find((one) => one.id === id)

async function readyVM(room: Room, name: string, spec: Parameters<Room['create']>[1] = {}) {
  await room.create(name, spec)
  const vm = await room.untilReady(name)
  return { vm, id: vm.status?.instanceID ?? '' }
}

describe('the examples', () => {
  it('come up with one kubectl apply, and go with their workspace, but for the namespace that it did not make', async () => {
    const { kubectl } = stage.cluster
    const web1 = ['vm/web-1', '--namespace=team-a']

    await kubectl('apply', '-f', join(import.meta.dirname, '../../examples'))
    await kubectl('wait', '--for=condition=Ready', ...web1, '--timeout=90s')
    const row = (await kubectl('get', 'vms', 'web-1', '--namespace=team-a', '--no-headers')).split(/ +/)
    const [instance] = stage.sim.instances().filter(({ tags }) => tags[instanceTags.vm] === 'team-a/web-1')
    expect(row.slice(0, 8)).toEqual([
      'web-1',
      'running',
      'True',
      'InstanceRunning',
      't3.micro',
      instance?.zone,
      instance?.publicIP,
      instance?.id,
    ])

    await kubectl('patch', ...web1, '--type=merge', '-p', '{"spec":{"powerState":"Stopped"}}')
    await kubectl('wait', '--for=jsonpath={.status.state}=stopped', ...web1, '--timeout=90s')
    await kubectl('wait', '--for=condition=Ready', ...web1, '--timeout=90s')
    expect(instanceOf(instance?.id)?.state).toBe('stopped')

    await kubectl('delete', 'workspace', 'team-a', '--timeout=90s')
    expect(instanceOf(instance?.id)?.state).toBe('terminated')
    expect(await kubectl('get', 'vms,credentials', '--namespace=team-a')).toBe('')
    expect(await kubectl('get', 'namespace', 'team-a')).toContain('Active')
  })
})

describe.concurrent('a VM', () => {
  it('is made with everything that its spec says, and carries whose it is', async () => {
    const room = await stage.room()
    await room.putSecret('boot', { 'user-data': '#!/bin/sh\necho hello\n' })
    const { vm, id } = await readyVM(room, 'whole', {
      zone: 'sim-1b',
      instanceType: 't3.large',
      network: { subnetID: 'subnet-1', securityGroupIDs: ['sg-1'], publicIP: true },
      rootDisk: { sizeGiB: 30, type: 'gp3' },
      sshKeyName: 'laptop',
      userDataSecretRef: { name: 'boot' },
      instanceProfile: 'web',
      tags: { team: 'a' },
    })

    const { uid } = (await stage.administrator.get(namespaceType, { name: 'kube-system' })).metadata
    expect(instanceOf(id)).toMatchObject({
      zone: 'sim-1b',
      instanceType: 't3.large',
      tags: {
        team: 'a',
        Name: 'whole',
        [instanceTags.vmUID]: vm.metadata.uid,
        [instanceTags.vm]: `${room.namespace}/whole`,
        [instanceTags.cluster]: uid,
      },
      launched: {
        subnetId: 'subnet-1',
        securityGroupIds: ['sg-1'],
        publicIP: true,
        rootDisk: { sizeGiB: 30, type: 'gp3' },
        sshKeyName: 'laptop',
        instanceProfile: 'web',
      },
    })
    expect(vm.status).toMatchObject({ state: 'running', zone: 'sim-1b', observedGeneration: 1 })
    expect(conditionOf(vm, 'Synced')).toMatchObject({ status: 'True' })
    expect(conditionOf(vm, 'Drifted')).toMatchObject({ status: 'False' })
    expect(vm.status?.conditions?.map(({ type }) => type)).not.toContain('Reconciling')
    expect(await room.untilTold('whole', 'Normal InstanceRunning')).toContain('Normal InstanceCreated')
  })

  it('has its finalizer until the cloud has said that the instance is gone', async () => {
    const room = await stage.room()
    const { vm, id } = await readyVM(room, 'leaving')
    expect(vm.metadata.finalizers).toEqual([finalizers.vm])

    await room.delete('leaving')
    await room.untilGone('leaving')

    expect(instanceOf(id)?.state).toBe('terminated')
    await room.untilTold('leaving', 'Normal Terminating', 'Normal Deleted')
  })

  it('stops and starts as its power state says, and is Ready both ways', async () => {
    const room = await stage.room()
    const { id } = await readyVM(room, 'power')

    const asked = await room.change('power', { powerState: 'Stopped' })
    const meanwhile = await room.until('power', (vm) => conditionOf(vm, 'Synced')?.status === 'False')
    expect(meanwhile.metadata.generation).toBe(asked.metadata.generation)
    expect(conditionOf(meanwhile, 'Reconciling')).toMatchObject({ status: 'True' })
    expect((await room.untilReady('power')).status?.state).toBe('stopped')
    expect(instanceOf(id)?.state).toBe('stopped')

    await room.change('power', { powerState: 'Running' })
    expect((await room.untilReady('power')).status).toMatchObject({ state: 'running', instanceID: id })
    await room.untilTold('power', 'Normal Stopping', 'Normal Starting')
  })

  it('changes its type while it is stopped, and says what to do while it runs', async () => {
    const room = await stage.room()
    const { id } = await readyVM(room, 'size')

    await room.change('size', { instanceType: 't3.large' })
    const drifted = await room.untilReason('size', 'StopRequired')
    expect(conditionOf(drifted, 'Drifted')).toMatchObject({ status: 'True', reason: 'InstanceType' })
    expect(conditionOf(drifted, 'Stalled')).toMatchObject({ status: 'True' })
    expect(conditionOf(drifted, 'Ready')?.message).toContain('set spec.powerState to Stopped')
    expect(instanceOf(id)).toMatchObject({ state: 'running', instanceType: 't3.micro' })

    await room.change('size', { powerState: 'Stopped' })
    await room.until('size', (vm) => isReady(vm) && vm.status?.instanceType === 't3.large')
    await room.change('size', { powerState: 'Running' })
    const larger = await room.untilReady('size')
    expect(conditionOf(larger, 'Drifted')).toMatchObject({ status: 'False' })
    expect(instanceOf(id)).toMatchObject({ state: 'running', instanceType: 't3.large' })
  })

  it('has the tags of its spec when they change, and puts back its own', async () => {
    const room = await stage.room()
    const { vm, id } = await readyVM(room, 'tagged', { tags: { team: 'a', tier: 'web' } })
    const tagsBecome = (tags: object, without: readonly string[] = []) =>
      eventually(() => {
        expect(instanceOf(id)?.tags).toMatchObject(tags)
        for (const key of without) expect(instanceOf(id)?.tags).not.toHaveProperty(key)
      })

    await room.change('tagged', { tags: { team: 'b', tier: null, owner: 'ann' } })
    await tagsBecome({ team: 'b', owner: 'ann' }, ['tier'])
    await room.untilReady('tagged')

    stage.sim.outside({ action: 'untag', ids: [id], keys: [instanceTags.vmUID, instanceTags.cluster, 'owner'] })
    stage.sim.outside({ action: 'tag', ids: [id], tags: { mine: 'kept' } })
    await tagsBecome({ [instanceTags.vmUID]: vm.metadata.uid, owner: 'ann', mine: 'kept' })
    await room.untilTold('tagged', 'Warning TagsRestored')
  })

  it('that is stopped outside is started again, and told', async () => {
    const room = await stage.room()
    const { id } = await readyVM(room, 'stopped-outside')

    stage.sim.outside({ action: 'stop', ids: [id] })

    await room.untilTold('stopped-outside', 'Warning StoppedOutside')
    await eventually(() => expect(instanceOf(id)?.state).toBe('running'))
    expect((await room.untilReady('stopped-outside')).status?.instanceID).toBe(id)
  })

  it('that is started or resized outside while it shall be stopped is put right', async () => {
    const room = await stage.room()
    const { id } = await readyVM(room, 'meddled', { powerState: 'Stopped' })

    stage.sim.outside({ action: 'start', ids: [id] })
    await room.untilTold('meddled', 'Warning StartedOutside')
    await room.until('meddled', (vm) => isReady(vm) && vm.status?.state === 'stopped')

    stage.sim.outside({ action: 'resize', ids: [id], instanceType: 't3.large' })
    await room.untilTold('meddled', 'Warning ResizedOutside')
    await room.until('meddled', (vm) => isReady(vm) && vm.status?.instanceType === 't3.micro')
  })

  it('that is terminated outside says so, and is made again only if its policy says that', async () => {
    const room = await stage.room()
    const [kept, replaced] = await Promise.all([
      readyVM(room, 'never'),
      readyVM(room, 'again', { replacePolicy: 'OnTermination' }),
    ])

    stage.sim.outside({ action: 'terminate', ids: [kept.id, replaced.id] })

    const gone = await room.untilReason('never', 'InstanceGone')
    expect(gone.status?.state).toBe('terminated')
    expect(conditionOf(gone, 'Ready')).toMatchObject({ status: 'False' })
    expect(conditionOf(gone, 'Stalled')?.message).toContain('replacePolicy')
    const next = await room.until('again', (vm) => isReady(vm) && vm.status?.instanceID !== replaced.id)
    expect(next.status?.incarnation).toBe(1)
    expect(instancesOf(kept.vm.metadata.uid)).toHaveLength(0)
    expect(instancesOf(next.metadata.uid).map(({ id }) => id)).toEqual([next.status?.instanceID])

    await room.change('never', { replacePolicy: 'OnTermination' })
    await room.until('never', (vm) => isReady(vm) && vm.status?.instanceID !== kept.id)
  })

  it('on the spot market tells that it was interrupted', async () => {
    const room = await stage.room()
    const { id } = await readyVM(room, 'spot', { marketType: 'Spot', replacePolicy: 'OnTermination' })
    expect(instanceOf(id)?.marketType).toBe('Spot')

    stage.sim.outside({ action: 'interrupt', ids: [id] })

    await room.untilTold('spot', 'Warning SpotInterrupted')
    await room.until('spot', (vm) => isReady(vm) && vm.status?.instanceID !== id)
  })

  it('takes over an instance that is nobody’s, and no other', async () => {
    const room = await stage.room()
    const [found] = stage.sim.outside({ action: 'launch', image: 'ami-12c6146b', tags: { old: 'tag' } })
    const adopt = { instanceID: found?.id ?? '' }

    const { vm } = await readyVM(room, 'owner', { adopt })
    expect(vm.status?.instanceID).toBe(found?.id)
    expect(instanceOf(found?.id)?.tags).toMatchObject({ old: 'tag', [instanceTags.vmUID]: vm.metadata.uid })
    await room.untilTold('owner', 'Normal InstanceAdopted')

    await room.create('thief', { adopt })
    const refused = await room.untilReason('thief', 'AdoptRefused')
    expect(conditionOf(refused, 'Stalled')?.message).toContain(`${room.namespace}/owner`)
    await room.create('dreamer', { adopt: { instanceID: 'i-0123456789abcdef0' } })
    await room.untilReason('dreamer', 'AdoptNotFound')

    await room.delete('thief')
    await room.untilGone('thief')
    expect(instanceOf(found?.id)?.state).toBe('running')
    await room.delete('owner')
    await room.untilGone('owner')
    expect(instanceOf(found?.id)?.state).toBe('terminated')
  })

  it('leaves its instance alone, without our tags, when its policy is Orphan', async () => {
    const room = await stage.room()
    const { id } = await readyVM(room, 'orphan', { deletionPolicy: 'Orphan', tags: { team: 'a' } })

    await room.delete('orphan')
    await room.untilGone('orphan')

    const left = instanceOf(id)
    expect(left?.state).toBe('running')
    expect(Object.keys(left?.tags ?? {}).sort()).toEqual(['Name', 'team'])
    const next = await readyVM(room, 'heir', { adopt: { instanceID: id } })
    expect(next.id).toBe(id)
  })

  it('says that it is paused and when it is looked after again; what it said before stands for the spec of before', async () => {
    const room = await stage.room()
    await readyVM(room, 'halted')
    const annotate = (value: string) =>
      stage.cluster.kubectl('annotate', 'vm', 'halted', '-n', room.namespace, `${annotations.paused}${value}`)

    await annotate('=true')
    await room.untilTold('halted', 'Normal Paused')
    await room.change('halted', { powerState: 'Stopped' })
    const halted = await room.until(
      'halted',
      (vm) => conditionOf(vm, 'Paused')?.observedGeneration === vm.metadata.generation,
    )
    expect(conditionOf(halted, 'Ready')).toMatchObject({ status: 'True', observedGeneration: 1 })
    expect(halted.status).toMatchObject({ observedGeneration: 1, state: 'running' })

    await annotate('-')
    expect((await room.untilReady('halted')).status?.state).toBe('stopped')
    await room.untilTold('halted', 'Normal Resumed')
    expect(conditionOf(await room.find('halted'), 'Paused')).toBeUndefined()
  })

  it('is left alone while it is paused, its deletion included', async () => {
    const room = await stage.room()
    const { id } = await readyVM(room, 'paused')
    const annotate = (value: string) =>
      stage.cluster.kubectl(
        'annotate',
        'vm',
        'paused',
        `--namespace=${room.namespace}`,
        `${annotations.paused}${value}`,
      )

    await annotate('=true')
    await room.until('paused', (vm) => conditionOf(vm, 'Paused')?.status === 'True')
    await room.change('paused', { powerState: 'Stopped' })
    await room.delete('paused')
    const neighbour = await readyVM(room, 'neighbour') // long enough for anything to happen
    expect(neighbour.id).not.toBe(id)
    expect(instanceOf(id)?.state).toBe('running')

    await annotate('-')
    await room.untilGone('paused')
    expect(instanceOf(id)?.state).toBe('terminated')
  })

  it('waits for its user data, and gets none from a Secret that a Credential uses', async () => {
    const room = await stage.room()
    await room.putSecret('key-like', { 'user-data': 'x' }, 'skyclust.io/other')
    await Promise.all([
      room.create('early', { userDataSecretRef: { name: 'late' } }),
      room.create('curious', { userDataSecretRef: { name: 'main' } }),
      room.create('typed', { userDataSecretRef: { name: 'key-like' } }),
    ])

    const refused = await room.untilReason('curious', 'UserDataRefused')
    expect(conditionOf(refused, 'Stalled')?.message).toContain('belongs to a Credential')
    await room.untilReason('typed', 'UserDataRefused')
    await room.untilReason('early', 'UserDataMissing')

    await room.putSecret('late', { 'user-data': 'hello' })
    await room.untilReady('early')
    expect(instancesOf(refused.metadata.uid)).toHaveLength(0)
  })

  it('keeps what cannot be changed, and says what to do instead', async () => {
    const room = await stage.room()
    await room.create('fixed', { zone: 'sim-1a' })
    const changes = {
      image: 'ami-2',
      zone: 'sim-1b',
      region: 'sim-2',
      provider: 'aws',
      credentialRef: { name: 'other' },
      marketType: 'Spot',
      network: { publicIP: false },
      rootDisk: { sizeGiB: 99 },
      sshKeyName: 'other',
      adopt: { instanceID: 'i-1' },
    }
    for (const [field, value] of Object.entries(changes)) {
      await expect(room.change('fixed', { [field]: value })).rejects.toThrow(
        new RegExp(`spec\\.${field}.*(cannot be changed|immutable).*delete this VM and make another one`),
      )
    }
  })

  it('is written to at most four times on its way to Ready, and not at all in quiet', async () => {
    const room = await stage.room()
    await room.create('counted')
    const versions = new Set<string>()
    const vm = await room.until('counted', (seen) => {
      versions.add(seen.metadata.resourceVersion)
      return isReady(seen)
    })
    expect(managers(vm)).toEqual(['skyclust-controller', 'test'])

    await readyVM(room, 'another')
    await readyVM(room, 'and-another')
    expect((await room.find('counted'))?.metadata.resourceVersion).toBe(vm.metadata.resourceVersion)
  })
})

/** Whose writes it has. */
function managers({ metadata }: { readonly metadata: object }): string[] {
  const { managedFields = [] } = metadata as { readonly managedFields?: { readonly manager: string }[] }
  return [...new Set(managedFields.map(({ manager }) => manager))].sort()
}
