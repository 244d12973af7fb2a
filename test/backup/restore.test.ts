/**
 * A cluster is lost with its etcd; what was saved of it as manifests (`kubectl get -o yaml`, Velero) is put into an empty one, where everything has another
 * UID. The instances in the cloud are taken over, not made twice, and what is deleted afterwards is ended.
 */
import { writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { install } from '../../tools/installation.ts'
import { workshop } from '../../tools/workshop.ts'
import { root } from '../chart/helm.ts'
import { startCluster, type TestCluster } from '../cluster/cluster.ts'
import { processKubeconfig } from '../cluster/process-account.ts'
import { type Program, startProgram } from '../cluster/program.ts'
import { stateByHand } from './state-by-hand.ts'

const NAMESPACE = 'skyclust-system'
let sim: Program
let simUrl: string
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  sim = stack.use(startProgram({ main: 'clouds/sim/main.ts' }))
  simUrl = String((await sim.logged(({ url }) => typeof url === 'string')).url)
})
afterAll(() => stack.disposeAsync())

async function installed(): Promise<TestCluster> {
  const cluster = stack.use(await startCluster())
  await install({ kubectl: cluster.kubectlWith, root, namespace: NAMESPACE })
  return cluster
}

async function startController(cluster: TestCluster, env: Record<string, string> = {}): Promise<Program> {
  const kubeconfig = await processKubeconfig(cluster, {
    account: 'skyclust-controller',
    namespace: NAMESPACE,
    directory: cluster.directory,
  })
  const program = stack.use(
    startProgram({
      main: 'controller/main.ts',
      env: {
        KUBECONFIG: kubeconfig,
        SKYCLUST_PROVIDERS: 'sim',
        SKYCLUST_SIM_URL: simUrl,
        SKYCLUST_SYNC_INTERVAL: '1s',
        SKYCLUST_METRICS_PORT: '0',
        SKYCLUST_TOFU_EXECUTOR: 'process',
        SKYCLUST_TOFU: await workshop({ environment: process.env, home: homedir() }).obtain('tofu'),
        SKYCLUST_TOFU_SERVER_PORT: '0',
        ...env,
      },
    }),
  )
  await program.logged(({ msg }) => msg === 'ready')
  return program
}

interface SimInstance {
  readonly id: string
  readonly tags: Readonly<Record<string, string>>
}

async function instances(): Promise<readonly SimInstance[]> {
  return ((await (await fetch(`${simUrl}/instances`)).json()) as { instances: SimInstance[] }).instances
}

const uidOf = (cluster: TestCluster, ...object: string[]) =>
  cluster.kubectl('get', ...object, '-o', 'jsonpath={.metadata.uid}')
const ready = (cluster: TestCluster, name: string) =>
  cluster.kubectl('wait', '--for=condition=Ready', `vm/${name}`, '-n', 'team-a', '--timeout=120s')

const manifests = [
  { kind: 'Workspace', metadata: { name: 'team-a' }, spec: { owner: 'alice' } },
  {
    kind: 'Credential',
    metadata: { name: 'main', namespace: 'team-a' },
    spec: { provider: 'sim', secretRef: { name: 'main' }, region: 'sim-1' },
  },
  ...['web-1', 'web-2'].map((name) => ({
    kind: 'VM',
    metadata: { name, namespace: 'team-a' },
    spec: { provider: 'sim', credentialRef: { name: 'main' }, instanceType: 't3.micro', image: 'ami-1' },
  })),
]

const stackOfTeam = { namespace: 'team-a', stack: 'net' }

/** Answers with its plan, once it is Completed. */
async function run(cluster: TestCluster, name: string, command: 'plan' | 'apply'): Promise<object> {
  const metadata = { name, namespace: 'team-a' }
  const source = { inline: { 'main.tf': 'resource "terraform_data" "one" { input = "kept" }' } }
  const manifest = {
    apiVersion: 'skyclust.io/v1alpha1',
    kind: 'TofuRun',
    metadata,
    spec: { command, stack: 'net', source },
  }
  await cluster.kubectlWith(stringify(manifest), 'create', '-f', '-')
  await cluster.kubectl('wait', '--for=condition=Ready', `tofurun/${name}`, '-n', 'team-a', '--timeout=120s')
  return JSON.parse(await cluster.kubectl('get', 'tofurun', name, '-n', 'team-a', '-o', 'jsonpath={.status.plan}'))
}

