/**
 * The life of a `make dev`: everything up, kept up, and down again.
 *
 * Guarantees: all of it or nothing: what keeps one part from starting is thrown, and everything has ended by then. Stops from the outside in:
 * the controller and the facade drain while the apiserver still answers them. Assumes to be the only one in its directory.
 */
import { homedir } from 'node:os'
import { join, relative } from 'node:path'
import { elapsed } from '../progress.ts'
import type { Service } from '../service.ts'
import { workshop } from '../workshop.ts'
import { greeting } from './greeting.ts'
import { rememberProcesses, waitForLeftOver } from './left-over.ts'
import { startLocalCluster } from './local-cluster.ts'
import { choosePorts } from './ports.ts'
import { keepTokensFresh } from './process-access.ts'
import { apiService, controllerService, simService } from './processes.ts'
import { devState, freshLog } from './state.ts'
import { supervise } from './supervise.ts'

export interface RunOptions {
  /** The checkout. */
  readonly root: string
  /** Where state, logs and `env` go: `.dev` in the checkout, unless somebody named another. */
  readonly directory: string
  readonly environment: NodeJS.ProcessEnv
  /** When everything shall end. */
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

const DRAIN_MS = 25_000 // a little more than the 20 s that the processes have to finish what runs

export async function run({ root, directory, environment, signal: asked, say }: RunOptions): Promise<void> {
  const over = new AbortController()
  const signal = AbortSignal.any([asked, over.signal])
  const state = await devState(directory)
  const processesFile = join(directory, 'processes.json')
  const stages: Service[][] = []
  const remember = () =>
    rememberProcesses(
      processesFile,
      stages.flat().flatMap((service) => service.pid() ?? []),
    )

  /** Starts what is not yet running, and says what is. */
  async function up(...stage: readonly Service[]): Promise<void> {
    stages.push([...stage])
    await Promise.all(stage.map((service) => service.pid() ?? service.start(signal)))
    await remember()
    for (const { name, pid, logFile } of stage) {
      say(`  ${name.padEnd(24)} pid ${String(pid()).padEnd(8)} ${relative(process.cwd(), logFile)}`)
    }
  }

  try {
    await state.withdraw()
    await waitForLeftOver(processesFile)
    const ports = await choosePorts(state, environment)
    const { obtain } = workshop({ environment, home: homedir(), signal })
    const tofu = await obtain('tofu')
    const namespace = environment.SKYCLUST_NAMESPACE || 'skyclust-system'

    const startedAt = performance.now()
    const cluster = await startLocalCluster({ root, state, namespace, obtain, signal, up })
    const administrator = await state.administrator(environment)
    const log = (name: string) => freshLog(state.logDirectory, name)
    const options = {
      ...{ root, environment, namespace, ports, administrator, tofu, kubeconfigs: cluster.kubeconfigs },
      logs: {
        sim: await log('sim'),
        controller: await log('controller'),
        api: await log('api'),
        audit: join(state.logDirectory, 'audit.log'),
      },
      simState: join(directory, 'sim-state'),
      tofuFolder: join(directory, 'tofu'),
    }
    const controller = controllerService(options)
    const api = apiService(options)
    await up(simService(options))
    await up(controller, api)

    const publish = () =>
      state.publish({
        API_URL: `http://127.0.0.1:${ports.api}`,
        KUBECONFIG: cluster.kubeconfig,
        ADMIN_EMAIL: administrator.email,
        ADMIN_PASSWORD: administrator.password,
        CONTROLLER_PID: String(controller.pid() ?? ''),
        API_PID: String(api.pid() ?? ''),
        SIM_URL: `http://127.0.0.1:${ports.sim}`,
      })
    await publish()
    const took = elapsed(performance.now() - startedAt)
    const { kubectlProgram, kubeconfig } = cluster
    say(
      greeting({
        root,
        directory,
        took,
        kubectlProgram,
        kubeconfig,
        administrator,
        apiPort: ports.api,
        path: environment.PATH ?? '',
      }),
    )

    const onRestart = async () => {
      await remember()
      await publish()
    }
    const keptUp = stages.flat().map((service) => supervise({ service, signal, say, onRestart }))
    await Promise.all([keepTokensFresh(cluster.access, signal, say), ...keptUp])
  } finally {
    over.abort()
    await state.withdraw()
    for (const stage of stages.toReversed()) await Promise.all(stage.map((service) => service.stop(DRAIN_MS)))
    await state.releasePorts()
  }
}
