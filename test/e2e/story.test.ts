/**
 * The user's story on a whole cluster: `helm install`, a tree from git, REST, a stack of OpenTofu, `helm upgrade`, and `helm uninstall` with nothing left
 * behind in the cloud. The processes are the pods of the rendered Deployments, with the rendered roles and no others; at the end the API server's
 * audit log says which of their rights they needed.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { workshop } from '../../tools/workshop.ts'
import { chart, documentsOf, type Helm, helmFor, type Manifest, root } from '../chart/helm.ts'
import { alertRules, dashboardQueries, metricsIn } from '../chart/monitoring.ts'
import { startCluster, type TestCluster } from '../cluster/cluster.ts'
import { type Program, startProgram } from '../cluster/program.ts'
import { type Answer, type Person, person, rest, until } from '../contract/rest.ts'
import { argoHealth } from '../gitops/argo-health.ts'
import { difference, sync } from '../gitops/argo-sync.ts'
import { type Node, node, type RunningPod } from './node.ts'
import { auditArgs, rightsGranted, rightsUsed, superfluous } from './rights-used.ts'

const release = ['skyclust', chart, '--namespace', 'skyclust-system']
let directory: string
let cluster: TestCluster
let helm: Helm
let sim: Program
let simUrl: string
let worker: Node
let values: object
let admin: Person
let bob: Person
/** Bob's workspace. */
let research: string
let credential: Answer
let uninstalledAt: Date
/** What examples/gitops has of team A, in the simulated cloud. */
let tree: readonly Manifest[]

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skyclust-e2e-'))
  const tofu = await workshop({ environment: process.env, home: homedir() }).obtain('tofu')
  cluster = await startCluster({
    extraApiserverArgs: await auditArgs(directory),
    extraControllers: ['deployment-controller', 'replicaset-controller'],
  })
  helm = await helmFor(directory, cluster.kubeconfig)
  sim = startProgram({ main: 'clouds/sim/main.ts' })
  simUrl = String((await sim.logged(({ url }) => typeof url === 'string')).url)
  const client = kubeClient({
    cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
    fieldManager: 'node',
  })
  const runnerImage = {
    PATH: process.env.PATH ?? '',
    SKYCLUST_TOFU: tofu,
    SKYCLUST_TOFU_PLUGIN_DIR: join(directory, 'no-providers'),
  }
  worker = await node({ cluster, client, directory, runnerImage })
  values = {
    settings: { SKYCLUST_PROVIDERS: 'sim', SKYCLUST_SIM_URL: simUrl },
    controller: { settings: { SKYCLUST_SYNC_INTERVAL: '2s' } },
    api: {
      admin: { email: 'admin@example.com' },
      settings: { SKYCLUST_LOCALE: 'en', SKYCLUST_USER_RATE: 1000, SKYCLUST_USER_BURST: 1000 },
    },
  }
  const files = ['workspace/1-workspace.yaml', 'machines/2-credential.yaml', 'machines/3-vm.yaml']
  const texts = await Promise.all(files.map((file) => readFile(join(root, 'examples/gitops/team-a', file), 'utf8')))
  const inSim = (text: string) => text.replaceAll('provider: aws', 'provider: sim').replaceAll('us-east-1', 'sim-1')
  tree = texts.flatMap((text) => documentsOf(inSim(text)))
})
afterAll(async () => {
  await worker?.[Symbol.asyncDispose]()
  await sim?.stop(0)
  await cluster?.stop()
  await rm(directory, { recursive: true, force: true })
})

interface SimInstance {
  readonly id: string
  readonly state: string
  readonly tags: Readonly<Record<string, string>>
}

/** What the cloud has now, terminated ones left out. */
async function instances(): Promise<readonly SimInstance[]> {
  const answer = (await (await fetch(`${simUrl}/instances`)).json()) as { readonly instances: readonly SimInstance[] }
  return answer.instances
}

const vmField = (name: string, field: string) =>
  cluster.kubectl('get', 'vm', name, '-n', 'team-a', '-o', `jsonpath={${field}}`)