/** As a backup of manifests keeps an object: what the API server made of it is left out. */
function saved(list: string): string {
  const { items } = parse(list) as { items: { metadata: Record<string, unknown>; status?: unknown }[] }
  return items
    .map(({ status: _, ...object }) => {
      const {
        uid,
        resourceVersion,
        generation,
        creationTimestamp,
        managedFields,
        ownerReferences,
        finalizers,
        ...metadata
      } = object.metadata
      return stringify({ ...object, metadata })
    })
    .join('---\n')
}

describe('a restore into an empty cluster', { timeout: 300_000 }, () => {
  it('takes the instances over and makes none, and has the states that were exported', async () => {
    const lost = await installed()
    const controller = await startController(lost)
    const apply = (cluster: TestCluster, text: string) => cluster.kubectlWith(text, 'apply', '--server-side', '-f', '-')
    const [workspace, ...rest] = manifests.map((manifest) =>
      stringify({ apiVersion: 'skyclust.io/v1alpha1', ...manifest }),
    )
    await apply(lost, workspace ?? '')
    await lost.kubectl('wait', '--for=condition=Ready', 'workspace/team-a', '--timeout=120s')
    await lost.kubectl(
      'create',
      'secret',
      'generic',
      'main',
      '-n',
      'team-a',
      '--from-literal=access_key=A',
      '--from-literal=secret_key=b',
    )
    await apply(lost, rest.join('---\n'))
    await Promise.all(['web-1', 'web-2'].map((name) => ready(lost, name)))
    const before = await instances()
    expect(before).toHaveLength(2)

    await run(lost, 'first', 'apply')
    const backup = {
      state: await stateByHand({ cluster: lost, ...stackOfTeam }, 'export'),
      workspaces: saved(await lost.kubectl('get', 'workspaces', '-o', 'yaml')),
      rest: saved(await lost.kubectl('get', 'secrets,credentials,vms', '-n', 'team-a', '-o', 'yaml')),
    }
    const former = await uidOf(lost, 'namespace', 'kube-system')
    await controller.stop(0)
    await lost.stop()

    const fresh = await installed()
    await startController(fresh, { SKYCLUST_FORMER_CLUSTERS: former })
    await apply(fresh, backup.workspaces)
    await fresh.kubectl('wait', '--for=condition=Ready', 'workspace/team-a', '--timeout=120s')
    await apply(fresh, backup.rest)
    await Promise.all(['web-1', 'web-2'].map((name) => ready(fresh, name)))

    const after = await instances()
    expect(after.map(({ id }) => id).sort()).toEqual(before.map(({ id }) => id).sort())
    const cluster = await uidOf(fresh, 'namespace', 'kube-system')
    for (const { tags } of after) {
      expect(tags['skyclust.io/cluster']).toBe(cluster)
      expect(tags['skyclust.io/vm-uid']).toBe(await uidOf(fresh, 'vm', String(tags.Name), '-n', 'team-a'))
    }
    expect(await fresh.kubectl('get', 'events', '-n', 'team-a')).toContain('InstanceRestored')
    await writeFile(join(fresh.directory, 'net.tfstate'), backup.state)
    await stateByHand({ cluster: fresh, ...stackOfTeam }, 'import', '--file', join(fresh.directory, 'net.tfstate'))
    expect(await run(fresh, 'second', 'plan')).toMatchObject({ add: 0, change: 0, destroy: 0 })

    await fresh.kubectl('delete', 'vm', 'web-1', '-n', 'team-a', '--timeout=120s')
    expect((await instances()).map(({ tags }) => tags.Name)).toEqual(['web-2'])
  })
})
