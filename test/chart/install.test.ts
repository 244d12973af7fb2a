/**
 * The chart against a real kube-apiserver: every manifest in a dry run of the server, then install, upgrade and uninstall. There are no
 * nodes, so nothing runs here; what runs is in test/e2e.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { kinds } from '../../crds/kinds.ts'
import { startCluster, type TestCluster } from '../cluster/cluster.ts'
import { chart, documentsOf, type Helm, helmFor, type Manifest, render } from './helm.ts'
import { matrix } from './matrix.ts'

let cluster: TestCluster
let helm: Helm
beforeAll(async () => {
  cluster = await startCluster()
  helm = await helmFor(cluster.directory, cluster.kubeconfig)
})
afterAll(() => cluster?.stop())

/** Kinds of projects that are not installed here; `render.test.ts` holds them against those projects' own definitions. */
const foreign = /^(monitoring\.coreos\.com|gateway\.networking\.k8s\.io)\//

async function dryRun(manifests: readonly Manifest[]): Promise<string> {
  const text = manifests.map((manifest) => stringify(manifest)).join('---\n')
  return cluster.kubectlWith(text, 'apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-')
}

async function uidOf(kind: string, name: string): Promise<string> {
  return cluster.kubectl('get', kind, name, '-n', 'skyclust-system', '-o', 'jsonpath={.metadata.uid}')
}

const password = () =>
  cluster.kubectl(
    'get',
    'secret',
    'skyclust-admin-password',
    '-n',
    'skyclust-system',
    '-o',
    'jsonpath={.data.password}',
  )

describe('each manifest', () => {
  it.each(Object.entries(matrix))('is accepted by the API server with values for %s', async (_, values) => {
    const namespace = 'skyclust-system'
    await cluster.kubectlWith(
      stringify({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: {
          name: namespace,
          labels: {
            'pod-security.kubernetes.io/enforce': 'restricted',
            'pod-security.kubernetes.io/warn': 'restricted',
          },
        },
      }),
      'apply',
      '--server-side',
      '-f',
      '-',
    )
    const manifests = (await render(helm, values)).filter(({ apiVersion }) => !foreign.test(apiVersion))
    const answer = await dryRun(manifests)
    expect(answer.trim().split('\n')).toHaveLength(manifests.length)
    // Deployments are not held against the Pod Security Standard, their pods are.
    const pods = manifests
      .filter(({ kind }) => kind === 'Deployment')
      .map(({ metadata, spec }) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...spec.template.metadata, name: metadata.name, namespace },
        spec: { ...spec.template.spec, serviceAccountName: 'default', imagePullSecrets: undefined },
      }))
    for (const pod of pods) expect(await dryRun([pod])).toContain('serverside-applied')
  })
})

describe('a release', () => {
  const args = ['skyclust', chart, '--namespace', 'skyclust-system']

  it('is installed, upgraded and uninstalled, and what must outlive it does', async () => {
    const values = { api: { admin: { email: 'admin@example.com' } } }
    await helm(['install', ...args, '--create-namespace'], values)
    const first = { password: await password(), vms: await uidOf('crd', 'vms.skyclust.io') }
    expect(Buffer.from(first.password, 'base64').toString()).toMatch(/^[A-Za-z0-9]{32}$/)
    const workspace = stringify({
      apiVersion: 'skyclust.io/v1alpha1',
      kind: 'Workspace',
      metadata: { name: 'kept' },
      spec: { owner: 'alice' },
    })
    await cluster.kubectlWith(workspace, 'apply', '--server-side', '-f', '-')

    await helm(['upgrade', ...args], { ...values, controller: { replicas: 3 } })
    expect(await password()).toBe(first.password)
    expect(await uidOf('crd', 'vms.skyclust.io')).toBe(first.vms)
    const replicas = await cluster.kubectl(
      'get',
      'deployment',
      'skyclust-controller',
      '-n',
      'skyclust-system',
      '-o',
      'jsonpath={.spec.replicas}',
    )
    expect(replicas).toBe('3')

    await helm(['uninstall', 'skyclust', '--namespace', 'skyclust-system'])
    const left = await cluster.kubectl(
      'get',
      'deployments,services,serviceaccounts,roles,networkpolicies',
      '-n',
      'skyclust-system',
      '-o',
      'name',
      '-l',
      'app.kubernetes.io/part-of=skyclust',
    )
    expect(left).toBe('')
    expect(
      await cluster.kubectl(
        'get',
        'clusterroles,clusterrolebindings,validatingadmissionpolicies',
        '-o',
        'name',
        '-l',
        'app.kubernetes.io/part-of=skyclust',
      ),
    ).toBe('')
    expect(await cluster.kubectl('get', 'workspace', 'kept', '-o', 'name')).toContain('kept')

    await helm(['install', ...args, '--take-ownership'], values)
    expect(await password()).toBe(first.password)
    expect(await uidOf('crd', 'vms.skyclust.io')).toBe(first.vms)
    await helm(['uninstall', 'skyclust', '--namespace', 'skyclust-system'])
  })

  it('brings the definitions of an older version up to date, and leaves the objects as they are', async () => {
    const definitions = documentsOf(await helm(['template', ...args])).filter(
      ({ kind }) => kind === 'CustomResourceDefinition',
    )
    const vms = definitions.find(({ metadata }) => metadata.name === 'vms.skyclust.io') as Manifest
    const older = structuredClone(vms)
    for (const version of older.spec.versions)
      delete version.schema.openAPIV3Schema.properties.spec.properties.replacePolicy
    // The last test left the definitions; an older release's are put in their place.
    await cluster.kubectlWith(
      stringify(older),
      'apply',
      '--server-side',
      '--force-conflicts',
      '--field-manager=helm',
      '-f',
      '-',
    )
    await helm(['install', ...args, '--take-ownership'])
    const field = 'jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.replacePolicy.type}'
    expect(await cluster.kubectl('get', 'crd', 'vms.skyclust.io', '-o', field)).toBe('string')
    expect(await cluster.kubectl('get', 'workspace', 'kept', '-o', 'name')).toContain('kept')
  })

  it('is packaged with its definitions', async () => {
    await helm(['package', chart, '--destination', cluster.directory])
    const packaged = await helm(['template', 'skyclust', join(cluster.directory, 'skyclust-0.1.0.tgz')])
    expect(documentsOf(packaged).filter(({ kind }) => kind === 'CustomResourceDefinition')).toHaveLength(kinds.length)
  })
})
