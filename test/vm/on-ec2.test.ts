/**
 * VMs on what speaks EC2: moto, with the controller as a process. moto does not honour client tokens and changes states at
 * once; that a difference is believed only after EC2's lag makes the changes from outside slow to be seen.
 */
import {
  CreateKeyPairCommand,
  DeleteTagsCommand,
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  DescribeSubnetsCommand,
  DescribeVolumesCommand,
  EC2Client,
  type Instance,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { instanceTags } from '../../crds/names.ts'
import { conditionOf, eventually, image, isReady, type Room, regions } from './room.ts'
import { openStage, type Stage } from './stage.ts'

let stage: Stage
let ec2: EC2Client

beforeAll(async () => {
  stage = await openStage({ moto: true })
  ec2 = new EC2Client({
    endpoint: stage.moto?.url ?? expect.fail('no moto'),
    region: regions.aws,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
})
afterAll(async () => {
  ec2?.destroy()
  await stage?.[Symbol.asyncDispose]()
})

async function instanceOf(id: string): Promise<Instance> {
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
  return Reservations[0]?.Instances?.[0] ?? expect.fail(`there is no instance ${id}`)
}

/** States of all that were ever made for the VM, by its tag. */
async function statesFor(uid: string): Promise<(string | undefined)[]> {
  const filter = { Name: `tag:${instanceTags.vmUID}`, Values: [uid] }
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ Filters: [filter] }))
  return Reservations.flatMap(({ Instances = [] }) => Instances.map(({ State }) => State?.Name))
}

async function tagsOf(id: string): Promise<Record<string, string | undefined>> {
  const { Tags = [] } = await instanceOf(id)
  return Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]))
}

async function readyVM(room: Room, name: string, spec: Parameters<Room['create']>[1] = {}) {
  await room.create(name, spec)
  const vm = await room.untilReady(name)
  return { vm, uid: vm.metadata.uid, id: vm.status?.instanceID ?? '' }
}

