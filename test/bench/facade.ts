/**
 * Reads of the facade against the same reads of kube-apiserver and against a bare Hono route with the same bytes; logins; and
 * what a flood of logins does to reads. All in one run, each server a process of its own.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { vmKind } from '../../crds/vm.ts'
import { workspaceKind } from '../../crds/workspace.ts'
import { namespaceType } from '../../kube/builtin-types.ts'
import { type KubeClient, kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { startProgram } from '../cluster/program.ts'
import { startInstallation } from '../contract/installation.ts'
import { type Person, rest } from '../contract/rest.ts'
import { type LoadResult, load, once, type Target } from './facade/load.ts'
import { type Figure, report } from './report.ts'

const ROWS = 100
const CONNECTIONS = 32
const MEASURE_MS = 5_000
const WARM_UP_MS = 2_000
const TURN_MS = 1_500
const ROUNDS = 9
/** Logins at one account go one after the other; these are many people's. */
const ACCOUNTS = 20

await using installation = await startInstallation({
  controller: false,
  env: { SKYCLUST_USER_RATE: '1000000', SKYCLUST_USER_BURST: '1000000' },
})
const { cluster, url } = installation
const admin = await installation.admin()
const { vmId, vmName, workspaceId, namespace } = await furnish(admin)

const facade = (path: string): Target => ({
  url: new URL(url),
  path,
  headers: { authorization: `Bearer ${admin.token}`, 'accept-language': 'en' },
})
const apiserver = (path: string): Target => ({
  url: cluster.server,
  path,
  headers: { accept: 'application/json' },
  tls: { ca: cluster.authority.certificate, cert: cluster.administrator.certificate, key: cluster.administrator.key },
})

const one = facade(`/api/v1/vms/${vmId}`)
const many = facade(`/api/v1/vms?workspace_id=${workspaceId}`)
const bodies = join(cluster.directory, 'bodies.json')
await writeFile(bodies, JSON.stringify({ one: await once(one), many: await once(many) }))
await using bare = startProgram({ main: 'test/bench/facade/bare-hono.ts', env: { BODIES: bodies } })
const bareUrl = new URL(String((await bare.logged(({ msg }) => msg === 'listening')).url))
const vms = `/apis/skyclust.io/v1alpha1/namespaces/${namespace}/vms`

console.log('GET /vms/:id …')
const single = await compare({
  facade: one,
  bare: { url: bareUrl, path: '/bytes/one' },
  apiserver: apiserver(`${vms}/${vmName}`),
})
console.log(`GET /vms?workspace_id= (${ROWS} rows) …`)
const listed = await compare({
  facade: many,
  bare: { url: bareUrl, path: '/bytes/many' },
  apiserver: apiserver(`${vms}?limit=500`),
})
console.log('half of the top rate, logins, reads beside logins …')
const half = await load(one, {
  connections: CONNECTIONS,
  durationMs: MEASURE_MS,
  rate: single.facade.requestsPerSecond / 2,
})
const people = await Promise.all(Array.from({ length: ACCOUNTS }, (_, index) => installation.newcomer(`P${index}`)))
const login = await logins(20, 1)
const failed = await logins(20, 1, 'wrong')
const calm = await load(one, { connections: 4, durationMs: MEASURE_MS, rate: 500 })
const flood = logins(200, 200)
const besides = await load(one, { connections: 4, durationMs: 3_000, rate: 500 })
const flooded = await flood

report({
  name: 'facade',
  about: `reads with authentication, authorisation, rate limit and audit; ${CONNECTIONS} connections, the median of ${ROUNDS} turns of each`,
  figures: [
    ...figures('GET /vms/:id', single),
    ...figures(`GET /vms?workspace_id=, ${ROWS} rows`, listed),
    { label: 'GET /vms/:id at half of the top rate, p99', value: half.p99Ms, unit: 'ms', expected: 'under 10 ms' },
    { label: 'a login', value: login.meanMs, unit: 'ms' },
    { label: 'a failed login', value: failed.meanMs, unit: 'ms' },
    { label: '200 logins at once, until the last', value: flooded.totalMs / 1000, unit: 's' },
    {
      label: 'GET /vms/:id beside them, p99',
      value: besides.p99Ms,
      unit: 'ms',
      against: { label: 'without them', value: calm.p99Ms },
    },
    {
      label: 'processor of the generator, on the facade and on bare Hono',
      value: 100 * single.facade.generatorShare,
      unit: '% of a core',
      against: { label: 'bare Hono', value: 100 * single.bare.generatorShare },
    },
  ],
})

