/** What the roles of a workspace let people do, and that it is no more: asked of the API server, and tried. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { credentialKind } from '../../crds/credential.ts'
import { clusterRoles, kubernetesUser, usersGroup } from '../../crds/names.ts'
import { vmKind } from '../../crds/vm.ts'
import { roleBindingType, secretType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'
import { clientOf, comesTo, outcome, rightsIn } from './acting.ts'

const reading = [
  'configmaps: get list watch', // what runs print
  'credentials.skyclust.io: get list watch',
  'events.events.k8s.io: get list watch',
  'events: get list watch',
  'namespaces: get',
  'resourcequotas: get list watch',
  'tofuruns.skyclust.io: get list watch',
  'vms.skyclust.io: get list watch',
  'workspaces.skyclust.io: create', // as everybody with an account
]
const everything = 'create delete get list patch update watch'
/** SkyClust's own verb, asked for by the policy skyclust-run-approval. */
const everythingAndApprove = 'approve create delete get list patch update watch'

describe('the roles of a workspace', () => {
  let administrator: KubeClient
  let namespace: string
  const as = (name: string) => administrator.as({ username: kubernetesUser(name), groups: [usersGroup] })

  beforeAll(async () => {
    const cluster = await sharedCluster()
    administrator = clientOf(cluster)
    namespace = await cluster.namespace('roles')
    for (const role of ['admin', 'member', 'viewer'] as const) {
      await administrator.create(roleBindingType, {
        metadata: { namespace, name: role },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: clusterRoles[role] },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: kubernetesUser(`the-${role}`) }],
      })
      await comesTo(/^allowed$/, () => as(`the-${role}`).list(vmKind, { namespace }))
    }
  })
  afterAll(() => administrator.close())

  function vm(name: string) {
    const spec = { provider: 'sim', credentialRef: { name: 'sim' }, instanceType: 'small', image: 'linux' } as const
    return { metadata: { namespace, name }, spec }
  }
  const secret = (name: string) => ({ metadata: { namespace, name }, stringData: { key: 'secret' } })

  it('give a viewer everything to read but Secrets', async () => {
    expect(await rightsIn(as('the-viewer'), namespace)).toEqual(reading)
  })

  it('give a member VMs and runs besides, and Secrets to make and delete', async () => {
    expect(await rightsIn(as('the-member'), namespace)).toEqual(
      [
        ...reading.filter((right) => !/^(vms|tofuruns|configmaps)/.test(right)),
        `configmaps: ${everything}`,
        `tofuruns.skyclust.io: ${everythingAndApprove}`,
        `vms.skyclust.io: ${everything}`,
        'secrets: create delete',
      ].sort(),
    )
  })

  it('give an admin Credentials besides', async () => {
    expect(await rightsIn(as('the-admin'), namespace)).toEqual(
      [
        ...reading.filter((right) => !/^(vms|tofuruns|credentials|configmaps)/.test(right)),
        `credentials.skyclust.io: ${everything}`,
        `configmaps: ${everything}`,
        `tofuruns.skyclust.io: ${everythingAndApprove}`,
        `vms.skyclust.io: ${everything}`,
        'secrets: create delete',
      ].sort(),
    )
  })

  it('give nothing to somebody who has none', async () => {
    expect(await rightsIn(as('a-stranger'), namespace)).toEqual(['workspaces.skyclust.io: create'])
    expect(await outcome(as('a-stranger').list(vmKind, { namespace }))).toMatch(/cannot list resource "vms"/)
  })

  it('let a viewer read a VM and change nothing of it', async () => {
    await as('the-member').create(vmKind, vm('looked-at'))
    const key = { namespace, name: 'looked-at' }

    expect((await as('the-viewer').get(vmKind, key)).spec.powerState).toBe('Running')
    const body = { spec: { powerState: 'Stopped' } }
    expect(await outcome(as('the-viewer').patch(vmKind, key, body, { kind: 'merge' }))).toMatch(/cannot patch/)
    expect(await outcome(as('the-viewer').delete(vmKind, key))).toMatch(/cannot delete/)
    expect(await outcome(as('the-viewer').create(vmKind, vm('new')))).toMatch(/cannot create/)
  })

  it.each(['the-member', 'the-admin'])(
    'let %s make a Secret and delete it, but see its value by no verb',
    async (who) => {
      const name = `of-${who}`
      const key = { namespace, name }

      await as(who).create(secretType, secret(name))
      expect(await outcome(as(who).get(secretType, key))).toMatch(/cannot get/)
      expect(await outcome(as(who).list(secretType, { namespace }))).toMatch(/cannot list/)
      expect(await outcome(as(who).patch(secretType, key, {}, { kind: 'merge' }))).toMatch(/cannot patch/)
      expect(await outcome(as(who).replace(secretType, await administrator.get(secretType, key)))).toMatch(
        /cannot update/,
      )
      await as(who).delete(secretType, key)
      expect(await outcome(administrator.get(secretType, key))).toMatch(/not found/)
    },
  )

  it('keep Credentials to admins, and the status of everything to the controller', async () => {
    const spec = { provider: 'sim', secretRef: { name: 'key' } } as const
    const credential = { metadata: { namespace, name: 'sim' }, spec }
    const status = { status: { account: '1' } }
    const key = { namespace, name: 'sim' }

    expect(await outcome(as('the-member').create(credentialKind, credential))).toMatch(/cannot create/)
    await as('the-admin').create(credentialKind, credential)
    const change = as('the-admin').patch(credentialKind, key, status, { kind: 'merge', subresource: 'status' })
    expect(await outcome(change)).toMatch(/cannot patch resource "credentials\/status"/)
  })

  it('let nobody hand on what they have', async () => {
    const binding = {
      metadata: { namespace, name: 'more' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole' as const, name: clusterRoles.viewer },
    }
    expect(await outcome(as('the-admin').create(roleBindingType, binding))).toMatch(/cannot create/)
  })
})
