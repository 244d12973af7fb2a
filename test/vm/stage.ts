/**
 * What the tests of VMs and Credentials stand on: a control plane of their own with SkyClust installed, the simulated cloud,
 * moto and a Compute Engine where they are asked for, and the controller as a process with the rights that the chart gives it.
 *
 * Guarantees: the controller is started, leads, and is restarted only by the test; everything is gone with the stage.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { simServer } from '../../clouds/sim/server.ts'
import type { SimSettingsInput } from '../../clouds/sim/settings.ts'
import { createSim, type Sim } from '../../clouds/sim/sim.ts'
import { serviceAccounts } from '../../crds/names.ts'
import { type KubeClient, kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { install } from '../../tools/installation.ts'
import { startCluster, type TestCluster } from '../cluster/cluster.ts'
import { type Moto, startMoto } from '../cluster/moto.ts'
import { processKubeconfig } from '../cluster/process-account.ts'
import { type Program, startProgram } from '../cluster/program.ts'
import { INSTALLATION_NAMESPACE } from '../cluster/shared-cluster.ts'
import { type Gce, startGce } from '../gce/gce-server.ts'
import type { GceSettings } from '../gce/settings.ts'
import { openRoom, type Room, type RoomOptions } from './room.ts'

export interface StageOptions {
  /** Default: only the simulated cloud. */
  readonly moto?: boolean
  /** A server that speaks Compute Engine, as it shall behave. */
  readonly gce?: Partial<GceSettings>
  readonly sim?: SimSettingsInput
  /** Whether to start one. Default: true. */
  readonly controller?: boolean
  /** For the controller, beside what it needs. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Stage extends AsyncDisposable {
  readonly cluster: TestCluster
  /** May do everything. */
  readonly administrator: KubeClient
  readonly sim: Sim
  readonly moto: Moto | undefined
  readonly gce: Gce | undefined
  /** The one that was started last. */
  readonly controller: Program
  /** What a controller needs to be given. */
  readonly controllerEnv: Readonly<Record<string, string>>
  readonly simUrl: URL
  /** Starts one more controller; resolves when it is ready. */
  startController(env?: Readonly<Record<string, string>>): Promise<Program>
  /** A namespace with a Credential in it that was accepted. */
  room(options?: RoomOptions): Promise<Room>
}

/** So that moto refuses what EC2 refuses. */
const strict = { MOTO_ENABLE_KEYPAIR_VALIDATION: 'true', MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION: 'true' }

export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const stack = new AsyncDisposableStack()
  try {
    const cluster = stack.use(await startCluster())
    const root = join(import.meta.dirname, '../..')
    await install({ kubectl: cluster.kubectlWith, root, namespace: INSTALLATION_NAMESPACE })
    const administrator = kubeClient({
      cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
      fieldManager: 'test',
    })
    stack.defer(() => administrator.close())

    const sim = createSim({ now: Date.now, random: Math.random, ...(options.sim && { settings: options.sim }) })
    const server = simServer(sim).listen(0, '127.0.0.1')
    stack.defer(() => {
      server.closeAllConnections()
      server.close()
    })
    await once(server, 'listening')
    const moto = options.moto ? stack.use(await startMoto({ env: strict })) : undefined

    const simUrl = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const gce = options.gce ? stack.use(await startGce(options.gce)) : undefined

    const account = serviceAccounts.controller
    const { directory } = cluster
    const controllerEnv = {
      KUBECONFIG: await processKubeconfig(cluster, { account, namespace: INSTALLATION_NAMESPACE, directory }),
      SKYCLUST_PROVIDERS: 'aws,gcp,sim',
      SKYCLUST_SIM_URL: simUrl.origin,
      SKYCLUST_METRICS_PORT: '0',
      SKYCLUST_SYNC_INTERVAL: '2s',
      SKYCLUST_TOFU_EXECUTOR: 'process',
      ...(moto && { AWS_ENDPOINT_URL: moto.url }),
      ...(gce && { SKYCLUST_GCP_ENDPOINT: gce.url }),
      ...options.env,
    }
    async function startController(env: Readonly<Record<string, string>> = {}): Promise<Program> {
      const program = stack.use(startProgram({ main: 'controller/main.ts', env: { ...controllerEnv, ...env } }))
      await program.logged(({ msg }) => msg === 'ready', 60_000)
      return program
    }
    let controller = options.controller === false ? undefined : await startController()

    return {
      cluster,
      administrator,
      sim,
      moto,
      gce,
      get controller() {
        if (!controller) throw new Error('no controller was started')
        return controller
      },
      controllerEnv,
      simUrl,
      async startController(env) {
        controller = await startController(env)
        return controller
      },
      room: (roomOptions) => openRoom({ cluster, administrator }, roomOptions),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
