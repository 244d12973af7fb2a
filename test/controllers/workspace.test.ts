import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { credentialKind } from '../../crds/credential.ts'
import { annotations, finalizers, kubernetesUser, labels, usersGroup } from '../../crds/names.ts'
import { vmKind } from '../../crds/vm.ts'
import { type Workspace, workspaceKind } from '../../crds/workspace.ts'
import {
  clusterRoleType,
  configMapType,
  eventType,
  namespaceType,
  roleBindingType,
  secretType,
} from '../../kube/builtin-types.ts'
import { comesTo, outcome } from '../rbac/acting.ts'
import { dieAtEachWrite } from './dying.ts'
import { type Controllers, readyOf, type Workbench, workbench } from './workbench.ts'

let bench: Workbench
let controllers: Controllers
let count = 0
/** Of this test's workspace. */
let name: string

beforeAll(async () => {
  bench = await workbench()
})
afterAll(() => bench?.[Symbol.asyncDispose]())
beforeEach(async () => {
  count += 1
  name = `team-${count}`
  controllers = await bench.start()
})
afterEach(() => controllers.stop())

const as = (user: string, ...groups: string[]) =>
  bench.administrator.as({ username: kubernetesUser(user), groups: [usersGroup, ...groups] })
const make = (spec: Partial<Workspace['spec']> = {}) =>
  bench.administrator.create(workspaceKind, { metadata: { name }, spec: { owner: 'alice', ...spec } })
const change = (spec: object) => bench.administrator.patch(workspaceKind, { name }, { spec }, { kind: 'merge' })
const remove = () => bench.administrator.delete(workspaceKind, { name })
const ready = (reason = 'NamespaceReady') => bench.untilReady(workspaceKind, { name }, reason)
const gone = (object: unknown) => object === undefined
const vm = (vmName: string, ...own: string[]) => ({
  metadata: { namespace: name, name: vmName, finalizers: own },
  spec: { provider: 'sim', credentialRef: { name: 'sim' }, instanceType: 'small', image: 'linux' } as const,
})

describe('a new Workspace', () => {
  it('gets a Namespace of its name and says where it is', async () => {
    await make()

    const workspace = await ready()
    const namespace = await bench.administrator.get(namespaceType, { name })
    expect(namespace.metadata.labels).toMatchObject({ [labels.managedBy]: 'skyclust', [labels.workspace]: name })
    expect(workspace.status).toMatchObject({
      namespace: name,
      namespaceUID: namespace.metadata.uid,
      observedGeneration: 1,
    })
    expect(workspace.status?.conditions?.map(({ type }) => type)).toEqual(['Ready'])
  })

  it('lets each of its people do what their role says, and nobody else anything', async () => {
    await make({
      members: [
        { user: 'ann', role: 'admin' },
        { user: 'bob', role: 'member' },
        { user: 'vic', role: 'viewer' },
      ],
      groups: [{ group: 'platform', role: 'member' }],
    })
    await ready()
    await comesTo(/^allowed$/, () => as('vic').list(vmKind, { namespace: name }))

    const credential = (by: string) => ({
      metadata: { namespace: name, name: by },
      spec: { provider: 'sim', source: 'Ambient' } as const,
    })
    expect(await outcome(as('alice').create(credentialKind, credential('alice')))).toBe('allowed')
    expect(await outcome(as('ann').create(credentialKind, credential('ann')))).toBe('allowed')
    expect(await outcome(as('bob').create(credentialKind, credential('bob')))).toMatch(/cannot create/)
    expect(await outcome(as('bob').create(vmKind, vm('bobs')))).toBe('allowed')
    expect(await outcome(as('eve', 'platform').create(vmKind, vm('eves')))).toBe('allowed')
    expect(await outcome(as('eve').list(vmKind, { namespace: name }))).toMatch(/cannot list/)
    expect(await outcome(as('vic').create(vmKind, vm('vics')))).toMatch(/cannot create/)
  })

  it('may be read by its people, changed by its admins, deleted by its owner', async () => {
    await make({
      members: [
        { user: 'ann', role: 'admin' },
        { user: 'vic', role: 'viewer' },
      ],
    })
    await ready()
    await comesTo(/^allowed$/, () => as('vic').get(workspaceKind, { name }))
    const describeIt = (who: string) =>
      outcome(as(who).patch(workspaceKind, { name }, { spec: { description: who } }, { kind: 'merge' }))

    expect(await outcome(as('eve').get(workspaceKind, { name }))).toMatch(/cannot get/)
    expect(await describeIt('vic')).toMatch(/cannot patch/)
    expect(await describeIt('ann')).toBe('allowed')
    expect(await outcome(as('ann').delete(workspaceKind, { name }))).toMatch(/cannot delete/)
    expect(await outcome(as('alice').delete(workspaceKind, { name }))).toBe('allowed')
  })

  it('holds to its quota', async () => {
    await make({ quota: { vms: 1 } })
    await ready()
    // The quota controller learns of kinds every 30 s, and looks at a quota again when its spec is another one.
    let tofuRuns = 1
    await vi.waitFor(
      async () => {
        await change({ quota: { vms: 1, tofuRuns: tofuRuns++ } })
        const used = await bench.cluster.kubectl(
          'get',
          'resourcequota',
          'skyclust',
          '-n',
          name,
          '-o',
          'jsonpath={.status.used}',
        )
        expect(used).toContain('"count/vms.skyclust.io":"0"')
      },
      { timeout: 180_000, interval: 1_000 },
    )

    await comesTo(/^allowed$/, () => bench.administrator.create(vmKind, vm('first')))
    expect(await outcome(bench.administrator.create(vmKind, vm('second')))).toMatch(/exceeded quota: skyclust/)

    await change({ quota: null })
    await comesTo(/^allowed$/, () => bench.administrator.create(vmKind, vm('second')))
  })
})

