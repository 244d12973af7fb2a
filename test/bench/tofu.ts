/**
 * OpenTofu runs as child processes of the real controller: what a run costs over the same `tofu` by hand, a hundred runs over twenty stacks, and
 * thirty megabytes of state. Ends with an error when two runs of one stack overlapped, or more worked at once than may.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { blobStore } from '../../controller/tofu-run/state/blob-store.ts'
import { keyring } from '../../controller/tofu-run/state/keyring.ts'
import { seal } from '../../controller/tofu-run/state/sealed-blob.ts'
import { secretObjects } from '../../controller/tofu-run/state/secret-objects.ts'
import { stateStore } from '../../controller/tofu-run/state/state-store.ts'
import { type TofuRun, tofuRunKind } from '../../crds/tofu-run.ts'
import { configMapType } from '../../kube/builtin-types.ts'
import { cache } from '../../kube/cache.ts'
import { kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { workshop } from '../../tools/workshop.ts'
import { NAMESPACE, startInstallation } from '../contract/installation.ts'
import { type Figure, report } from './report.ts'
import { bareRun, everyReplaced, median, overlaps, spanIn, twenty } from './tofu/by-hand.ts'

const ROUNDS = 5
const RUNS = 100
const STACKS = 20
const PARALLEL = 4
const STATE_BYTES = 30 * 1024 * 1024

await using installation = await startInstallation()
const { cluster, controller } = installation
const client = kubeClient({
  cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
  fieldManager: 'bench',
})
const tofu = await workshop({ environment: process.env, home: homedir() }).obtain('tofu')
const namespace = await cluster.namespace('bench')
const stop = new AbortController()
const runs = cache(client, tofuRunKind, { namespace, signal: stop.signal })
await runs.synced()

async function make(name: string, stack: string, main: string): Promise<void> {
  const spec = { command: 'apply', stack, source: { inline: { 'main.tf': main } } }
  await client.create(tofuRunKind, { metadata: { namespace, name }, spec } as unknown as TofuRun)
}

async function over(name: string): Promise<void> {
  const isOver = (run: TofuRun | undefined) => run?.status?.completedAt !== undefined
  await runs.until({ namespace, name }, isOver, { timeoutMs: 600_000 })
  const { phase, error } = runs.get({ namespace, name })?.status ?? {}
  if (phase !== 'Completed') throw new Error(`run ${name} is ${phase}: ${error}`)
}

const timed = async (work: () => Promise<unknown>) => {
  const from = performance.now()
  await work()
  return performance.now() - from
}

console.log(`plan and apply of 20 resources, ${ROUNDS} times by hand and as a run …`)
const byHand: number[] = []
const asRun: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  byHand.push(await timed(() => bareRun(tofu, cluster.directory, twenty)))
  asRun.push(
    await timed(async () => {
      await make(`single-${round}`, `single-${round}`, twenty)
      await over(`single-${round}`)
    }),
  )
}

console.log(`${RUNS} runs over ${STACKS} stacks …`)
const idleMiB = await residentMiB()
const names = Array.from({ length: RUNS }, (_, index) => ({
  name: `many-${index}`,
  stack: `stack-${index % STACKS}`,
}))
const wall = await timed(async () => {
  for (const { name, stack } of names) await make(name, stack, everyReplaced(name))
  await Promise.all(names.map(({ name }) => over(name)))
})
const busyMiB = await residentMiB()
const { overlapping, mostAtOnce } = overlaps(await Promise.all(names.map(spanOf)))
if (overlapping > 0 || mostAtOnce > PARALLEL) throw new Error(`${overlapping} overlapped, ${mostAtOnce} at once`)
const one = everyReplaced('x')
const bareOnes: number[] = []
for (let round = 0; round < 10; round++) bareOnes.push(await timed(() => bareRun(tofu, cluster.directory, one)))

console.log('30 MB of state …')
const secrets = secretObjects(client, NAMESPACE)
const now = () => Date.now()
const keys = keyring({ secrets, randomBytes, now })
const states = stateStore({
  secrets,
  blobs: blobStore({ secrets, keyring: keys, randomBytes, now }),
  now,
  keepVersions: 2,
})
const stack = { namespace, namespaceUid: 'bench', name: 'large' }
const claim = { run: 'bench', phase: 'apply' } as const
await states.acquire(stack, { ...claim, name: 'bench', since: new Date().toISOString() })
const head = '{"version":4,"serial":1,"lineage":"bench","outputs":{},"resources":["'
const bytes = Buffer.concat([
  Buffer.from(head),
  Buffer.from(randomBytes((STATE_BYTES * 3) / 4).toString('base64')),
  Buffer.from('"]}'),
])
const key = await keys.primary()
const sealing = await timed(() => seal({ plain: bytes, key, boundTo: 'bench', randomBytes }))
const up = await timed(() => states.write(stack, { claim, bytes, writtenBy: 'bench' }))
const down = await timed(async () => {
  if (!(await states.read(stack))?.equals(bytes)) throw new Error('what was read is not what was written')
})

const figures: Figure[] = [
  {
    label: 'plan and apply of 20 resources, as a run',
    value: median(asRun) / 1000,
    unit: 's',
    against: { label: 'tofu by hand', value: median(byHand) / 1000 },
    expected: 'at most 2 s more',
  },
  {
    label: `${RUNS} runs over ${STACKS} stacks, ${PARALLEL} at a time, none overlapping`,
    value: wall / 1000,
    unit: 's',
    against: { label: 'tofu by hand, one after the other', value: (median(bareOnes) * RUNS) / 1000 },
  },
  {
    label: 'resident memory of the controller after them',
    value: busyMiB,
    unit: 'MiB',
    against: { label: 'before', value: idleMiB },
  },
  {
    label: 'saving 30 MB of state, hardly compressible',
    value: up / 1000,
    unit: 's',
    against: { label: 'compressing and encrypting it', value: sealing / 1000 },
  },
  {
    label: 'reading it back',
    value: down / 1000,
    unit: 's',
    against: { label: 'compressing and encrypting it', value: sealing / 1000 },
  },
]
report({
  name: 'tofu',
  about: 'OpenTofu runs as child processes of the controller against the same tofu by hand; states in the cluster',
  figures,
})
stop.abort()
await runs.done
await client.close()

/** From what its apply printed, as it is kept beside the run. */
async function spanOf({ name, stack }: { name: string; stack: string }) {
  const printed = await client.get(configMapType, { namespace, name: `${name}-apply-output-0` })
  return spanIn(printed.data?.output ?? '', stack)
}

async function residentMiB(): Promise<number> {
  const status = await readFile(`/proc/${controller?.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024
}
