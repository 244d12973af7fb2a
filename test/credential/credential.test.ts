/** Credentials, with the controller as a process and the simulated cloud: accepted, rejected, rotated, needed, let go. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Credential, credentialKind } from '../../crds/credential.ts'
import { annotations, finalizers } from '../../crds/names.ts'
import { namespaceType, secretType } from '../../kube/builtin-types.ts'
import { find } from '../../kube/find.ts'
import { conditionOf, eventually, isReady, type Room } from '../vm/room.ts'
import { openStage, type Stage } from '../vm/stage.ts'

let stage: Stage

beforeAll(async () => {
  stage = await openStage({ env: { SKYCLUST_PROVIDERS: 'aws,sim' } })
})
afterAll(() => stage?.[Symbol.asyncDispose]())

const readyReason = (reason: string) => (credential: Credential) => conditionOf(credential, 'Ready')?.reason === reason
const secretOf = (room: Room, name = 'main') =>
  find(stage.administrator, secretType, { namespace: room.namespace, name })
const credentialOf = (room: Room, name = 'main') =>
  find(stage.administrator, credentialKind, { namespace: room.namespace, name })
const stateOf = (id: string | undefined) => stage.sim.instances({ state: 'all' }).find((one) => one.id === id)?.state

/** The cloud accepts this key no longer. */
function revoke(accessKey: string): void {
  stage.sim.configure({ rejectedAccessKeys: [...stage.sim.settings.rejectedAccessKeys, accessKey] })
}