describe('a Namespace of that name that is there already', () => {
  it('is taken when it says whose it is, and stays when the Workspace goes, without its roles', async () => {
    await bench.administrator.create(namespaceType, { metadata: { name, labels: { [labels.workspace]: name } } })
    await make()
    await ready()
    expect(await outcome(bench.administrator.get(roleBindingType, { namespace: name, name: 'skyclust-admin' }))).toBe(
      'allowed',
    )

    await remove()

    await bench.until(workspaceKind, { name }, gone)
    await bench.until(roleBindingType, { namespace: name, name: 'skyclust-admin' }, gone)
    expect((await bench.administrator.get(namespaceType, { name })).metadata.deletionTimestamp).toBeUndefined()
  })

  it('is not touched when it does not, until it does', async () => {
    const before = await bench.administrator.create(namespaceType, { metadata: { name } })
    await make()

    const workspace = await ready('NamespaceTaken')
    expect(readyOf(workspace)?.message).toContain(`label it skyclust.io/workspace=${name}`)
    expect(workspace.status?.namespace).toBeUndefined()
    expect((await bench.administrator.get(namespaceType, { name })).metadata.labels).toEqual(before.metadata.labels)
    expect((await bench.administrator.list(roleBindingType, { namespace: name })).items).toEqual([])

    await bench.cluster.kubectl('label', 'namespace', name, `${labels.workspace}=${name}`)
    await ready()
  })

  it('keeps what is in it when a Workspace that never had it is deleted', async () => {
    await bench.administrator.create(namespaceType, { metadata: { name } })
    await bench.administrator.create(vmKind, vm('somebody-elses'))
    await make()
    await ready('NamespaceTaken')

    await remove()

    await bench.until(workspaceKind, { name }, gone)
    expect(
      (await bench.administrator.get(vmKind, { namespace: name, name: 'somebody-elses' })).metadata.deletionTimestamp,
    ).toBeUndefined()
  })
})

