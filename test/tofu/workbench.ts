/**
 * A controller of TofuRuns in the test's own process, on the shared control plane and with the real tofu, in a namespace of its own.
 *
 * It has the rights of the controller's own account. It is put together as the controller's program puts it together. `stop` ends it as SIGTERM does; what SIGKILL does is tried with the real
 * program, elsewhere.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Executor } from '../../controller/tofu-run/executor.ts'
import { processExecutor } from '../../controller/tofu-run/process-executor.ts'
import type { RunLimits } from '../../controller/tofu-run/protocol.ts'
import { sandboxRefusal } from '../../controller/tofu-run/runner/sandbox.ts'
import type { ExecutorParts, TofuRuns } from '../../controller/tofu-run/tofu-runs.ts'
import { type TofuRun, tofuRunKind } from '../../crds/tofu-run.ts'
import { type ConfigMap, configMapType } from '../../kube/builtin-types.ts'
import type { Cache } from '../../kube/cache.ts'
import { type KubeClient, kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { freePort } from '../../tools/free-port.ts'
import { platformOf } from '../../tools/platform.ts'
import { providerMirror } from '../../tools/provider-mirror.ts'
import { workshop } from '../../tools/workshop.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { processKubeconfig } from '../cluster/process-account.ts'
import { INSTALLATION_NAMESPACE, sharedCluster } from '../cluster/shared-cluster.ts'
import { type FaultProxy, faultProxy } from '../fault-proxy/fault-proxy.ts'
import { processPlaces, startTofuController } from './tofu-controller.ts'

export interface Workbench extends AsyncDisposable {
  readonly cluster: Cluster
  /** Of the controller's own account, with the rights that the chart gives it and no others. */
  readonly kubeconfig: string
  readonly client: KubeClient
  /** May do everything: for what the test itself wants to see. */
  readonly administrator: KubeClient
  readonly namespace: string
  /** Namespace of the installation. */
  readonly installation: string
  readonly runs: Cache<TofuRun>
  readonly tofuRuns: TofuRuns
  readonly folder: string
  /** What can be broken: the line from runners to the controller, and the one from there to the apiserver. */
  readonly lines: { readonly runners: FaultProxy; readonly cluster: FaultProxy } | undefined
  /** Path of the program. */
  readonly tofu: string
  /** Applies a run; what is not given is a plan of one `terraform_data`. */
  run(name: string, spec?: Record<string, unknown>): Promise<TofuRun>
  /** @param as whom; default: an administrator */
  patch(name: string, spec: Record<string, unknown>, as?: string): Promise<void>
  /** The run, once it passes the test. */
  until(name: string, test: (run: TofuRun) => boolean, timeoutMs?: number): Promise<TofuRun>
  /** The run when it is over. */
  over(name: string, timeoutMs?: number): Promise<TofuRun>
  output(name: string, phase?: 'plan' | 'apply'): Promise<string>
  /** The state of a stack, parsed; `undefined` before the first. */
  state(run: TofuRun): Promise<{ serial: number; resources: unknown[] } | undefined>
  /** Ends the controller, and starts it anew. */
  stop(): Promise<void>
  start(): Promise<void>
}

export interface WorkbenchOptions {
  readonly executor?: (parts: ExecutorParts, bench: { folder: string; client: KubeClient; tofu: string }) => Executor
  readonly parallel?: number
  readonly firstGraceMs?: number
  readonly secondGraceMs?: number
  readonly environment?: Readonly<Record<string, string>>
  readonly limits?: RunLimits
  readonly keepVersions?: number
  /** Whether tofu runs in a sandbox; default: where this machine gives one. Without one, a configuration can write down outside what it did. */
  readonly sandbox?: boolean
  /** Whether runs find the provider hashicorp/time; without it they find none. */
  readonly provider?: boolean
  /** Whether `lines` can be broken. */
  readonly breakable?: boolean
}

export const oneResource = { 'main.tf': 'resource "terraform_data" "one" {\n  input = "first"\n}\n' }