describe.concurrent('a VM on EC2', () => {
  it('is made with everything that its spec says', async () => {
    const room = await stage.room({ provider: 'aws' })
    await room.putSecret('boot', { 'user-data': '#!/bin/sh\necho hello\n' })
    const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({}))
    const subnet = Subnets.find(({ AvailabilityZone }) => AvailabilityZone === 'us-east-1b')
    await ec2.send(new CreateKeyPairCommand({ KeyName: 'laptop' }))

    const { vm, uid, id } = await readyVM(room, 'whole', {
      zone: 'us-east-1b',
      instanceType: 't3.large',
      network: { subnetID: subnet?.SubnetId ?? '', publicIP: true },
      rootDisk: { sizeGiB: 30, type: 'gp3' },
      sshKeyName: 'laptop',
      userDataSecretRef: { name: 'boot' },
      tags: { team: 'a' },
    })

    const made = await instanceOf(id)
    expect(made).toMatchObject({
      InstanceType: 't3.large',
      ImageId: image,
      KeyName: 'laptop',
      SubnetId: subnet?.SubnetId,
      Placement: { AvailabilityZone: 'us-east-1b' },
    })
    expect(vm.status).toMatchObject({
      state: 'running',
      zone: 'us-east-1b',
      instanceType: 't3.large',
      privateIP: made.PrivateIpAddress,
      publicIP: made.PublicIpAddress,
      account: '123456789012',
    })
    expect(await tagsOf(id)).toMatchObject({ Name: 'whole', team: 'a', [instanceTags.vmUID]: uid })
    const volumes = await ec2.send(
      new DescribeVolumesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [id] }] }),
    )
    expect(volumes.Volumes).toMatchObject([{ Size: 30, VolumeType: 'gp3' }])
    const { UserData } = await ec2.send(new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute: 'userData' }))
    expect(Buffer.from(UserData?.Value ?? '', 'base64').toString()).toBe('#!/bin/sh\necho hello\n')
  })

  it('stops, changes its type, starts, and is terminated before it goes', async () => {
    const room = await stage.room({ provider: 'aws' })
    const { id, uid } = await readyVM(room, 'lifecycle')

    await room.change('lifecycle', { powerState: 'Stopped' })
    expect((await room.untilReady('lifecycle')).status?.state).toBe('stopped')
    await room.change('lifecycle', { instanceType: 't3.large' })
    await room.untilReady('lifecycle')
    await room.change('lifecycle', { powerState: 'Running' })
    expect((await room.untilReady('lifecycle')).status).toMatchObject({ state: 'running', instanceType: 't3.large' })
    expect(await instanceOf(id)).toMatchObject({ State: { Name: 'running' }, InstanceType: 't3.large' })

    await room.delete('lifecycle')
    await room.untilGone('lifecycle')
    expect(await statesFor(uid)).toEqual(['terminated'])
  })

  it('has the tags of its spec when they change, and its own when somebody takes them', async () => {
    const room = await stage.room({ provider: 'aws' })
    const { id, uid } = await readyVM(room, 'tagged', { tags: { team: 'a', tier: 'web' } })

    await room.change('tagged', { tags: { team: 'b', tier: null } })
    await room.untilTold('tagged', 'Normal TagsSet', 'Normal TagsRemoved')
    const changed = await tagsOf(id)
    expect(changed).toMatchObject({ team: 'b' })
    expect(changed).not.toHaveProperty('tier')
    await room.untilReady('tagged')

    await ec2.send(new DeleteTagsCommand({ Resources: [id], Tags: [{ Key: instanceTags.vmUID }] }))
    await room.untilTold('tagged', 'Warning TagsRestored')
    expect(await tagsOf(id)).toMatchObject({ [instanceTags.vmUID]: uid })
  })

  it('that is stopped outside is started again', async () => {
    const room = await stage.room({ provider: 'aws' })
    const { id } = await readyVM(room, 'stopped-outside')

    await ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))

    await room.untilTold('stopped-outside', 'Warning StoppedOutside')
    await room.untilReady('stopped-outside')
    await eventually(async () => expect((await instanceOf(id)).State?.Name).toBe('running'))
  })

  it('that is terminated outside is made again if its policy says so, and else tells it', async () => {
    const room = await stage.room({ provider: 'aws' })
    const [kept, replaced] = await Promise.all([
      readyVM(room, 'never'),
      readyVM(room, 'again', { replacePolicy: 'OnTermination' }),
    ])

    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [kept.id, replaced.id] }))

    await room.untilReason('never', 'InstanceGone')
    await room.until('again', (vm) => isReady(vm) && vm.status?.instanceID !== replaced.id)
    expect(await statesFor(kept.uid)).toEqual(['terminated'])
    expect((await statesFor(replaced.uid)).filter((state) => state === 'running')).toHaveLength(1)
  })

  it('is a Spot instance when its spec says so', async () => {
    const room = await stage.room({ provider: 'aws' })
    const { id } = await readyVM(room, 'spot', { marketType: 'Spot' })
    expect(await instanceOf(id)).toMatchObject({ InstanceLifecycle: 'spot' })
  })

  it('takes over an instance that is nobody’s, and leaves it when its policy is Orphan', async () => {
    const room = await stage.room({ provider: 'aws' })
    const launched = await ec2.send(
      new RunInstancesCommand({ ImageId: image, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 }),
    )
    const instanceID = launched.Instances?.[0]?.InstanceId ?? ''

    const { uid } = await readyVM(room, 'owner', { adopt: { instanceID }, deletionPolicy: 'Orphan' })
    expect(await tagsOf(instanceID)).toMatchObject({ [instanceTags.vmUID]: uid, Name: 'owner' })
    await room.create('thief', { adopt: { instanceID } })
    const refused = await room.untilReason('thief', 'AdoptRefused')
    expect(conditionOf(refused, 'Stalled')?.message).toContain(`${room.namespace}/owner`)
    await room.delete('thief')
    await room.untilGone('thief')

    await room.delete('owner')
    await room.untilGone('owner')
    expect((await instanceOf(instanceID)).State?.Name).toBe('running')
    expect(await tagsOf(instanceID)).toEqual({ Name: 'owner' })
  })

  it('with an image or a type that does not exist says so in EC2’s words, and makes nothing', async () => {
    const room = await stage.room({ provider: 'aws' })
    await room.create('bad-type', { instanceType: 't3.enormous' })
    const refused = await room.untilReason('bad-type', 'InvalidSpec')
    expect(conditionOf(refused, 'Stalled')?.message).toContain('t3.enormous')
    expect(await statesFor(refused.metadata.uid)).toEqual([])

    await room.delete('bad-type')
    await room.untilGone('bad-type')
  })
})
