/**
 * VMs on what speaks Compute Engine, with the controller as a process. That a difference is believed only after the lag that
 * Google is allowed makes the changes from outside slow to be seen.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { type Gce, OUTSIDER } from '../gce/gce-server.ts'
import type { StoredInstance } from '../gce/project.ts'
import { conditionOf, eventually, isReady, type Room } from './room.ts'
import { openStage, type Stage } from './stage.ts'

let stage: Stage
let gce: Gce

beforeAll(async () => {
  stage = await openStage({ gce: { insertMs: 1_000 } })
  gce = stage.gce ?? expect.fail('no Compute Engine')
})
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]()
})

function room(): Promise<Room> {
  return stage.room({ provider: 'gcp', key: { service_account_key: gce.accounts.keyFile() } })
}

/** All that carry the VM's label. */
function instancesOf(uid: string): readonly StoredInstance[] {
  return gce.instances().filter(({ labels }) => labels?.['skyclust-vm-uid'] === uid)
}

function instanceOf(id: string): StoredInstance {
  return gce.instances().find((instance) => instance.id === id) ?? expect.fail(`there is no instance ${id}`)
}

function placeOf({ zone, id }: StoredInstance) {
  return [{ ...OUTSIDER, zone: zone.slice(zone.lastIndexOf('/') + 1) }, id] as const
}

async function readyVM(room: Room, name: string, spec: Parameters<Room['create']>[1] = {}) {
  await room.create(name, spec)
  const vm = await room.untilReady(name)
  return { vm, uid: vm.metadata.uid, id: vm.status?.instanceID ?? '' }
}

/** A change from outside is believed only after the lag, once for each. */
const patience = { timeout: 300_000 }