describe.concurrent('a Credential', () => {
  it('is Ready once the cloud has accepted it, and says who it is', async () => {
    const room = await stage.room()

    const credential = await room.untilCredential(readyReason('Accepted'))

    expect(credential.status).toMatchObject({ account: '123456789012', observedGeneration: 1 })
    expect(credential.status?.identity).toContain('123456789012')
    expect(credential.metadata.finalizers).toEqual([finalizers.credential])
    expect((await secretOf(room))?.metadata.finalizers).toEqual([finalizers.credential])
  })

  it('that the cloud rejects says so in its words, holds its VMs back, and is tried again when the Secret changes', async () => {
    const room = await stage.room({ key: { access_key: 'bad-key' }, accepted: false })
    await room.create('waiting')

    const rejected = await room.untilCredential(readyReason('Rejected'))
    expect(conditionOf(rejected, 'Ready')).toMatchObject({ status: 'False' })
    expect(conditionOf(rejected, 'Stalled')?.message).toMatch(/The cloud says: .*not able to validate/)
    const held = await room.untilReason('waiting', 'Rejected')
    expect(conditionOf(held, 'Stalled')?.message).toMatch(/not able to validate/)

    await room.putSecret('main', { access_key: 'good', secret_key: 'good' })
    await room.untilCredential(readyReason('Accepted'))
    await room.untilReady('waiting')
  })

  it('uses another key as soon as it is in the Secret, and never the old one again', async () => {
    const room = await stage.room({ key: { access_key: 'first-key' } })
    await room.create('kept')
    const { status } = await room.untilReady('kept')

    await room.putSecret('main', { access_key: 'second-key', secret_key: 'new' })
    await room.untilTold('main', 'Normal Rotated')
    revoke('first-key')

    await room.change('kept', { powerState: 'Stopped' })
    const stopped = await room.until('kept', (vm) => isReady(vm) && vm.status?.state === 'stopped')
    expect(stopped.status?.instanceID).toBe(status?.instanceID)
  })

  it('whose key is revoked is found out by the first call that it makes, and heals with another one', async () => {
    const room = await stage.room({ key: { access_key: 'revoked-key' } })
    await room.create('stranded')
    await room.untilReady('stranded')

    revoke('revoked-key')
    await room.change('stranded', { powerState: 'Stopped' })

    await room.untilCredential(readyReason('Rejected'))
    const blind = await room.until('stranded', (vm) => conditionOf(vm, 'Ready')?.status === 'Unknown')
    expect(conditionOf(blind, 'Stalled')).toMatchObject({ status: 'True', reason: 'Rejected' })

    await room.putSecret('main', { access_key: 'healing-key', secret_key: 'new' })
    await room.until('stranded', (vm) => isReady(vm) && vm.status?.state === 'stopped')
  })

  it('that is deleted stays, works on, and says who needs it, until nobody does', async () => {
    const room = await stage.room()
    await Promise.all([room.create('web-1'), room.create('web-2')])
    const [{ status }] = await Promise.all([room.untilReady('web-1'), room.untilReady('web-2')])

    await stage.administrator.delete(credentialKind, { namespace: room.namespace, name: 'main' })
    await room.delete('web-2')

    const held = await room.untilCredential((one) => conditionOf(one, 'InUse')?.message.includes('VM web-2') === false)
    expect(conditionOf(held, 'InUse')).toMatchObject({ status: 'True', message: expect.stringContaining('VM web-1') })
    await room.change('web-1', { powerState: 'Stopped' })
    await room.until('web-1', (vm) => isReady(vm) && vm.status?.state === 'stopped')
    await room.create('too-late')
    await room.untilReason('too-late', 'CredentialDeleting')

    await Promise.all([room.delete('web-1'), room.delete('too-late')])
    await room.untilGone('web-1')
    expect(stateOf(status?.instanceID)).toBe('terminated')
    await eventually(async () => expect(await credentialOf(room)).toBeUndefined())
    const secret = await secretOf(room)
    expect(secret?.metadata.finalizers ?? []).toEqual([])
  })

  it('keeps its key while its namespace is deleted, until its instances are terminated', async () => {
    const room = await stage.room()
    await room.create('web-1')
    const { status } = await room.untilReady('web-1')

    await stage.administrator.delete(namespaceType, { name: room.namespace })

    await eventually(async () =>
      expect(await find(stage.administrator, namespaceType, { name: room.namespace })).toBeUndefined(),
    )
    expect(stateOf(status?.instanceID)).toBe('terminated')
  })

  it('says what is missing: the Secret, a key in it, the leave to be ambient', async () => {
    const room = await stage.room()
    const { namespace } = room
    await room.putSecret('half', { access_key: 'only' })
    const make = (name: string, spec: object) =>
      stage.administrator.create(credentialKind, {
        metadata: { namespace, name },
        spec: { provider: 'sim', region: 'sim-1', ...spec } as Credential['spec'],
      })
    await make('no-secret', { secretRef: { name: 'later' } })
    await make('half', { secretRef: { name: 'half' } })
    await make('ambient', { source: 'Ambient' })
    await make('gcp', { provider: 'gcp', region: 'europe-west1', secretRef: { name: 'later' } })
    const comesTo = (name: string, reason: string, words: RegExp) =>
      eventually(async () => {
        const ready = conditionOf(await credentialOf(room, name), 'Ready')
        expect(ready).toMatchObject({ status: 'False', reason })
        expect(ready?.message).toMatch(words)
      })

    await comesTo('no-secret', 'SecretMissing', /no Secret later/)
    await comesTo('half', 'SecretIncomplete', /secret_key/)
    await comesTo('ambient', 'AmbientNotAllowed', /SKYCLUST_AMBIENT_CREDENTIALS/)
    await comesTo('gcp', 'ProviderDisabled', /SKYCLUST_PROVIDERS/)

    await room.putSecret('later', { access_key: 'later', secret_key: 'later' })
    await eventually(async () =>
      expect(conditionOf(await credentialOf(room, 'no-secret'), 'Ready')).toMatchObject({ status: 'True' }),
    )
  })

  it('without a region is accepted, since its VMs may name theirs; one that does not says what is to be done', async () => {
    const room = await stage.room()
    const { namespace } = room
    const spec = { provider: 'sim', source: 'Secret', secretRef: { name: 'main' } } as const
    await stage.administrator.create(credentialKind, { metadata: { namespace, name: 'anywhere' }, spec })
    const credentialRef = { name: 'anywhere' }
    await Promise.all([
      room.create('here', { credentialRef, region: 'sim-2' }),
      room.create('where', { credentialRef }),
    ])

    expect((await room.untilReady('here')).status?.region).toBe('sim-2')
    const lost = conditionOf(await room.untilReason('where', 'RegionMissing'), 'Stalled')
    expect(lost?.message).toMatch(/Credential anywhere names a region: set spec\.region of the Credential/)

    const region = { region: 'sim-1' }
    await stage.administrator.patch(
      credentialKind,
      { namespace, ...credentialRef },
      { spec: region },
      { kind: 'merge' },
    )
    expect((await room.untilReady('where')).status?.region).toBe('sim-1')
  })

  it('that a VM names wrongly is named in the VM', async () => {
    const room = await stage.room()
    await room.create('lost', { credentialRef: { name: 'nowhere' } })
    await room.create('mixed', { provider: 'aws' })

    expect(conditionOf(await room.untilReason('lost', 'CredentialMissing'), 'Ready')?.message).toContain('nowhere')
    expect(conditionOf(await room.untilReason('mixed', 'ProviderMismatch'), 'Stalled')?.message).toContain('sim')
    await Promise.all(['lost', 'mixed'].map((name) => room.delete(name)))
    await Promise.all(['lost', 'mixed'].map((name) => room.untilGone(name)))
  })

  it('is left alone while it is paused, its deletion included', async () => {
    const room = await stage.room()
    const annotate = (value: string) =>
      stage.cluster.kubectl(
        ...['annotate', 'credential', 'main', `--namespace=${room.namespace}`, `${annotations.paused}${value}`],
      )

    await annotate('=true')
    await room.untilCredential((one) => conditionOf(one, 'Paused')?.status === 'True')
    await room.untilTold('main', 'Normal Paused')
    await stage.administrator.delete(credentialKind, { namespace: room.namespace, name: 'main' })
    const neighbour = await stage.room() // long enough for anything to happen
    expect(await credentialOf(neighbour)).toBeDefined()
    expect((await credentialOf(room))?.metadata.finalizers).toEqual([finalizers.credential])

    await annotate('-')
    await eventually(async () => expect(await credentialOf(room)).toBeUndefined())
  })

  it('is not written to in quiet', async () => {
    const room = await stage.room()
    const before = await room.untilCredential(readyReason('Accepted'))
    await room.create('somebody')
    await room.untilReady('somebody')
    expect((await credentialOf(room))?.metadata.resourceVersion).toBe(before.metadata.resourceVersion)
  })
})

it('shows nothing of what is in a Secret: not in objects, events, or the log', async () => {
  const room = await stage.room({
    key: { access_key: 'bad-visible', secret_key: 'ver7-Secret-value' },
    accepted: false,
  })
  await room.putSecret('boot', { 'user-data': 'ver7-Secret-value of user data' })
  await room.create('careful', { userDataSecretRef: { name: 'boot' } })
  await room.untilCredential(readyReason('Rejected'))
  await room.putSecret('main', { access_key: 'good-visible', secret_key: 'ver7-Secret-value' })
  await room.untilReady('careful')
  await room.untilTold('careful', 'Normal InstanceRunning')

  const shown = await stage.cluster.kubectl(
    ...['get', 'vms,credentials,events', `--namespace=${room.namespace}`, '--output=yaml'],
  )
  expect(shown).toContain('InstanceRunning')
  for (const text of [shown, ...stage.controller.lines]) expect(text).not.toContain('ver7-Secret-value')
})
