/**
 * A whole installation for a test, as `make dev` runs it: a control plane of its own, the simulated cloud, the controller and
 * one or more facades, each process with the rights of its own account.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { install } from '../../tools/installation.ts'
import { workshop } from '../../tools/workshop.ts'
import { startCluster, type TestCluster } from '../cluster/cluster.ts'
import { processKubeconfig } from '../cluster/process-account.ts'
import { type Program, startProgram } from '../cluster/program.ts'
import { type Person, person, rest } from './rest.ts'

export const NAMESPACE = 'skyclust-system'
export const ADMIN = { email: 'admin@example.com', password: 'correct horse battery' }

export interface InstallationOptions {
  /** How many facades; one by default. */
  readonly replicas?: number
  /** Default: true. */
  readonly controller?: boolean
  /** For the facades, beside what they need. */
  readonly env?: Readonly<Record<string, string>>
  /** For the controller, beside what it needs. */
  readonly controllerEnv?: Readonly<Record<string, string>>
}

export interface Installation extends AsyncDisposable {
  readonly cluster: TestCluster
  readonly simUrl: string
  /** Of the first facade. */
  readonly url: string
  /** Of each facade. */
  readonly urls: readonly string[]
  readonly facades: readonly Program[]
  readonly controller: Program | undefined
  readonly auditFile: string
  /** The first administrator, logged in. */
  admin(): Promise<Person>
  /** Registers somebody new and logs them in. */
  newcomer(name: string): Promise<Person>
  startFacade(env?: Readonly<Record<string, string>>): Promise<{ readonly program: Program; readonly url: string }>
}

export async function startInstallation(options: InstallationOptions = {}): Promise<Installation> {
  const stack = new AsyncDisposableStack()
  try {
    const cluster = stack.use(await startCluster())
    await install({ kubectl: cluster.kubectlWith, root: join(import.meta.dirname, '../..'), namespace: NAMESPACE })
    const sim = stack.use(startProgram({ main: 'clouds/sim/main.ts' }))
    const simUrl = String((await sim.logged((record) => typeof record.url === 'string')).url)
    const common = {
      SKYCLUST_SIM_URL: simUrl,
      SKYCLUST_PROVIDERS: 'aws,gcp,sim',
      SKYCLUST_METRICS_PORT: '0',
      // Nobody is there: no test asks a cloud of the outside world for anything.
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      SKYCLUST_GCP_ENDPOINT: 'http://127.0.0.1:9',
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
      // A test asks more often than a person does; the limits have a test of their own.
      SKYCLUST_USER_RATE: '10000',
      SKYCLUST_USER_BURST: '10000',
      SKYCLUST_ADDRESS_RATE: '10000',
      SKYCLUST_ADDRESS_BURST: '10000',
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
      admin: () => person(url, { ...ADMIN, name: 'Administrator' }),
      async newcomer(name) {
        const account = {
          email: `${name.toLowerCase()}-${crypto.randomUUID().slice(0, 8)}@example.com`,
          password: 'pass word 1',
          name,
        }
        const registered = await rest(url).post('/api/v1/auth/register', { body: account })
        if (registered.status !== 201) throw new Error(`${name} could not register: ${registered.text}`)
        return person(url, account)
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
