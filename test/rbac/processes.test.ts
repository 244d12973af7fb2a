/** What the two processes may do as themselves, with the very roles that the chart installs. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { credentialKind } from '../../crds/credential.ts'
import { clusterRoles, kubernetesUser, serviceAccounts, usersGroup } from '../../crds/names.ts'
import { userKind } from '../../crds/user.ts'
import { vmKind } from '../../crds/vm.ts'
import { workspaceKind } from '../../crds/workspace.ts'
import {
  clusterRoleBindingType,
  clusterRoleType,
  configMapType,
  namespaceType,
  podType,
  roleBindingType,
  type Secret,
  secretType,
} from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { processKubeconfig } from '../cluster/process-account.ts'
import { INSTALLATION_NAMESPACE, sharedCluster } from '../cluster/shared-cluster.ts'
import { clientOf, comesTo, outcome } from './acting.ts'

const apiGroup = 'rbac.authorization.k8s.io'

let administrator: KubeClient
let controller: KubeClient
let facade: KubeClient
let namespace: string
let directory: string

beforeAll(async () => {
  const cluster = await sharedCluster()
  directory = await mkdtemp(join(tmpdir(), 'skyclust-rbac-'))
  const clientFor = async (account: (typeof serviceAccounts)[keyof typeof serviceAccounts]) =>
    clientOf(cluster, await processKubeconfig(cluster, { account, namespace: INSTALLATION_NAMESPACE, directory }))
  administrator = clientOf(cluster)
  controller = await clientFor(serviceAccounts.controller)
  facade = await clientFor(serviceAccounts.api)
  namespace = await cluster.namespace('processes')
})

afterAll(async () => {
  await Promise.all([administrator, controller, facade].map((client) => client?.close()))
  await rm(directory, { recursive: true, force: true })
})

describe('the controller', () => {
  const bind = (role: string, name = role) =>
    controller.create(
      roleBindingType,
      {
        metadata: { namespace, name },
        roleRef: { apiGroup, kind: 'ClusterRole', name: role },
        subjects: [{ apiGroup, kind: 'User', name: kubernetesUser('alice') }],
      },
      { dryRun: true },
    )

  it.each([clusterRoles.admin, clusterRoles.member, clusterRoles.viewer])('binds %s in a namespace', async (role) => {
    expect(await outcome(bind(role))).toBe('allowed')
  })

  it('binds nothing by which somebody would get more than SkyClust is about', async () => {
    expect(await outcome(bind('cluster-admin'))).toMatch(/attempting to grant RBAC permissions not currently held/)
    expect(await outcome(bind('edit'))).toMatch(/attempting to grant RBAC permissions not currently held/)
    expect(await outcome(bind('skyclust-api'))).toMatch(/attempting to grant RBAC permissions not currently held/)
  })

  it('makes the role of one workspace, and none that holds more than it holds itself', async () => {
    const role = (rule: object) =>
      controller.create(clusterRoleType, { metadata: { name: 'of-team-a' }, rules: [rule as never] }, { dryRun: true })
    const workspace = { apiGroups: ['skyclust.io'], resources: ['workspaces'], resourceNames: ['team-a'] }

    expect(await outcome(role({ ...workspace, verbs: ['get', 'list', 'watch', 'update', 'patch', 'delete'] }))).toBe(
      'allowed',
    )
    expect(await outcome(role({ ...workspace, verbs: ['set-quota'] }))).toMatch(/not currently held/)
    expect(await outcome(role({ apiGroups: [''], resources: ['pods'], verbs: ['create'] }))).toMatch(
      /not currently held/,
    )
  })

  it('makes an administrator of the installation of a User', async () => {
    const binding = controller.create(
      clusterRoleBindingType,
      {
        metadata: { name: 'alice-admin' },
        roleRef: { apiGroup, kind: 'ClusterRole', name: clusterRoles.platformAdmin },
        subjects: [{ apiGroup, kind: 'User', name: kubernetesUser('alice') }],
      },
      { dryRun: true },
    )
    expect(await outcome(binding)).toBe('allowed')
  })

  it('reads the key of a Credential, makes and deletes the token of a run, and overwrites no Secret of a tenant', async () => {
    expect(await outcome(controller.list(secretType, { namespace }))).toBe('allowed')
    const secret = { metadata: { namespace, name: 'key' } }
    expect(await outcome(controller.create(secretType, secret, { dryRun: true }))).toBe('allowed')
    expect(await outcome(controller.delete(secretType, { namespace, name: 'key' }))).toMatch(/not found/)
    const replacement = { ...secret, apiVersion: 'v1', kind: 'Secret' } as Secret
    expect(await outcome(controller.replace(secretType, replacement))).toMatch(/cannot update/)
  })

  it('makes no VM, no Credential and no User', async () => {
    const spec = { provider: 'sim', credentialRef: { name: 'sim' }, instanceType: 'small', image: 'linux' } as const
    const metadata = { namespace, name: 'web' }
    expect(await outcome(controller.create(vmKind, { metadata, spec }))).toMatch(/cannot create/)
    expect(await outcome(controller.create(credentialKind, { metadata, spec: { provider: 'sim' } }))).toMatch(
      /cannot create/,
    )
    const user = { metadata: { name: 'mallory' }, spec: { email: 'mallory@example.com' } }
    expect(await outcome(controller.create(userKind, user))).toMatch(/cannot create/)
  })
})

describe('the facade', () => {
  const alice = () => facade.as({ username: kubernetesUser('alice'), groups: [usersGroup] })

  beforeAll(async () => {
    await administrator.create(roleBindingType, {
      metadata: { namespace, name: 'alice' },
      roleRef: { apiGroup, kind: 'ClusterRole', name: clusterRoles.admin },
      subjects: [{ apiGroup, kind: 'User', name: kubernetesUser('alice') }],
    })
    const asAlice = administrator.as({ username: kubernetesUser('alice'), groups: [] })
    await comesTo(/^allowed$/, () => asAlice.list(vmKind, { namespace }))
  })

  const vm = (name: string) => ({
    metadata: { namespace, name },
    spec: { provider: 'sim', credentialRef: { name: 'sim' }, instanceType: 'small', image: 'linux' } as const,
  })

  it('reads what it shows and writes nothing of a tenant as itself', async () => {
    expect(await outcome(facade.list(vmKind))).toBe('allowed')
    expect(await outcome(facade.list(workspaceKind))).toBe('allowed')
    expect(await outcome(facade.create(vmKind, vm('own')))).toMatch(/cannot create/)
    expect(await outcome(facade.list(secretType, { namespace }))).toMatch(/cannot list/)
    expect(await outcome(facade.get(secretType, { namespace, name: 'any' }))).toMatch(/cannot get/)
  })

  it('writes as the caller, and has the rights of that caller only', async () => {
    expect(await outcome(alice().create(vmKind, vm('as-alice')))).toBe('allowed')
    const bob = facade.as({ username: kubernetesUser('bob'), groups: [usersGroup] })
    expect(await outcome(bob.create(vmKind, vm('as-bob')))).toMatch(/User "skyclust:bob" cannot create/)
  })

  it('does as the caller nothing but what REST is for, though the caller may', async () => {
    const secret = { metadata: { namespace, name: 'as-alice' } }
    expect(await outcome(alice().create(secretType, secret))).toBe('allowed')
    expect(await outcome(alice().delete(secretType, { namespace, name: 'as-alice' }))).toBe('allowed')
    expect(await outcome(alice().list(vmKind, { namespace }))).toMatch(/impersonate/)
    expect(await outcome(alice().get(namespaceType, { name: namespace }))).toMatch(/impersonate/)
  })

  it.each([
    [
      'a group that the operator did not name',
      { username: kubernetesUser('alice'), groups: [usersGroup, 'system:masters'] },
    ],
    [
      'a service account',
      { username: 'system:serviceaccount:skyclust-system:skyclust-controller', groups: [usersGroup] },
    ],
  ])('cannot be %s', async (_, user) => {
    expect(await outcome(facade.as(user).get(vmKind, { namespace, name: 'x' }))).toMatch(/impersonate/)
  })

  it('gets nothing out of the name of a powerful system user', async () => {
    const system = facade.as({ username: 'system:kube-controller-manager', groups: [usersGroup] })
    expect(await outcome(system.get(secretType, { namespace, name: 'x' }))).toMatch(/impersonate/)
    expect(await outcome(system.list(podType, { namespace }))).toMatch(/impersonate/)
    expect(await outcome(system.delete(configMapType, { namespace, name: 'x' }))).toMatch(/impersonate/)
  })

  it('keeps Secrets and Sessions in the namespace of the installation only', async () => {
    const name = `rbac-${Date.now()}`
    await facade.create(secretType, { metadata: { namespace: INSTALLATION_NAMESPACE, name } })
    await facade.delete(secretType, { namespace: INSTALLATION_NAMESPACE, name })
    expect(await outcome(facade.create(secretType, { metadata: { namespace, name } }))).toMatch(/cannot create/)
  })
})