describe.concurrent('a VM on Compute Engine', patience, () => {
  it('is made with everything that its spec says', async () => {
    const { create, untilReady, putSecret, namespace } = await room()
    await putSecret('boot', { 'user-data': '#!/bin/sh\necho hello\n' })

    await create('whole', {
      zone: 'us-central1-b',
      network: { subnetID: 'inner', securityGroupIDs: ['web'], publicIP: false },
      rootDisk: { sizeGiB: 30, type: 'pd-balanced' },
      userDataSecretRef: { name: 'boot' },
      instanceProfile: 'app@skyclust-test.iam.gserviceaccount.com',
      tags: { team: 'a' },
    })
    const vm = await untilReady('whole')

    const { uid } = vm.metadata
    expect(vm.status).toMatchObject({ state: 'running', zone: 'us-central1-b', publicIP: '', account: 'skyclust-test' })
    const made = instanceOf(vm.status?.instanceID ?? '')
    expect(made).toMatchObject({
      name: `skyclust-${uid}-0`,
      status: 'RUNNING',
      labels: { team: 'a', 'skyclust-vm-uid': uid, 'skyclust-vm': `${namespace}_whole`, 'skyclust-name': 'whole' },
      tags: { items: ['web'] },
      serviceAccounts: [{ email: 'app@skyclust-test.iam.gserviceaccount.com' }],
      networkInterfaces: [{ subnetwork: 'projects/skyclust-test/regions/us-central1/subnetworks/inner' }],
    })
    expect(made.metadata?.items).toContainEqual({ key: 'startup-script', value: '#!/bin/sh\necho hello\n' })
  })

  it('stops, changes its type, starts, and is deleted before it goes', async () => {
    const { create, change, untilReady, untilGone, delete: remove } = await room()
    await create('lifecycle')
    const { metadata, status } = await untilReady('lifecycle')
    const id = status?.instanceID ?? ''

    await change('lifecycle', { powerState: 'Stopped' })
    expect((await untilReady('lifecycle')).status?.state).toBe('stopped')
    await change('lifecycle', { instanceType: 'e2-standard-2' })
    await untilReady('lifecycle')
    await change('lifecycle', { powerState: 'Running' })
    expect((await untilReady('lifecycle')).status).toMatchObject({ state: 'running', instanceType: 'e2-standard-2' })
    expect(instanceOf(id)).toMatchObject({ status: 'RUNNING' })

    await remove('lifecycle')
    await untilGone('lifecycle')
    expect(instancesOf(metadata.uid)).toEqual([])
  })

  it('has the labels of its spec when they change, and its own when somebody takes them', async () => {
    const here = await room()
    const { id, uid } = await readyVM(here, 'labelled', { tags: { team: 'a', tier: 'web' } })

    await here.change('labelled', { tags: { team: 'b', tier: null } })
    await here.untilTold('labelled', 'Normal TagsSet', 'Normal TagsRemoved')
    expect(instanceOf(id).labels).toMatchObject({ team: 'b', 'skyclust-vm-uid': uid })
    expect(instanceOf(id).labels).not.toHaveProperty('tier')
    await here.untilReady('labelled')

    const { labelFingerprint } = instanceOf(id)
    gce.project.setLabels(...placeOf(instanceOf(id)), { labels: { mine: 'now' }, labelFingerprint })
    await here.untilTold('labelled', 'Warning TagsRestored')
    expect(instanceOf(id).labels).toMatchObject({ mine: 'now', team: 'b', 'skyclust-vm-uid': uid })
  })

  it('that is deleted outside is made again if its policy says so, and else tells who did it', async () => {
    const here = await room()
    const [kept, replaced] = await Promise.all([
      readyVM(here, 'never'),
      readyVM(here, 'again', { replacePolicy: 'OnTermination' }),
    ])

    for (const { id } of [kept, replaced]) gce.project.delete(...placeOf(instanceOf(id)))

    const gone = await here.untilReason('never', 'InstanceGone')
    expect(conditionOf(gone, 'Stalled')?.message).toContain('deleted by somebody@example.com')
    await here.until('again', (vm) => isReady(vm) && vm.status?.instanceID !== replaced.id)
    expect(instancesOf(kept.uid)).toEqual([])
    expect(instancesOf(replaced.uid)).toMatchObject([{ name: `skyclust-${replaced.uid}-1` }])
  })

  it('is a Spot instance, that is started again when Google stops it', async () => {
    const here = await room()
    const { id } = await readyVM(here, 'spot', { marketType: 'Spot' })
    expect(instanceOf(id)).toMatchObject({ scheduling: { provisioningModel: 'SPOT' } })

    gce.project.stop(...placeOf(instanceOf(id)), 'compute.instances.preempted')

    await here.untilTold('spot', 'Warning StoppedOutside')
    await eventually(() => expect(instanceOf(id).status).toBe('RUNNING'))
  })

  it('takes over an instance that is nobody’s, by its name and before anybody else, and leaves it when its policy is Orphan', async () => {
    const here = await room()
    const call = { ...OUTSIDER, zone: 'us-central1-c' }
    const launched = gce.project.insert(call, {
      name: 'by-hand',
      machineType: 'zones/us-central1-c/machineTypes/e2-micro',
      disks: [
        { boot: true, initializeParams: { sourceImage: 'projects/debian-cloud/global/images/family/debian-12' } },
      ],
      networkInterfaces: [{ network: 'global/networks/default' }],
    })
    const instanceID = launched.targetId ?? ''

    const { uid, id } = await readyVM(here, 'owner', {
      adopt: { instanceID: 'us-central1-c/by-hand' },
      deletionPolicy: 'Orphan',
    })
    expect(id).toBe(instanceID)
    await here.create('rival', { adopt: { instanceID } })
    expect(conditionOf(await here.untilReason('rival', 'AdoptRefused'), 'Ready')?.message).toContain('/owner')
    await here.delete('rival')
    await here.untilGone('rival')
    expect(instanceOf(instanceID).labels).toMatchObject({ 'skyclust-vm-uid': uid, 'skyclust-name': 'owner' })

    await here.delete('owner')
    await here.untilGone('owner')
    expect(instanceOf(instanceID)).toMatchObject({ status: 'RUNNING', labels: { 'skyclust-name': 'owner' } })
    expect(instanceOf(instanceID).labels).not.toHaveProperty('skyclust-vm-uid')
  })

  it('with an image that does not exist says so in Google’s words, and makes nothing', async () => {
    const here = await room()
    await here.create('bad-image', { image: 'bad-image' })

    const refused = await here.untilReason('bad-image', 'InvalidSpec')

    expect(conditionOf(refused, 'Stalled')?.message).toContain('The referenced image resource cannot be found.')
    expect(instancesOf(refused.metadata.uid)).toEqual([])
  })
})