describe('a change', () => {
  it('of the members is felt by them', async () => {
    await make({ members: [{ user: 'bob', role: 'member' }] })
    await ready()
    await comesTo(/^allowed$/, () => as('bob').list(vmKind, { namespace: name }))

    await change({ members: [{ user: 'vic', role: 'viewer' }] })

    await comesTo(/^allowed$/, () => as('vic').list(vmKind, { namespace: name }))
    await comesTo(/cannot list/, () => as('bob').list(vmKind, { namespace: name }))
    await comesTo(/cannot get/, () => as('bob').get(workspaceKind, { name }))
  })

  it('of the bindings by a cluster administrator is left alone, until the spec is another one', async () => {
    await make({ members: [{ user: 'bob', role: 'member' }] })
    await ready()
    const key = { namespace: name, name: 'skyclust-member' }
    await bench.administrator.delete(roleBindingType, key)
    await controllers.stop()
    controllers = await bench.start()

    await bench.administrator.patch(
      workspaceKind,
      { name },
      { metadata: { labels: { touched: 'yes' } } },
      { kind: 'merge' },
    )
    await controllers.idle()
    expect(await outcome(bench.administrator.get(roleBindingType, key))).toMatch(/not found/)

    await change({ description: 'Bob is back' })
    await bench.until(roleBindingType, key, (binding) => binding !== undefined)
  })

  it('of the Namespace for another one binds the roles anew', async () => {
    await make()
    const before = await ready()
    await bench.administrator.delete(namespaceType, { name })

    await bench.until(
      workspaceKind,
      { name },
      (one) => one?.status?.namespaceUID !== undefined && one.status.namespaceUID !== before.status?.namespaceUID,
    )
    expect(await outcome(bench.administrator.get(roleBindingType, { namespace: name, name: 'skyclust-admin' }))).toBe(
      'allowed',
    )
  })
})

describe('a Workspace that is deleted', () => {
  it('waits for its VMs, then for its Credentials, then for the Namespace', async () => {
    await make()
    await ready()
    await bench.administrator.create(vmKind, vm('web', finalizers.vm))
    await bench.administrator.create(credentialKind, {
      metadata: { namespace: name, name: 'sim', finalizers: ['test/hold'] },
      spec: { provider: 'sim', source: 'Ambient' },
    })

    await remove()

    const waiting = await ready('Deleting')
    expect(readyOf(waiting)?.message).toBe('It is being deleted, and waits for VM web.')
    await bench.until(vmKind, { namespace: name, name: 'web' }, (one) => one?.metadata.deletionTimestamp !== undefined)
    const credential = { namespace: name, name: 'sim' }
    expect((await bench.administrator.get(credentialKind, credential)).metadata.deletionTimestamp).toBeUndefined()

    await letGo(vmKind, 'web')
    await bench.until(workspaceKind, { name }, (one) => readyOf(one)?.message.includes('Credential sim') ?? false)
    expect((await bench.administrator.get(namespaceType, { name })).metadata.deletionTimestamp).toBeUndefined()

    await letGo(credentialKind, 'sim')
    await bench.until(workspaceKind, { name }, gone)
    expect(await outcome(bench.administrator.get(namespaceType, { name }))).toMatch(/not found/)
  })

  it('says what keeps the Namespace, and waits for that too', async () => {
    await make()
    await ready()
    const metadata = { namespace: name, name: 'stuck', finalizers: ['example.com/busy'] }
    await bench.administrator.create(configMapType, { metadata })

    await remove()

    await bench.until(workspaceKind, { name }, (one) => readyOf(one)?.message.includes('example.com/busy') ?? false)
    await letGo(configMapType, 'stuck')
    await bench.until(workspaceKind, { name }, gone)
  })

  it('takes its roles with it', async () => {
    await make()
    await ready()
    const key = { name: `skyclust-workspace-${name}-owner` }
    expect(await outcome(bench.administrator.get(clusterRoleType, key))).toBe('allowed')

    await remove()
    await bench.until(clusterRoleType, key, gone)
  })

  async function letGo(
    type: typeof vmKind | typeof credentialKind | typeof configMapType,
    object: string,
  ): Promise<void> {
    const key = { namespace: name, name: object }
    await bench.administrator.patch(
      type as typeof configMapType,
      key,
      { metadata: { finalizers: null } },
      { kind: 'merge' },
    )
  }
})

