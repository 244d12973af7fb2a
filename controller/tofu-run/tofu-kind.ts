/** TofuRuns as the controller's table of contents takes them: made from its settings, run beside the other kinds. */
import { accessSync, constants } from 'node:fs'
import { delimiter, resolve } from 'node:path'
import type { Logger } from 'pino'
import type { SettingValues } from '../../config/settings.ts'
import type { TofuRun } from '../../crds/tofu-run.ts'
import type { Cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { EventRecorder } from '../../kube/events.ts'
import { keyOf, parseKey } from '../../kube/resource.ts'
import type { KindController, Wake } from '../kind-controller.ts'
import { jobExecutor } from './job-executor.ts'
import { processExecutor } from './process-executor.ts'
import { hasSandbox } from './process-isolation.ts'
import type { RunLimits } from './protocol.ts'
import { rememberedPort, rememberPort } from './remembered-port.ts'
import type { tofuSettings } from './settings.ts'
import { type ExecutorParts, tofuRuns } from './tofu-runs.ts'

export interface TofuKindOptions {
  readonly config: SettingValues<typeof tofuSettings> & { readonly namespace: string }
  readonly client: KubeClient
  /** Synced. */
  readonly runs: Cache<TofuRun>
  readonly events: EventRecorder
  /** PATH, proxies and the AWS SDK's endpoints are taken from it. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: Pick<Logger, 'info' | 'warn'>
}

export interface TofuKind {
  readonly controller: KindController
  /** Ends what cannot go on without this process. */
  close(graceMs: number): Promise<void>
}

const secondGraceMs = 30_000
const startGraceMs = 10 * 60_000
const handedOn =
  /^(PATH|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy|SSL_CERT_(FILE|DIR)|AWS_ENDPOINT_URL(_[A-Z0-9_]+)?)$/

export async function tofuKind(options: TofuKindOptions): Promise<TofuKind> {
  const { config, client, runs, events, log } = options
  let wake: Wake = () => undefined
  const folder = resolve(config.tofuWorkDir)
  const remembers = config.tofuExecutor === 'process' && config.tofuServerPort === 0
  const lastPort = remembers ? await rememberedPort(folder) : undefined
  const asProcess = config.tofuExecutor === 'process'
  if (asProcess) warnOfMissingProgram(options)
  const sandbox = asProcess && (await hasSandbox({ wanted: config.tofuSandbox, folder, log }))

  const parts = await tofuRuns({
    client,
    namespace: config.namespace,
    runs,
    events,
    server: {
      host: config.tofuServerHost,
      port: config.tofuServerPort,
      ...(lastPort !== undefined && { preferredPort: lastPort }),
      ...(config.tofuServerUrl !== undefined && { url: config.tofuServerUrl }),
    },
    executor: (given) => executorFor(options, given, sandbox),
    parallel: config.tofuParallel,
    keepVersions: config.tofuStateVersions,
    limits: limitsOf(config),
    firstGraceMs: config.tofuCancelGrace,
    secondGraceMs,
    startGraceMs,
    wake: (key) => wake(parseKey(key)),
    onError: (error) => log.warn({ err: error }, 'a question of a runner could not be answered'),
  })
  const { controller, server } = parts
  log.info(
    { tofuServer: `http://${config.tofuServerHost}:${server.port}`, executor: config.tofuExecutor },
    'listening for runs',
  )
  if (remembers && lastPort === undefined) await rememberPort(folder, server.port)

  return {
    close: parts.close,
    controller: {
      name: controller.name,
      concurrency: 8,
      reconcile: controller.reconcile,
      all: () => runs.list().map(keyOf),
      follow(listener) {
        wake = listener
        runs.onChange((change) => {
          for (const key of controller.concerned(change)) listener(parseKey(key))
        })
      },
    },
  }
}

function limitsOf({ tofuCpuTime, tofuMemory, tofuDisk }: TofuKindOptions['config']): RunLimits {
  return { cpuTimeMs: tofuCpuTime, memoryBytes: tofuMemory, diskBytes: tofuDisk }
}

/** The rest of the controller works without it. */
function warnOfMissingProgram({ config: { tofuProgram }, environment, log }: TofuKindOptions): void {
  const places = tofuProgram.includes('/') ? [''] : (environment.PATH ?? '').split(delimiter)
  const found = places.some((place) => {
    try {
      accessSync(resolve(place, tofuProgram), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  if (!found) {
    log.warn(
      { SKYCLUST_TOFU: tofuProgram },
      'there is no such program: TofuRuns will fail until SKYCLUST_TOFU names a tofu (node tools/obtain.ts tofu prints one)',
    )
  }
}

function executorFor({ config, client, environment }: TofuKindOptions, parts: ExecutorParts, sandbox: boolean) {
  const inherited = Object.entries(environment).filter(([name, value]) => value !== undefined && handedOn.test(name))
  const own = Object.fromEntries(inherited) as Record<string, string>
  const providers = {
    ...(config.tofuPluginDir !== undefined && { SKYCLUST_TOFU_PLUGIN_DIR: config.tofuPluginDir }),
    ...(config.tofuPluginCache !== undefined && { SKYCLUST_TOFU_PLUGIN_CACHE: config.tofuPluginCache }),
    ...(config.tofuCliConfig !== undefined && { SKYCLUST_TOFU_CLI_CONFIG: config.tofuCliConfig }),
  }
  if (config.tofuExecutor === 'process') {
    return processExecutor({
      ...parts,
      root: resolve(config.tofuWorkDir, 'runs'),
      sandbox,
      environment: {
        ...own,
        ...providers,
        SKYCLUST_TOFU: config.tofuProgram,
        ...(config.tofuReadable !== '' && { SKYCLUST_TOFU_READABLE: config.tofuReadable }),
        ...(config.tofuWritable !== '' && { SKYCLUST_TOFU_WRITABLE: config.tofuWritable }),
      },
    })
  }
  const { PATH: _ours, ...handed } = own
  return jobExecutor({
    ...parts,
    client,
    image: config.tofuImage,
    environment: { ...handed, ...providers },
    cpu: config.tofuCpu,
    limits: limitsOf(config),
  })
}
