/**
 * The facade with many who listen: 10,000 VMs in 1,000 workspaces, 5,000 streams, and how long a change takes from the write to
 * each of its listeners. `FACADE_LIVE=100` makes everything a hundredth of that.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { vmKind } from '../../crds/vm.ts'
import { workspaceKind } from '../../crds/workspace.ts'
import { namespaceType } from '../../kube/builtin-types.ts'
import { kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { type Installation, startInstallation } from '../contract/installation.ts'
import type { Person } from '../contract/rest.ts'
import { gather } from './facade/crowd.ts'
import { usageOf } from './facade/programs.ts'
import { report } from './report.ts'
import { inParallel } from './seed/in-parallel.ts'
import { copyRecord } from './seed/records.ts'

const share = Number(process.env.FACADE_LIVE ?? '1')
const WORKSPACES = Math.ceil(1_000 / share)
const VMS_EACH = 10
const LISTENERS = Math.ceil(5_000 / share)
const PEOPLE = Math.ceil(50 / share)
const CHANGES_A_SECOND = 50
const MEASURE_SECONDS = 30

await using installation = await startInstallation({ controller: false })
const { cluster } = installation
const client = kubeClient({
  cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
  fieldManager: 'bench',
})
const metricsUrl = String((await installation.facades[0]?.logged(({ msg }) => msg === 'listening'))?.metrics)
const empty = await usageOf(metricsUrl)

console.log(`${WORKSPACES} workspaces, ${WORKSPACES * VMS_EACH} VMs …`)
const people = await register(installation)
const workspaces = await furnish(people)
await settled()
const furnished = await usageOf(metricsUrl)

console.log(`${LISTENERS} listeners …`)
/** When the write that gave this address was sent, and how long it took to reach each listener. */
const sentAt = new Map<string, number>()
const delays: number[] = []
const gatheredAt = performance.now()
using crowd = await gather({
  url: new URL(installation.url),
  streams: Array.from({ length: LISTENERS }, (_, index) => {
    const { id, owner } = workspaces[index % workspaces.length] as Furnished
    return { path: `/api/v1/workspaces/${id}/watch`, token: owner.token }
  }),
  onAddress(address) {
    const sent = sentAt.get(address)
    if (sent !== undefined) delays.push(performance.now() - sent)
  },
})
const gatherSeconds = (performance.now() - gatheredAt) / 1000
const crowded = await usageOf(metricsUrl)

console.log(`${CHANGES_A_SECOND} changes a second …`)
const listenersOfEach = LISTENERS / WORKSPACES
const writes: number[] = []
const generator = process.cpuUsage()
const startedAt = performance.now()
const changes = CHANGES_A_SECOND * MEASURE_SECONDS
await Promise.all(
  Array.from({ length: changes }, async (_, number) => {
    await sleep((number / CHANGES_A_SECOND) * 1000)
    await change(number)
  }),
)
await sleep(2_000)
const seconds = (performance.now() - startedAt) / 1000
const busy = await usageOf(metricsUrl)
const { user, system } = process.cpuUsage(generator)

delays.sort((one, other) => one - other)
writes.sort((one, other) => one - other)
const at = (sorted: readonly number[], part: number) => sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN
report({
  name: 'facade-live',
  about: `${LISTENERS} streams over ${WORKSPACES} workspaces with ${WORKSPACES * VMS_EACH} VMs, ${CHANGES_A_SECOND} changes a second, each to ${listenersOfEach} listeners; delays from the moment the write is sent to the API server.`,
  figures: [
    {
      label: 'write to listener, p99',
      value: at(delays, 0.99),
      unit: 'ms',
      against: { label: 'of which the API server answered the write in', value: at(writes, 0.99) },
      expected: 'under 250 ms',
    },
    {
      label: 'write to listener, median',
      value: at(delays, 0.5),
      unit: 'ms',
      against: { label: 'of which the API server answered the write in', value: at(writes, 0.5) },
    },
    {
      label: 'changes told, of those to be told',
      value: (100 * delays.length) / (changes * listenersOfEach),
      unit: '%',
    },
    { label: 'streams that ended by themselves', value: crowd.ended, unit: 'streams' },
    { label: 'all streams open and told what there is', value: gatherSeconds, unit: 's' },
    { label: 'resident memory, empty', value: empty.residentMiB, unit: 'MiB' },
    { label: 'resident memory, with the objects', value: furnished.residentMiB, unit: 'MiB' },
    { label: 'resident memory, with the listeners', value: crowded.residentMiB, unit: 'MiB' },
    {
      label: 'processor of the facade',
      value: (100 * (busy.cpuSeconds - crowded.cpuSeconds)) / seconds,
      unit: '% of a core',
    },
    { label: 'processor of the generator', value: (user + system) / 1e4 / seconds, unit: '% of a core' },
  ],
})
await client.close()

