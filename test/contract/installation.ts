/**
 * A whole installation for a test that `make dev` cannot serve, with several facades, without a controller, or with processes to be
 * harmed: a control plane of its own, the simulated cloud, the controller and the facades, each process with the rights of its own account.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { install } from '../../tools/installation.ts'
import { workshop } from '../../tools/workshop.ts'
import { type StartClusterOptions, startCluster, type TestCluster } from '../cluster/cluster.ts'
import { processKubeconfig } from '../cluster/process-account.ts'
import { type Program, startProgram } from '../cluster/program.ts'
import { ADMIN, noOutside, peopleAt, type Subject, unhurried } from './subject.ts'

export const NAMESPACE = 'skyclust-system'

export interface InstallationOptions {
  /** Of its control plane. */
  readonly cluster?: StartClusterOptions
  /** How many facades; one by default. */
  readonly replicas?: number
  /** Default: true. */
  readonly controller?: boolean
  /** For the facades, beside what they need. */
  readonly env?: Readonly<Record<string, string>>
  /** For the controller, beside what it needs. */
  readonly controllerEnv?: Readonly<Record<string, string>>
}

export interface Installation extends Subject, AsyncDisposable {
  readonly cluster: TestCluster
  /** Of each facade. */
  readonly urls: readonly string[]
  readonly facades: readonly Program[]
  readonly controller: Program | undefined
  startFacade(env?: Readonly<Record<string, string>>): Promise<{ readonly program: Program; readonly url: string }>
}

export async function startInstallation(options: InstallationOptions = {}): Promise<Installation> {
  const stack = new AsyncDisposableStack()
  try {
    const cluster = stack.use(await startCluster(options.cluster))
    await install({ kubectl: cluster.kubectlWith, root: join(import.meta.dirname, '../..'), namespace: NAMESPACE })
    const sim = stack.use(startProgram({ main: 'clouds/sim/main.ts' }))
    const simUrl = String((await sim.logged((record) => typeof record.url === 'string')).url)
    const common = {
      SKYCLUST_SIM_URL: simUrl,
      SKYCLUST_PROVIDERS: 'aws,gcp,sim',
      SKYCLUST_METRICS_PORT: '0',
      ...noOutside,
    }
    const accountOf = (account: 'skyclust-api' | 'skyclust-controller') =>
      processKubeconfig(cluster, { account, namespace: NAMESPACE, directory: cluster.directory })

    const auditFile = join(cluster.directory, 'audit.log')
    const facadeEnv = {
      ...common,
      KUBECONFIG: await accountOf('skyclust-api'),
      SKYCLUST_API_PORT: '0',
      SKYCLUST_AUDIT_LOG: auditFile,
      SKYCLUST_ADMIN_EMAIL: ADMIN.email,
      SKYCLUST_ADMIN_PASSWORD: ADMIN.password,
      ...unhurried,
      ...options.env,
    }

    const startFacade: Installation['startFacade'] = async (env = {}) => {
      const program = stack.use(startProgram({ main: 'api/main.ts', env: { ...facadeEnv, ...env } }))
      return { program, url: String((await program.logged(({ msg }) => msg === 'listening')).url) }
    }

    const controllerEnv = {
      ...common,
      KUBECONFIG: await accountOf('skyclust-controller'),
      SKYCLUST_TOFU_EXECUTOR: 'process',
      SKYCLUST_TOFU: await workshop({ environment: process.env, home: homedir() }).obtain('tofu'),
      SKYCLUST_TOFU_WORK_DIR: join(cluster.directory, 'tofu'),
      SKYCLUST_TOFU_PLUGIN_DIR: join(cluster.directory, 'no-providers'), // no registry is asked
      ...options.controllerEnv,
    }
    const controller =
      options.controller === false
        ? undefined
        : stack.use(startProgram({ main: 'controller/main.ts', env: controllerEnv }))
    const facades = [await startFacade()]
    while (facades.length < (options.replicas ?? 1)) facades.push(await startFacade())
    await controller?.logged(({ msg }) => msg === 'ready')

    const urls = facades.map(({ url }) => url)
    const [url = ''] = urls
    return {
      cluster,
      simUrl,
      url,
      urls,
      facades: facades.map(({ program }) => program),
      controller,
      auditFile,
      startFacade,
      logs: async () =>
        [...facades.map(({ program }) => program), controller].flatMap((one) => one?.lines ?? []).join('\n'),
      ...peopleAt(url),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
