/** The controller of TofuRuns alone, put together as the controller's program puts it together: in this process, or in one of its own. */
import { join } from 'node:path'
import type { Executor } from '../../controller/tofu-run/executor.ts'
import type { RunLimits } from '../../controller/tofu-run/protocol.ts'
import { type ExecutorParts, tofuRuns } from '../../controller/tofu-run/tofu-runs.ts'
import { tofuRunKind } from '../../crds/tofu-run.ts'
import { cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import { runController } from '../../kube/controller.ts'
import { eventRecorder } from '../../kube/events.ts'
import { isConflict } from '../../kube/kube-error.ts'
import { workQueue } from '../../kube/work-queue.ts'

export interface TofuControllerOptions {
  readonly client: KubeClient
  /** Whose runs it looks after. */
  readonly namespace: string
  /** Where it keeps states, plans and keys. */
  readonly installation: string
  readonly port: number
  /** As runners are told it; default: this port. */
  readonly url?: string
  readonly parallel: number
  readonly keepVersions: number
  readonly limits?: RunLimits
  readonly firstGraceMs: number
  readonly secondGraceMs: number
  readonly executor: (parts: ExecutorParts) => Executor
}

export async function startTofuController(options: TofuControllerOptions) {
  const { client, namespace, installation, port, url } = options
  const stopping = new AbortController()
  const queue = workQueue({})
  const runs = cache(client, tofuRunKind, { namespace, signal: stopping.signal })
  await runs.synced(stopping.signal)
  const events = eventRecorder({ client, reportingController: 'skyclust.io/controller', reportingInstance: 'test' })
  const parts = await tofuRuns({
    ...options,
    namespace: installation,
    runs,
    events,
    server: { host: '127.0.0.1', port, ...(url !== undefined && { url }) },
    startGraceMs: 60_000,
    wake: (key) => queue.add(key),
    onError: (error) => console.error(error),
  })
  const { controller } = parts
  runs.onChange((change) => {
    for (const key of controller.concerned(change)) queue.add(key)
  })
  for (const object of runs.list()) for (const key of controller.concerned({ type: 'apply', object })) queue.add(key)
  const working = runController({
    name: controller.name,
    queue,
    reconcile: controller.reconcile,
    concurrency: 4,
    signal: stopping.signal,
    onError(_key, error) {
      if (!isConflict(error)) console.error(error)
      return 'backoff'
    },
  })
  return {
    parts,
    runs,
    async stop() {
      stopping.abort()
      await parts.close(60_000)
      await queue.shutDown()
      await working
      await events.close({ timeoutMs: 1_000 })
    },
  }
}

/** Where the process executor works, and with which tofu; without a network, providers are those in the folder. */
export function processPlaces(options: {
  folder: string
  tofu: string
  environment: Readonly<Record<string, string>>
  sandbox: boolean
}) {
  const { folder, tofu, environment, sandbox } = options
  return {
    root: join(folder, 'runs'),
    sandbox,
    environment: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      SKYCLUST_TOFU: tofu,
      SKYCLUST_TOFU_PLUGIN_DIR: join(folder, 'no-providers'),
      ...environment,
    },
  }
}
