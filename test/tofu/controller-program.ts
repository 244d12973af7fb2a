/** The controller of TofuRuns as a process that a test can kill: `node controller-program.ts '{"kubeconfig": …}'`. Says `ready` on stdout. */
import { processExecutor } from '../../controller/tofu-run/process-executor.ts'
import { kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { processPlaces, startTofuController } from './tofu-controller.ts'

export interface ProgramOptions {
  readonly kubeconfig: string
  readonly namespace: string
  readonly installation: string
  readonly folder: string
  readonly tofu: string
  readonly port: number
  readonly sandbox: boolean
}

const options = JSON.parse(process.argv[2] ?? '{}') as ProgramOptions
const { kubeconfig, folder, tofu, sandbox } = options
const cluster = loadCluster({ environment: { KUBECONFIG: kubeconfig } })
await startTofuController({
  ...options,
  client: kubeClient({ cluster, fieldManager: 'skyclust-controller' }),
  parallel: 4,
  keepVersions: 5,
  firstGraceMs: 60_000,
  secondGraceMs: 5_000,
  executor: (given) => processExecutor({ ...given, ...processPlaces({ folder, tofu, environment: {}, sandbox }) }),
})
process.stdout.write('ready\n')