describe('the example of Google Cloud', patience, () => {
  it('comes up with kubectl apply, once a key stands where it says so, and goes with its workspace', async () => {
    const { kubectl, kubectlWith } = stage.cluster
    const examples = join(import.meta.dirname, '../../examples')
    const inTeam = '--namespace=team-a'
    await kubectl('apply', '-f', join(examples, '1-workspace.yaml'), '-f', join(examples, 'gcp'))
    await kubectl('wait', '--for=condition=Stalled', 'credential/gcp-main', inTeam, '--timeout=120s')
    expect(await kubectl('get', 'credential', 'gcp-main', inTeam, '--output=yaml')).toContain('SecretInvalid')

    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'gcp-main', namespace: 'team-a' } }
    const stringData = { service_account_key: gce.accounts.keyFile() }
    await kubectlWith(stringify({ ...secret, stringData }), 'apply', '-f', '-')
    await kubectl('wait', '--for=condition=Ready', 'vm/web-3', inTeam, '--timeout=120s')
    const { metadata, status } = JSON.parse(await kubectl('get', 'vm', 'web-3', inTeam, '--output=json'))
    expect(instancesOf(metadata.uid)).toMatchObject([{ id: status.instanceID, status: 'RUNNING' }])

    await kubectl('delete', 'workspace', 'team-a', '--timeout=120s')
    expect(instancesOf(metadata.uid)).toEqual([])
  })
})

describe('a create on Compute Engine', patience, () => {
  it('goes to the next zone when one has no room, and never makes two', async () => {
    const here = await room()
    gce.settings.fullZones = ['us-central1-a', 'us-central1-b']

    const { uid, vm } = await readyVM(here, 'elsewhere')

    expect(vm.status?.zone).toBe('us-central1-c')
    expect(instancesOf(uid)).toHaveLength(1)
  })

  it('goes to the next zone when one does not have its type, and says so when none has', async () => {
    const here = await room()
    gce.settings.typesInZones = { 'c3-rare': ['us-central1-c'], 'c3-none': [] }

    await Promise.all([
      here.create('rare', { instanceType: 'c3-rare' }),
      here.create('none', { instanceType: 'c3-none' }),
    ])
    const { metadata, status } = await here.untilReady('rare')
    const refused = await here.untilReason('none', 'InvalidSpec')
    gce.settings.typesInZones = {}

    expect(status?.zone).toBe('us-central1-c')
    expect(instancesOf(metadata.uid)).toHaveLength(1)
    expect(conditionOf(refused, 'Stalled')?.message).toContain(
      "Machine type with name 'c3-none' does not exist in zone",
    )
    expect(instancesOf(refused.metadata.uid)).toEqual([])
  })

  it('is not repeated when lists cannot reach the zone of the instance: that it is missing says nothing', async () => {
    const here = await room()
    const { uid, vm } = await readyVM(here, 'unreachable', { replacePolicy: 'OnTermination' })
    const listings = () => gce.calls.filter((action) => action === 'instances.aggregatedList').length
    gce.settings.unreachableZones = [vm.status?.zone ?? '']
    const before = listings()

    await eventually(() => expect(listings()).toBeGreaterThan(before + 3))
    const [instance, ...others] = instancesOf(uid)
    gce.settings.unreachableZones = []

    expect(others).toEqual([])
    expect(instance?.id).toBe(vm.status?.instanceID)
    expect((await here.find('unreachable'))?.status).toMatchObject({ instanceID: instance?.id, state: 'running' })
  })

  it('says so when no zone has room, and makes nothing', async () => {
    const here = await room()
    gce.settings.fullZones = ['us-central1-a', 'us-central1-b', 'us-central1-c']

    await here.create('nowhere')
    const vm = await here.untilReason('nowhere', 'InsufficientCapacity')
    gce.settings.fullZones = []

    expect(conditionOf(vm, 'Stalled')?.message).toContain('does not have enough resources available')
    expect(instancesOf(vm.metadata.uid)).toEqual([])
  })

  it('makes one when its answer is lost', async () => {
    const here = await room()
    gce.faults.push({ action: 'instances.insert', count: 1, effect: 'done', answer: 'lost' })

    const { uid } = await readyVM(here, 'unanswered')

    expect(instancesOf(uid)).toHaveLength(1)
  })
})
