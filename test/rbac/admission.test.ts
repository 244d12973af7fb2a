/** The admission policies: who may own a workspace, lift its ceilings, take off a finalizer. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clusterRoles, finalizers, kubernetesUser, usersGroup } from '../../crds/names.ts'
import { vmKind } from '../../crds/vm.ts'
import { type Workspace, workspaceKind } from '../../crds/workspace.ts'
import { clusterRoleBindingType, clusterRoleType, roleBindingType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'
import { clientOf, comesTo, outcome } from './acting.ts'

const apiGroup = 'rbac.authorization.k8s.io'

describe('admission', () => {
  let administrator: KubeClient
  const suffix = randomUUID().slice(0, 8)
  const as = (name: string) => administrator.as({ username: kubernetesUser(name), groups: [usersGroup] })

  beforeAll(async () => {
    administrator = clientOf(await sharedCluster())
    await administrator.create(clusterRoleBindingType, {
      metadata: { name: `root-${suffix}` },
      roleRef: { apiGroup, kind: 'ClusterRole', name: clusterRoles.platformAdmin },
      subjects: [{ apiGroup, kind: 'User', name: kubernetesUser('root') }],
    })
    await comesTo(/^allowed$/, () => as('root').list(vmKind))
    const elses = { metadata: { name: `elses-${suffix}` }, spec: { owner: 'else' } }
    await comesTo(/spec\.owner must be yourself/, () => as('alice').create(workspaceKind, elses, { dryRun: true }))
  })
  afterAll(() => administrator.close())

  /** A workspace of alice's, of which bob is an admin, with the ClusterRole that the controller would make. */
  async function workspaceOfAlice(name: string, spec: Partial<Workspace['spec']> = {}): Promise<Workspace> {
    const made = await as('alice').create(workspaceKind, {
      metadata: { name: `${name}-${suffix}` },
      spec: { owner: 'alice', ...spec },
    })
    const role = { metadata: { name: `${name}-${suffix}` } }
    await administrator.create(clusterRoleType, {
      ...role,
      rules: [
        {
          apiGroups: ['skyclust.io'],
          resources: ['workspaces'],
          resourceNames: [made.metadata.name],
          verbs: ['get', 'update', 'patch'],
        },
      ],
    })
    await administrator.create(clusterRoleBindingType, {
      ...role,
      roleRef: { apiGroup, kind: 'ClusterRole', name: role.metadata.name },
      subjects: ['alice', 'bob'].map((user) => ({ apiGroup, kind: 'User', name: kubernetesUser(user) })),
    })
    await comesTo(/^allowed$/, () => as('bob').get(workspaceKind, { name: made.metadata.name }))
    return made
  }

  function change(who: KubeClient, { metadata }: Workspace, spec: object): Promise<string> {
    return outcome(who.patch(workspaceKind, { name: metadata.name }, { spec }, { kind: 'merge' }))
  }

  it('lets anybody make a workspace of their own, under a generated name as well', async () => {
    const draft = { metadata: { generateName: 'ws-' }, spec: { owner: 'alice' } }
    expect(await outcome(as('alice').create(workspaceKind, draft))).toBe('allowed')
  })

  it('refuses a workspace made for somebody else, unless by an administrator', async () => {
    const draft = { metadata: { name: `for-bob-${suffix}` }, spec: { owner: 'bob' } }

    expect(await outcome(as('alice').create(workspaceKind, draft))).toMatch(
      /spec\.owner must be yourself.*skyclust:alice/,
    )
    expect(await outcome(as('root').create(workspaceKind, draft))).toBe('allowed')
  })

  it('lets the owner hand a workspace over, and no admin of it take it', async () => {
    const workspace = await workspaceOfAlice('handed-over')

    expect(await change(as('bob'), workspace, { displayName: 'Ours' })).toBe('allowed')
    expect(await change(as('bob'), workspace, { owner: 'bob' })).toMatch(
      /spec\.owner can be changed only by the owner, alice/,
    )
    expect(await change(as('alice'), workspace, { owner: 'bob' })).toBe('allowed')
    expect(await change(as('alice'), workspace, { owner: 'alice' })).toMatch(/only by the owner, bob/)
    expect(await change(as('root'), workspace, { owner: 'alice' })).toBe('allowed')
  })

  it('lets only administrators of the installation change a quota, also where there was none', async () => {
    const workspace = await workspaceOfAlice('with-quota', { quota: { vms: 3 } })
    const without = await workspaceOfAlice('without-quota')

    expect(await change(as('alice'), workspace, { quota: { vms: 4 } })).toMatch(/spec\.quota can be changed only by/)
    expect(await change(as('alice'), workspace, { quota: null })).toMatch(/spec\.quota can be changed only by/)
    expect(await change(as('alice'), without, { quota: { vms: 4 } })).toMatch(/spec\.quota can be changed only by/)
    expect(await change(as('alice'), workspace, { description: 'same quota' })).toBe('allowed')
    expect(await change(as('root'), workspace, { quota: { vms: 4 } })).toBe('allowed')
  })

  it("keeps SkyClust's finalizers on until the controller takes them off, and leaves others alone", async () => {
    const namespace = await (await sharedCluster()).namespace('finalizers')
    await administrator.create(roleBindingType, {
      metadata: { namespace, name: 'member' },
      roleRef: { apiGroup, kind: 'ClusterRole', name: clusterRoles.member },
      subjects: [{ apiGroup, kind: 'User', name: kubernetesUser('carol') }],
    })
    await comesTo(/^allowed$/, () => as('carol').list(vmKind, { namespace }))
    const controller = administrator.as({
      username: 'system:serviceaccount:skyclust-system:skyclust-controller',
      groups: ['system:serviceaccounts', 'system:authenticated'],
    })
    const key = { namespace, name: 'web' }
    await administrator.create(vmKind, {
      metadata: { ...key, finalizers: [finalizers.vm, 'example.com/mine'] },
      spec: { provider: 'sim', credentialRef: { name: 'sim' }, instanceType: 'small', image: 'linux' },
    })
    const leave = (who: KubeClient, ...left: string[]) =>
      outcome(who.patch(vmKind, key, { metadata: { finalizers: left } }, { kind: 'merge' }))

    expect(await leave(as('carol'))).toMatch(/metadata\.finalizers: the controller takes off its own finalizer/)
    expect(await leave(as('carol'), finalizers.vm)).toBe('allowed')
    expect(await leave(controller)).toBe('allowed')
  })
})
