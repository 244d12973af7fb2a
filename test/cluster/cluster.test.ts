import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { describe, expect, it } from 'vitest'
import { noneLeft } from '../../tools/fixtures/running-processes.ts'
import { KUBERNETES_VERSION } from '../../tools/versions.ts'
import { startCluster, type TestCluster } from './cluster.ts'

/** Asks until the answer is what is waited for; the test's own timeout bounds the wait. */
async function eventually(ask: () => Promise<boolean>): Promise<void> {
  while (!(await ask().catch(() => false))) await sleep(50)
}

const isGone = (cluster: TestCluster, ...what: string[]) =>
  eventually(async () => (await cluster.kubectl('get', ...what, '--ignore-not-found', '--output=name')) === '')

describe('startCluster', () => {
  it('is a real Kubernetes of the pinned version, and its administrator may do everything', async () => {
    await using cluster = await startCluster({ controllerManager: false })

    const version = JSON.parse(await cluster.kubectl('get', '--raw', '/version'))
    expect(version).toMatchObject({ gitVersion: `v${KUBERNETES_VERSION}`, major: '1', minor: '36' })
    expect(await cluster.kubectl('auth', 'can-i', '*', '*', '--all-namespaces')).toBe('yes\n')
  })

  it('knows a client by its certificate and lets it do what RBAC says', async () => {
    await using cluster = await startCluster({ controllerManager: false })
    const alice = await cluster.authority.issueClient('alice', ['readers'])
    await cluster.kubectl('create', 'clusterrole', 'readers', '--verb=list', '--resource=configmaps')
    await cluster.kubectl('create', 'clusterrolebinding', 'readers', '--clusterrole=readers', '--group=readers')
    const dispatcher = new Agent({
      connect: { ca: cluster.authority.certificate, cert: alice.certificate, key: alice.key },
    })
    const ask = (path: string) => request(new URL(path, cluster.server), { dispatcher })

    await eventually(async () => (await ask('/api/v1/namespaces/default/configmaps')).statusCode === 200)
    const refused = await ask('/api/v1/namespaces/default/secrets')
    expect(refused.statusCode).toBe(403)
    expect(await refused.body.json()).toMatchObject({ message: expect.stringContaining('User "alice" cannot list') })
    await dispatcher.close()
  })

  it('has the controllers that SkyClust leans on', async () => {
    await using cluster = await startCluster()
    const namespace = await cluster.namespace('controllers')

    // Service accounts and their tokens.
    const token = () => cluster.kubectl('create', 'token', 'default', `--namespace=${namespace}`)
    await eventually(async () => (await token()).length > 100)

    // Garbage collection by owner.
    await cluster.kubectl('create', 'configmap', 'owner', `--namespace=${namespace}`)
    const uid = await cluster.kubectl(
      'get',
      'configmap',
      'owner',
      `--namespace=${namespace}`,
      '--output=jsonpath={.metadata.uid}',
    )
    const owner = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }]
    const owned = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'owned', namespace, ownerReferences: owner },
    }
    await cluster.kubectlWith(JSON.stringify(owned), 'create', '-f', '-')
    await cluster.kubectl('delete', 'configmap', 'owner', `--namespace=${namespace}`)
    await isGone(cluster, 'configmap', 'owned', `--namespace=${namespace}`)

    // Jobs make Pods (which stay pending: there is no node).
    await cluster.kubectl('create', 'job', 'run', '--image=none', `--namespace=${namespace}`)
    const pods = () =>
      cluster.kubectl('get', 'pods', '--selector=job-name=run', `--namespace=${namespace}`, '--output=name')
    await eventually(async () => (await pods()).startsWith('pod/run-'))

    // Namespaces end.
    await cluster.kubectl('delete', 'namespace', namespace, '--wait=false')
    await isGone(cluster, 'namespace', namespace)
  })

  it('keeps its objects, its port and its tokens when the apiserver is killed and started again', async () => {
    await using cluster = await startCluster()
    const name = await cluster.namespace('kept')
    const { server } = cluster
    const pid = cluster.apiserver.pid()

    await cluster.restartApiserver()

    expect(cluster.server).toBe(server)
    expect(cluster.apiserver.pid()).not.toBe(pid)
    expect(await cluster.kubectl('get', 'namespace', name, '--output=name')).toBe(`namespace/${name}\n`)
  })

  it('runs beside others, each for itself, and leaves nothing behind', async () => {
    const clusters = await Promise.all([0, 1].map(() => startCluster({ controllerManager: false })))
    const [one, other] = clusters
    const name = `only-in-one-${randomUUID()}`
    await one?.kubectl('create', 'namespace', name)

    expect(await one?.kubectl('get', 'namespaces', '--output=name')).toContain(name)
    expect(await other?.kubectl('get', 'namespaces', '--output=name')).not.toContain(name)

    await Promise.all(clusters.map((cluster) => cluster.stop()))
    await noneLeft(({ command }) => clusters.some(({ directory }) => command.includes(directory)))
  })
})