describe('a paused Workspace', () => {
  it('is left alone, its deletion included, until it is not paused any more', async () => {
    await bench.administrator.create(workspaceKind, {
      metadata: { name, annotations: { [annotations.paused]: 'true' }, finalizers: [finalizers.workspace] },
      spec: { owner: 'alice' },
    })
    await bench.until(
      workspaceKind,
      { name },
      (one) => one?.status?.conditions?.some(({ type }) => type === 'Paused') ?? false,
    )
    await remove()
    await controllers.idle()
    expect(await outcome(bench.administrator.get(workspaceKind, { name }))).toBe('allowed')
    expect(await outcome(bench.administrator.get(namespaceType, { name }))).toMatch(/not found/)

    await bench.cluster.kubectl('annotate', 'workspace', name, `${annotations.paused}-`)
    await bench.until(workspaceKind, { name }, gone)
  })
})

it('tells of what happens by events', async () => {
  await bench.administrator.create(namespaceType, { metadata: { name } })
  await make()
  await ready('NamespaceTaken')
  await bench.cluster.kubectl('label', 'namespace', name, `${labels.workspace}=${name}`)
  const { metadata } = await ready()

  await expect
    .poll(async () => {
      const { items } = await bench.administrator.list(eventType, { namespace: 'default' })
      return items
        .filter(({ regarding }) => regarding.uid === metadata.uid)
        .map(({ type, reason }) => `${type} ${reason}`)
    })
    .toEqual(expect.arrayContaining(['Warning NamespaceTaken', 'Normal NamespaceReady']))
})

it('writes nothing once everything is as it should be, also after a new start', async () => {
  await make({ members: [{ user: 'bob', role: 'member' }], quota: { vms: 3 } })
  await ready()
  await controllers.stop()

  controllers = await bench.start()
  await controllers.idle()

  expect(controllers.writes).toEqual([])
})

describe('a controller that dies', () => {
  const dying = async (begin: () => Promise<unknown>, finished: (workspace: string) => Promise<unknown>) => {
    await controllers.stop()
    const { scopes, survivor } = await dieAtEachWrite(bench, {
      prefix: `dying-${count}`,
      begin(workspace) {
        name = workspace
        return begin()
      },
      finished,
    })
    controllers = survivor
    return scopes
  }

  it('at any write leaves nothing that the next one does not finish', async () => {
    const whole = async (workspace: string) => {
      await bench.untilReady(workspaceKind, { name: workspace }, 'NamespaceReady')
      for (const role of ['admin', 'viewer']) {
        await bench.administrator.get(roleBindingType, { namespace: workspace, name: `skyclust-${role}` })
      }
      await bench.administrator.get(clusterRoleType, { name: `skyclust-workspace-${workspace}-reader` })
    }
    const victims = await dying(() => make({ members: [{ user: 'vic', role: 'viewer' }], quota: { vms: 3 } }), whole)

    // finalizer, Namespace, 3 + 3 + 3 roles and bindings, quota, status; more when one of them meets a conflict
    expect(victims.length).toBeGreaterThanOrEqual(2 * 13)
  })

  it('at any write of a deletion neither leaves anything nor lets go too early', async () => {
    const victims = await dying(
      async () => {
        const metadata = { name, labels: { [labels.managedBy]: 'skyclust', [labels.workspace]: name } }
        await bench.administrator.create(namespaceType, { metadata })
        await bench.administrator.create(vmKind, vm('web'))
        const spec = { provider: 'sim', source: 'Ambient' } as const
        await bench.administrator.create(credentialKind, { metadata: { namespace: name, name: 'sim' }, spec })
        await bench.administrator.create(workspaceKind, {
          metadata: { name, finalizers: [finalizers.workspace] },
          spec: { owner: 'alice' },
        })
        await remove()
      },
      async (workspace) => {
        await bench.until(workspaceKind, { name: workspace }, gone)
        expect(await outcome(bench.administrator.get(namespaceType, { name: workspace }))).toMatch(/not found/)
      },
    )
    expect(victims.length).toBeGreaterThan(2 * 4) // VM, Credential, Namespace, finalizer, and what is said meanwhile
  })
})

it('never shows what is in a Secret', async () => {
  await make()
  await ready()
  await bench.administrator.create(secretType, {
    metadata: { namespace: name, name: 'key' },
    stringData: { key: 'hunter2' },
  })
  await controllers.idle()
  const everything = await bench.cluster.kubectl('get', 'workspaces,events', '-A', '-o', 'yaml')
  expect(everything).not.toContain('hunter2')
})