async function register({ newcomer }: Installation): Promise<Person[]> {
  const registered: Person[] = []
  for (let number = 0; number < PEOPLE; number++) registered.push(await newcomer(`p${number}`))
  return registered
}

interface Furnished {
  readonly id: string
  readonly owner: Person
}

/** By hand: there is no controller here, which would only get in the way. */
async function furnish(owners: readonly Person[]): Promise<Furnished[]> {
  const users = JSON.parse(await cluster.kubectl('get', 'users.skyclust.io', '-o', 'json')).items
  const nameOf = new Map<string, string>(
    users.map((user: { metadata: { uid: string; name: string } }) => [user.metadata.uid, user.metadata.name]),
  )
  const ownerOf = (index: number) => owners[index % owners.length] as Person
  const ownerName = (index: number) => nameOf.get(ownerOf(index).id) ?? ''

  // One more than is asked for, which the others are copies of.
  await inParallel(WORKSPACES + 1, async (index) => {
    await client.create(namespaceType, { metadata: { name: namespaceOf(index) } })
  })
  const model = { namespace: namespaceOf(WORKSPACES), name: vmName(0) }
  const workspace = await client.create(workspaceKind, {
    metadata: { name: model.namespace },
    spec: { owner: ownerName(0) },
  })
  const vm = await client.create(vmKind, {
    metadata: model,
    spec: {
      provider: 'sim',
      credentialRef: { name: 'sim' },
      region: 'sim-1',
      instanceType: 't3.micro',
      image: 'ami-0abcdef1234567890',
    },
  })
  const uids = await copyRecord(cluster, workspaceKind, {
    model: workspace,
    count: WORKSPACES,
    differenceOf: (index) => {
      const name = namespaceOf(index)
      return { metadata: { name }, spec: { owner: ownerName(index) }, status: { namespace: name } }
    },
  })
  await copyRecord(cluster, vmKind, {
    model: vm,
    count: WORKSPACES * VMS_EACH,
    differenceOf: (index) => ({
      metadata: { namespace: namespaceOf(index % WORKSPACES), name: vmName(Math.floor(index / WORKSPACES)) },
    }),
  })
  return uids.map((id, index) => ({ id, owner: ownerOf(index) }))
}

function namespaceOf(index: number): string {
  return `live-${index}`
}

function vmName(index: number): string {
  return `vm-${index}`
}

/** Until the facade has heard of the last of them. */
async function settled(): Promise<void> {
  const admin = await installation.admin()
  for (;;) {
    const { headers } = await admin.get('/api/v1/vms?limit=1')
    if (Number(headers.get('x-total-count')) === WORKSPACES * VMS_EACH) return
    await sleep(100)
  }
}

async function change(number: number): Promise<void> {
  const namespace = namespaceOf(number % WORKSPACES)
  const address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`
  const name = vmName(Math.floor(number / WORKSPACES) % VMS_EACH)
  const status = { status: { state: 'running', privateIP: address } }
  const sent = performance.now()
  sentAt.set(address, sent)
  await client.patch(vmKind, { namespace, name }, status, { kind: 'merge', subresource: 'status' })
  writes.push(performance.now() - sent)
}