interface Compared {
  readonly facade: LoadResult
  readonly bare: LoadResult
  readonly apiserver: LoadResult
}

/**
 * Takes short turns, so that whatever else the machine does happens to all of them; the median turn of each counts, because the
 * best one says only which of them was disturbed least.
 */
async function compare(targets: Readonly<Record<keyof Compared, Target>>): Promise<Compared> {
  const turns: Record<keyof Compared, LoadResult[]> = { facade: [], bare: [], apiserver: [] }
  for (const target of Object.values(targets)) await load(target, { connections: CONNECTIONS, durationMs: WARM_UP_MS })
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, target] of Object.entries(targets) as [keyof Compared, Target][]) {
      turns[name].push(await load(target, { connections: CONNECTIONS, durationMs: TURN_MS }))
    }
  }
  const median = (results: LoadResult[]) =>
    results.toSorted((one, other) => one.requestsPerSecond - other.requestsPerSecond)[ROUNDS >> 1] as LoadResult
  return { facade: median(turns.facade), bare: median(turns.bare), apiserver: median(turns.apiserver) }
}

function figures(label: string, { facade, bare, apiserver }: Compared): Figure[] {
  const value = facade.requestsPerSecond
  const unit = 'req/s'
  return [
    { label, value, unit, against: { label: 'bare Hono', value: bare.requestsPerSecond }, expected: 'at least 0.8' },
    {
      label,
      value,
      unit,
      against: { label: 'kube-apiserver', value: apiserver.requestsPerSecond },
      expected: 'at least 10',
    },
  ]
}

async function logins(count: number, atOnce: number, wrong?: string) {
  const startedAt = performance.now()
  for (let done = 0; done < count; done += atOnce) {
    await Promise.all(
      Array.from({ length: atOnce }, (_, index) => {
        const { email, password } = people[(done + index) % people.length] ?? admin
        return rest(url).post('/api/v1/auth/login', { body: { email, password: wrong ?? password } })
      }),
    )
  }
  const totalMs = performance.now() - startedAt
  return { totalMs, meanMs: totalMs / count }
}

/** A workspace with VMs, made by hand: there is no controller here, which would only get in the way. */
async function furnish(owner: Person) {
  await using client = administrator()
  const namespace = 'bench'
  await client.create(namespaceType, { metadata: { name: namespace } })
  const spec = { owner: await userNameOf(owner) }
  const workspace = await client.create(workspaceKind, { metadata: { name: namespace }, spec })
  await client.patch(
    workspaceKind,
    { name: namespace },
    { status: { namespace } },
    { kind: 'merge', subresource: 'status' },
  )
  const made = await Promise.all(Array.from({ length: ROWS }, (_, index) => makeVm(client, `vm-${index}`)))
  const [vm] = made
  await owner.get('/api/v1/vms') // by now the facade has heard of the last one
  return {
    vmId: vm?.metadata.uid ?? '',
    vmName: vm?.metadata.name ?? '',
    workspaceId: workspace.metadata.uid,
    namespace,
  }

  async function makeVm(client: KubeClient, name: string) {
    const spec = {
      provider: 'aws' as const,
      credentialRef: { name: 'aws-main' },
      region: 'us-east-1',
      instanceType: 't3.micro',
      image: 'ami-0abcdef1234567890',
    }
    const vm = await client.create(vmKind, { metadata: { namespace, name }, spec })
    const status = { instanceID: `i-${name}`, state: 'running', publicIP: '203.0.113.7', privateIP: '10.0.0.7' }
    return client.patch(vmKind, vm.metadata, { status }, { kind: 'merge', subresource: 'status' })
  }
}

async function userNameOf({ id }: Person): Promise<string> {
  const users = JSON.parse(await cluster.kubectl('get', 'users.skyclust.io', '-o', 'json'))
  return users.items.find((user: { metadata: { uid: string } }) => user.metadata.uid === id).metadata.name
}

function administrator() {
  const client = kubeClient({
    cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
    fieldManager: 'bench',
  })
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() })
}
