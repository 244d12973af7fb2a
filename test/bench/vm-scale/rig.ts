/**
 * What the scale benchmark stands on: a real control plane, the sim cloud and the controller, each a process of its own, and
 * what is asked of them from outside: `/proc`, the apiserver's and the controller's metrics, the sim's call counts.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KubeClient, kubeClient } from '../../../kube/client.ts'
import { loadCluster } from '../../../kube/cluster.ts'
import { freePort } from '../../../tools/free-port.ts'
import { install } from '../../../tools/installation.ts'
import { startCluster, type TestCluster } from '../../cluster/cluster.ts'
import { processKubeconfig } from '../../cluster/process-account.ts'
import { type Program, startProgram } from '../../cluster/program.ts'

export interface Rig extends AsyncDisposable {
  readonly cluster: TestCluster
  readonly client: KubeClient
  readonly simUrl: string
  startController(): Promise<Controller>
  /** The apiserver's own count of writes that it took, those of Leases left out. */
  apiserverWrites(): Promise<Writes>
  cloudCalls(): Promise<{ readonly reads: number; readonly mutations: number }>
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
const WRITES = new Set(['POST', 'PUT', 'PATCH', 'APPLY', 'DELETE'])
/** Of `/proc/<pid>/stat`: USER_HZ is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

export async function startRig(): Promise<Rig> {
  const cluster = await startCluster()
  await install({ kubectl: cluster.kubectlWith, root: ROOT, namespace: NAMESPACE })
  const directory = await mkdtemp(join(tmpdir(), 'skyclust-bench-'))
  const sim = startProgram({ main: 'clouds/sim/main.ts' })
  const { url } = await sim.logged(({ msg }) => msg === 'the simulated cloud is up')
  const simUrl = String(url)
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

  return {
    cluster,
    client,
    simUrl,
    async startController() {
      const port = await freePort()
      const program = startProgram({
        main: 'controller/main.ts',
        env: {
          KUBECONFIG: kubeconfig,
          SKYCLUST_PROVIDERS: 'sim',
          SKYCLUST_SIM_URL: simUrl,
          SKYCLUST_METRICS_PORT: String(port),
          SKYCLUST_LOG_LEVEL: 'warn',
          NODE_OPTIONS: '--max-semi-space-size=8', // as the chart has it
        },
      })
      return {
        program,
        usage: () => usageOf(program.pid),
        async metric(name) {
          const lines = await linesOf(`http://127.0.0.1:${port}/metrics`)
          const line = lines.find((candidate) => candidate.startsWith(name))
          return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1))
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
        writes[kind] += Number(line.slice(line.lastIndexOf(' ') + 1))
      }
      return writes
    },
    async cloudCalls() {
      return (await fetch(`${simUrl}/calls`)).json() as Promise<{ reads: number; mutations: number }>
    },
    async [Symbol.asyncDispose]() {
      await client.close()
      await sim.stop(0)
      await cluster.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
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
