/**
 * The `make dev` of this checkout, of which the contract's rows know what any script does: the lines of its `env`.
 *
 * Guarantees: state and ports of its own, so that another one may run beside it; all of it is gone with the test process.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadCluster } from '../../kube/cluster.ts'
import { kubectlFor } from '../../tools/kubectl.ts'
import { workshop } from '../../tools/workshop.ts'
import { makeDevHere } from '../dev/make-dev.ts'
import { ADMIN, noOutside, peopleAt, type Subject, unhurried } from './subject.ts'

/** @param env for `make dev`, beside what it needs */
export async function startDevSubject(env: Readonly<Record<string, string>>): Promise<Subject & AsyncDisposable> {
  const stack = new AsyncDisposableStack()
  try {
    const folder = await mkdtemp(join(tmpdir(), 'skyclust-dev-'))
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    const directory = join(folder, '.dev') // its lock stands beside it
    const dev = stack.use(
      makeDevHere(directory, {
        ...noOutside,
        ...unhurried,
        SKYCLUST_ADMIN_EMAIL: ADMIN.email,
        SKYCLUST_ADMIN_PASSWORD: ADMIN.password,
        SKYCLUST_TOFU_PLUGIN_DIR: join(directory, 'no-providers'), // no registry is asked
        ...env,
      }),
    )
    const { API_URL: url = '', SIM_URL: simUrl = '', KUBECONFIG = '' } = await dev.up()
    const program = await workshop({ environment: process.env, home: process.env.HOME ?? '' }).obtain('kubectl')
    const kubectlWith = kubectlFor(program, KUBECONFIG)
    const log = (name: string) => join(directory, 'logs', `${name}.log`)
    return {
      url,
      simUrl,
      cluster: {
        server: loadCluster({ environment: { KUBECONFIG } }).server,
        kubectlWith,
        kubectl: (...args) => kubectlWith('', ...args),
      },
      auditFile: log('audit'),
      logs: async () => (await readFile(log('controller'), 'utf8')) + (await readFile(log('api'), 'utf8')),
      ...peopleAt(url),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