describe('SkyClust in a cluster', { timeout: 240_000 }, () => {
  it('is installed by helm, and its pods become ready with the rights of the chart', async () => {
    await cluster.kubectl('create', 'namespace', 'skyclust-system')
    await cluster.kubectl('label', 'namespace', 'skyclust-system', 'pod-security.kubernetes.io/enforce=restricted')
    await helm(['install', ...release, '--wait', '--timeout', '3m'], values)
    expect(await worker.ready('skyclust-controller', 2)).toHaveLength(2)
    expect(await worker.ready('skyclust-api', 2)).toHaveLength(2)
  })

  it('lets the first administrator in, with the password that the chart made', async () => {
    const secret = await cluster.kubectl(
      'get',
      'secret',
      'skyclust-admin-password',
      '-n',
      'skyclust-system',
      '-o',
      'jsonpath={.data.password}',
    )
    const [api] = await worker.ready('skyclust-api')
    const password = Buffer.from(secret, 'base64').toString()
    admin = await person(api?.url ?? '', { email: 'admin@example.com', password, name: 'Administrator' })
    expect((await admin.get('/api/v1/users/me')).body.data.email).toBe('admin@example.com')
  })

  it('takes a tree from git, wave after wave, and never changes what git says', async () => {
    const [first = []] = [tree.filter(({ kind }) => ['User', 'Workspace'].includes(kind))]
    await sync(cluster, first)
    await cluster.kubectl(
      'create',
      'secret',
      'generic',
      'aws-main',
      '-n',
      'team-a',
      '--from-literal=access_key=AKIAEXAMPLE',
      '--from-literal=secret_key=any',
    )
    await sync(cluster, tree)
    expect(await difference(cluster, tree)).toBe('')
    expect((await instances()).map(({ tags }) => tags.Name).sort()).toEqual(['db-1', 'web-1'])
  })

  it('does not fight with git over a VM that is stopped by REST, and says who decides where git does', async () => {
    const workspaces = await admin.get('/api/v1/workspaces')
    const teamA = workspaces.body.data.find(({ name }: { name: string }) => name === 'Team A')
    const vms = await admin.get(`/api/v1/vms?workspace_id=${teamA.id}`)
    const idOf = (wanted: string) => vms.body.data.find(({ name }: { name: string }) => name === wanted).id
    expect((await admin.post(`/api/v1/vms/${idOf('web-1')}/stop`)).status).toBe(200)
    await until(
      () => admin.get(`/api/v1/vms/${idOf('web-1')}`),
      ({ body }) => body.data.status === 'stopped',
    )
    await sync(cluster, tree)
    expect(await difference(cluster, tree)).toBe('')
    expect(await vmField('web-1', '.spec.powerState')).toBe('Stopped')

    const refused = await admin.post(`/api/v1/vms/${idOf('db-1')}/stop`)
    expect(refused.status).toBe(409)
    expect(refused.body.error.message).toContain('argocd-controller')
  })

  it('tells Argo CD of a machine that cannot be made, and of one that is paused, and changes nothing of theirs', async () => {
    const [vm] = tree.filter(({ kind, metadata }) => kind === 'VM' && metadata.name === 'web-1')
    const broken = {
      ...vm,
      metadata: { name: 'broken', namespace: 'team-a' },
      spec: { ...vm?.spec, image: 'bad-image' },
    } as Manifest
    const paused = {
      ...vm,
      metadata: { name: 'paused', namespace: 'team-a', annotations: { 'skyclust.io/paused': 'true' } },
    } as Manifest
    const [yaml, inNamespace] = [[broken, paused].map((one) => stringify(one)).join('---\n'), ['-n', 'team-a']]
    await cluster.kubectlWith(yaml, 'apply', '--server-side', '--field-manager=argocd-controller', '-f', '-')
    const healthOf = async (name: string) =>
      argoHealth(parse(await cluster.kubectl('get', 'vm', name, ...inNamespace, '-o', 'yaml')))
    await vi.waitFor(async () => expect((await healthOf('broken')).status).toBe('Degraded'), {
      timeout: 60_000,
      interval: 200,
    })
    expect((await healthOf('broken')).message).toContain('bad-image')
    expect((await healthOf('paused')).status).toBe('Suspended')
    expect(await difference(cluster, [broken, paused])).toBe('')
    await cluster.kubectl('annotate', 'vm', 'paused', ...inNamespace, 'skyclust.io/paused-')
    await cluster.kubectl('delete', 'vm', 'broken', 'paused', ...inNamespace, '--timeout=100s')
  })

  it('is waited for by kstatus itself, as Helm 4 and Flux read it', async () => {
    const [vm] = tree.filter(({ kind, metadata }) => kind === 'VM' && metadata.name === 'web-1')
    const folder = join(directory, 'machine')
    await mkdir(join(folder, 'templates'), { recursive: true })
    await writeFile(join(folder, 'Chart.yaml'), stringify({ apiVersion: 'v2', name: 'machine', version: '1.0.0' }))
    const waited = { ...vm, metadata: { name: 'waited-for', namespace: 'team-a' } }
    await writeFile(join(folder, 'templates/vm.yaml'), stringify(waited))
    await helm(['install', 'machine', folder, '--namespace', 'team-a', '--wait=watcher', '--timeout', '2m'])
    expect(await vmField('waited-for', '.status.state')).toBe('running')
    await helm(['uninstall', 'machine', '--namespace', 'team-a', '--wait=watcher', '--timeout', '2m'])
    expect(await cluster.kubectl('get', 'vms', '-n', 'team-a', '-o', 'name')).not.toContain('waited-for')
  })

  it('serves somebody who has never seen Kubernetes, from the registration to a machine', async () => {
    const account = { email: 'bob@example.com', password: 'pass word 1', name: 'Bob' }
    const { url } = (await worker.ready('skyclust-api'))[0] as RunningPod
    await rest(url ?? '').post('/api/v1/auth/register', { body: account })
    bob = await person(url ?? '', account)
    const made = await bob.post('/api/v1/workspaces', { body: { name: 'Research' } })
    expect(made.status).toBe(201)
    research = made.body.data.id
    await bob.put(`/api/v1/workspaces/${research}`, { body: { description: 'What Bob tries out' } })
    await bob.post(`/api/v1/workspaces/${research}/members`, { body: { email: 'admin@example.com', role: 'viewer' } })
    const key = { access_key: '222222222222', secret_key: 'any', region: 'sim-1' }
    credential = await bob.post('/api/v1/credentials', {
      body: { workspace_id: research, provider: 'sim', credentials: key },
    })
    expect(credential.status).toBe(201)
    await bob.put(`/api/v1/credentials/${credential.body.data.id}`, { body: { credentials: key } })
    const vm = await bob.post('/api/v1/vms', {
      headers: { prefer: 'wait=30' },
      body: {
        workspace_id: research,
        name: 'lab',
        provider: 'sim',
        instance_type: 't3.micro',
        region: 'sim-1',
        image_id: 'ami-1',
      },
    })
    expect(vm.status).toBe(201)
    await until(
      () => bob.get(`/api/v1/vms/${vm.body.data.id}`),
      ({ body }) => body.data.status === 'running',
      60_000,
    )
    expect((await bob.get(`/api/v1/providers/sim/instances?workspace_id=${research}`)).body.data).toHaveLength(1)
    expect((await bob.delete(`/api/v1/vms/${vm.body.data.id}`)).status).toBe(200)
    await until(
      () => bob.get(`/api/v1/vms/${vm.body.data.id}`),
      ({ status }) => status === 404,
      60_000,
    )
  })

  it('runs a stack of OpenTofu in pods, and tells what they print', async () => {
    const config = 'resource "terraform_data" "one" {\n  input = "first"\n}\n'
    const started = await bob.post('/api/v1/iac/apply', { body: { workspace_id: research, config } })
    expect(started.status).toBe(201)
    const execution = `/api/v1/iac/executions/${started.body.data.id}`
    const over = await until(
      () => bob.get(execution),
      ({ body }) => ['completed', 'failed'].includes(body.data.status),
      90_000,
    )
    expect(over.body.data).toMatchObject({ status: 'completed', error: '' })
    expect(over.body.data.output).toContain('1 added')

    const slow = 'resource "terraform_data" "one" {\n  provisioner "local-exec" {\n    command = "sleep 60"\n  }\n}\n'
    const second = await bob.post('/api/v1/iac/apply', { body: { workspace_id: research, config: slow } })
    const cancelled = `/api/v1/iac/executions/${second.body.data.id}`
    expect((await bob.post(`${cancelled}/cancel`)).status).toBe(200)
    await until(
      () => bob.get(cancelled),
      ({ body }) => body.data.status === 'cancelled',
      60_000,
    )
  })

  it('keeps to a quota that an administrator sets and lifts', async () => {
    const quota = async (spec: string) => {
      await cluster.kubectl('patch', 'workspace', 'team-a', '--type=merge', '-p', `{"spec":{"quota":${spec}}}`)
      const wanted = spec === 'null' ? '' : '2'
      await vi.waitFor(
        async () => {
          const hard = 'jsonpath={.items[*].spec.hard.count/vms\\.skyclust\\.io}'
          expect(await cluster.kubectl('get', 'resourcequotas', '-n', 'team-a', '-o', hard)).toBe(wanted)
        },
        { timeout: 180_000, interval: 200 },
      )
    }
    await quota('{"vms":2}')
    await quota('null')
  })

  it('has the metrics that its alerts and its dashboard ask for', async () => {
    const pods = [...(await worker.ready('skyclust-controller')), ...(await worker.ready('skyclust-api'))]
    const texts = await Promise.all(pods.map(async ({ metricsUrl }) => (await fetch(`${metricsUrl}/metrics`)).text()))
    const there = new Set(
      texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name]) => name ?? '')),
    )
    const queries = [...(await alertRules()).map(({ expr }) => expr), ...(await dashboardQueries())]
    // `up` is Prometheus' own.
    const missing = queries
      .flatMap(metricsIn)
      .filter((name) => !there.has(name.replace(/_(bucket|count|sum)$/, '')) && !there.has(name))
    expect([...new Set(missing)]).toEqual([])
    expect(queries.flatMap(metricsIn).length).toBeGreaterThan(40)
  })

  it('is upgraded under way, and the cloud notices nothing', async () => {
    const before = (await instances()).map(({ id }) => id)
    const pods = worker.running.map(({ pod }) => pod.metadata.uid)
    await helm(['upgrade', ...release, '--wait', '--timeout', '3m'], {
      ...values,
      settings: { SKYCLUST_PROVIDERS: 'sim', SKYCLUST_SIM_URL: simUrl, SKYCLUST_LOG_LEVEL: 'debug' },
    })
    // What the API server has deleted, the node hears of a moment later.
    await vi.waitFor(() => expect(worker.running.filter(({ pod }) => pods.includes(pod.metadata.uid))).toEqual([]), {
      timeout: 60_000,
    })
    const [api] = await worker.ready('skyclust-api')
    expect((await bob.at(api?.url ?? '').get('/api/v1/users/me')).status).toBe(200)
    bob = { ...bob, ...bob.at(api?.url ?? '') }
    admin = { ...admin, ...admin.at(api?.url ?? '') }
    expect((await instances()).map(({ id }) => id)).toEqual(before)
    expect(await difference(cluster, tree)).toBe('')
  })

  it('gives a workspace back over REST, and a user', async () => {
    expect((await bob.delete(`/api/v1/credentials/${credential.body.data.id}`)).status).toBe(200)
    expect((await bob.delete(`/api/v1/workspaces/${research}`)).status).toBe(200)
    await until(
      () => bob.get(`/api/v1/workspaces/${research}`),
      ({ status }) => status === 404,
      60_000,
    )
    expect((await bob.put('/api/v1/users/me', { body: { name: 'Robert', email: 'robert@example.com' } })).status).toBe(
      200,
    )
    const token = await bob.post('/api/v1/auth/tokens', { body: { name: 'ci' } })
    expect(token.status).toBe(201)
    expect((await bob.delete(`/api/v1/auth/sessions/${token.body.data.id}`)).status).toBe(200)
    const estimate = { instance_type: 't3.micro', region: 'sim-1', duration_hours: 10 }
    const estimated = await bob.post('/api/v1/providers/sim/cost-estimates', { body: estimate })
    expect(estimated.status).toBe(201)
    await bob.delete(`/api/v1/providers/sim/cost-estimates/${estimated.body.data.id}`)
    expect((await bob.delete('/api/v1/users/me')).status).toBe(200)
    expect((await bob.get('/api/v1/users/me')).status).toBe(401)
    expect((await admin.post('/api/v1/auth/logout')).status).toBe(200)
  })

  it('is uninstalled with nothing left in the cloud', async () => {
    await cluster.kubectl('delete', 'workspace', 'team-a', '--timeout=150s')
    expect(await instances()).toEqual([])
    expect(await cluster.kubectl('get', 'vms,credentials,tofuruns', '-A', '-o', 'name')).toBe('')
    uninstalledAt = new Date()
    await helm(['uninstall', 'skyclust', '--namespace', 'skyclust-system', '--wait', '--timeout', '3m'])
    await vi.waitFor(() => expect(worker.running).toEqual([]), { timeout: 180_000 })
  })

  it('has logged no failure that nobody expected, and no secret', () => {
    const errors = worker.logs().filter(({ level }) => Number(level) >= 50)
    expect(errors).toEqual([])
  })

  it.each(['skyclust-controller', 'skyclust-api'] as const)(
    'needed each right of %s, and no other',
    async (account) => {
      const used = await rightsUsed(account, directory, uninstalledAt)
      expect(used.refused).toEqual([])
      expect(superfluous(await rightsGranted(account), used)).toEqual([])
    },
  )
})
