/**
 * What the scale benchmark stands on: a real control plane, a cloud and the controller, each a process of its own, and
 * what is asked of them from outside: `/proc`, the apiserver's and the controller's metrics, the cloud's call counts.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type KubeClient, kubeClient } from '../../../kube/client.ts'
import { loadCluster } from '../../../kube/cluster.ts'
import { freePort } from '../../../tools/free-port.ts'
import { install } from '../../../tools/installation.ts'
import { startCluster, type TestCluster } from '../../cluster/cluster.ts'
import { processKubeconfig } from '../../cluster/process-account.ts'
import { type Program, startProgram } from '../../cluster/program.ts'
import type { BenchCloud, BenchCloudKind, CloudCalls } from './clouds.ts'

export interface Rig extends AsyncDisposable {
  readonly cluster: TestCluster
  readonly client: KubeClient
  readonly cloud: BenchCloud
  /** Resolves when its metrics are there. Throws with its last words if it ends before. */
  startController(): Promise<Controller>
  /** The apiserver's own count of writes that it took, those of Leases left out. */
  apiserverWrites(): Promise<Writes>
  /** By the cloud's own count; where it has none, by that of the controller that runs. */
  cloudCalls(): Promise<CloudCalls>
}

export interface Writes {
  /** To VMs and their status. */
  readonly vms: number
  /** To whatever else is no Event. */
  readonly others: number
  readonly events: number
}

export interface Controller {
  readonly program: Program
  usage(): Promise<ProcessUsage>
  /** One value of its `/metrics`; `undefined` when there is no such line. */
  metric(name: string): Promise<number | undefined>
}

export interface ProcessUsage {
  readonly residentMiB: number
  /** The most it ever had. */
  readonly peakMiB: number
  readonly cpuSeconds: number
}

const NAMESPACE = 'skyclust-system'
const ROOT = join(import.meta.dirname, '../../..')
const READS = new Set(['verify', 'regions', 'list'])
const WRITES = new Set(['POST', 'PUT', 'PATCH', 'APPLY', 'DELETE'])
/** Of `/proc/<pid>/stat`: USER_HZ is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

export async function startRig(kind: BenchCloudKind): Promise<Rig> {
  const cluster = await startCluster()
  await install({ kubectl: cluster.kubectlWith, root: ROOT, namespace: NAMESPACE })
  const directory = await mkdtemp(join(tmpdir(), 'skyclust-bench-'))
  const cloud = await kind.start()
  const kubeconfig = await processKubeconfig(cluster, {
    account: 'skyclust-controller',
    namespace: NAMESPACE,
    directory,
  })
  const client = kubeClient({
    cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
    fieldManager: 'skyclust-bench',
    qps: 10_000,
    burst: 10_000,
  })

  const none = async (): Promise<readonly string[]> => []
  /** Metrics of the controller that runs. */
  let lines = none

  return {
    cluster,
    client,
    cloud,
    async startController() {
      const port = await freePort()
      lines = () => linesOf(`http://127.0.0.1:${port}/metrics`)
      const program = startProgram({
        main: 'controller/main.ts',
        env: {
          KUBECONFIG: kubeconfig,
          SKYCLUST_PROVIDERS: cloud.load.provider,
          ...cloud.env,
          SKYCLUST_METRICS_PORT: String(port),
          SKYCLUST_LOG_LEVEL: 'warn',
          NODE_OPTIONS: '--max-semi-space-size=8', // as the chart has it
        },
      })
      let ended = false
      void program.exited.then(() => {
        lines = none
        ended = true
      })
      while ((await lines().catch(none)).length === 0) {
        if (ended) throw new Error(`the controller ended:\n${program.lines.join('\n')}`)
        await sleep(20)
      }
      return {
        program,
        usage: () => usageOf(program.pid),
        async metric(name) {
          const found = await linesOf(`http://127.0.0.1:${port}/metrics`)
          const line = found.find((candidate) => candidate.startsWith(name))
          return line === undefined ? undefined : numberIn(line)
        },
      }
    },
    async apiserverWrites() {
      const { body } = await client.raw('/metrics', { method: 'GET' })
      const writes = { vms: 0, others: 0, events: 0 }
      for (const line of body.split('\n')) {
        if (!line.startsWith('apiserver_request_total{') || !line.includes('code="2')) continue
        if (!WRITES.has(/verb="([A-Z]+)"/.exec(line)?.[1] ?? '')) continue
        const resource = /resource="([a-z]*)"/.exec(line)?.[1]
        if (resource === 'leases') continue
        const kind = resource === 'vms' || resource === 'events' ? resource : 'others'
        writes[kind] += numberIn(line)
      }
      return writes
    },
    async cloudCalls() {
      return cloud.calls?.() ?? callsIn(await lines())
    },
    async [Symbol.asyncDispose]() {
      await client.close()
      await cloud[Symbol.asyncDispose]()
      await cluster.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function callsIn(lines: readonly string[]): CloudCalls {
  const calls = { reads: 0, mutations: 0 }
  for (const line of lines) {
    const action = /^skyclust_cloud_calls_total\{.*action="([a-z]+)"/.exec(line)?.[1]
    if (action !== undefined) calls[READS.has(action) ? 'reads' : 'mutations'] += numberIn(line)
  }
  return calls
}

function numberIn(line: string): number {
  return Number(line.slice(line.lastIndexOf(' ') + 1))
}

async function linesOf(url: string): Promise<string[]> {
  return (await (await fetch(url)).text()).split('\n')
}

async function usageOf(pid: number): Promise<ProcessUsage> {
  const [status, stat] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/stat`, 'utf8'),
  ])
  const kib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return {
    residentMiB: kib('VmRSS') / 1024,
    peakMiB: kib('VmHWM') / 1024,
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  }
}