export async function workbench(options: WorkbenchOptions = {}): Promise<Workbench> {
  const cluster = await sharedCluster()
  const { obtain } = workshop({ environment: process.env, home: homedir() })
  const tofu = await obtain('tofu')
  const namespace = await cluster.namespace('tofu')
  const installation = INSTALLATION_NAMESPACE
  const folder = await mkdtemp(join(tmpdir(), 'skyclust-tofu-'))
  const port = { value: options.breakable ? await freePort() : 0 }
  const lines = options.breakable ? await breakableLines(cluster, port.value) : undefined
  const kubeconfig = await processKubeconfig(lines ? { ...cluster, server: lines.cluster.url } : cluster, {
    account: 'skyclust-controller',
    namespace: installation,
    directory: folder,
  })
  const client = kubeClient({
    cluster: loadCluster({ environment: { KUBECONFIG: kubeconfig } }),
    fieldManager: 'skyclust-controller',
  })
  const administrator = kubeClient({
    cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
    fieldManager: 'test',
  })
  const environment = { ...options.environment }
  if (options.provider) {
    const mirror = { folder: join(folder, 'providers'), platform: platformOf(process.platform, process.arch) }
    environment.SKYCLUST_TOFU_PLUGIN_DIR = await providerMirror(await obtain('terraform-provider-time'), mirror)
  }
  const sandbox = options.sandbox ?? (await sandboxRefusal(folder)) === undefined
  const places = processPlaces({ folder, tofu, environment, sandbox })
  let running = await started()

  async function started() {
    const controller = await startTofuController({
      client,
      namespace,
      installation,
      port: port.value,
      ...(lines && { url: lines.runners.url.origin }),
      parallel: options.parallel ?? 4,
      keepVersions: options.keepVersions ?? 5,
      ...(options.limits && { limits: options.limits }),
      firstGraceMs: options.firstGraceMs ?? 60_000,
      secondGraceMs: options.secondGraceMs ?? 5_000,
      executor: (given) =>
        options.executor?.(given, { folder, client, tofu }) ?? processExecutor({ ...given, ...places }),
    })
    port.value = controller.parts.server.port
    return controller
  }

  async function until(name: string, test: (run: TofuRun) => boolean, timeoutMs = 180_000): Promise<TofuRun> {
    const key = { namespace, name }
    const found = await running.runs.until(key, (run) => run !== undefined && test(run), { timeoutMs })
    const run = running.runs.get(key)
    if (!found || run === undefined)
      throw new Error(`TofuRun ${name} is ${JSON.stringify(run?.status ?? run, undefined, 1)}`)
    return run
  }

  return {
    cluster,
    kubeconfig,
    client,
    administrator,
    namespace,
    installation,
    get runs() {
      return running.runs
    },
    get tofuRuns() {
      return running.parts
    },
    folder,
    lines,
    tofu,
    async run(name, spec = {}) {
      const manifest = {
        apiVersion: 'skyclust.io/v1alpha1',
        kind: 'TofuRun',
        metadata: { name, namespace },
        spec: { command: 'plan', source: { inline: oneResource }, ...spec },
      }
      await cluster.kubectlWith(stringify(manifest), 'apply', '-f', '-')
      return administrator.get(tofuRunKind, { namespace, name })
    },
    async patch(name, spec, as) {
      const body = JSON.stringify({ spec })
      await cluster.kubectl(
        'patch',
        'tofurun',
        name,
        '-n',
        namespace,
        '--type=merge',
        `--patch=${body}`,
        ...(as === undefined ? [] : [`--as=${as}`]),
      )
    },
    until,
    over: (name, timeoutMs) => until(name, ({ status }) => status?.completedAt !== undefined, timeoutMs),
    async output(name, phase = 'plan') {
      const labelSelector = `skyclust.io/tofu-run=${name},skyclust.io/tofu-content=output-${phase}`
      const { items } = await administrator.list(configMapType, { namespace, labelSelector })
      return [...items]
        .sort((a, b) => pieceOf(a) - pieceOf(b))
        .map(({ data }) => data?.output ?? '')
        .join('')
    },
    async state(run) {
      const { states, stackOf } = running.parts
      const bytes = await states.read(await stackOf(run))
      return bytes === undefined ? undefined : JSON.parse(String(bytes))
    },
    stop: () => running.stop(),
    async start() {
      running = await started()
    },
    async [Symbol.asyncDispose]() {
      await running.stop()
      await cluster.kubectl('delete', 'tofuruns', '--all', '-n', namespace, '--wait=false')
      await client.close()
      await administrator.close()
      await lines?.runners.stop()
      await lines?.cluster.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function pieceOf(piece: ConfigMap): number {
  return Number(piece.metadata.annotations?.['skyclust.io/output-piece'])
}

async function breakableLines(cluster: Cluster, port: number) {
  return {
    runners: await faultProxy({ upstream: new URL(`http://127.0.0.1:${port}`) }),
    cluster: await faultProxy({ upstream: cluster.server, tls: { ca: cluster.authority.certificate } }),
  }
}
