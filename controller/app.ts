/**
 * The controller, as a table of contents: what it is made of, in the order in which that starts, and stops.
 *
 * Guarantees: it starts only in a cluster that answers and knows our kinds; a later outage is waited out, not ready. Nothing
 * is written, to the cluster or to a cloud, unless every lease that this replica works under is its own at that moment; when
 * it loses one, it ends as `deposed`. On a stop it takes up nothing more, lets what runs finish within {@link drainMs}, and gives
 * its leases back.
 */
import { once } from 'node:events'
import type { Logger } from 'pino'
import { meters } from '../clouds/meters.ts'
import { providers } from '../clouds/providers.ts'
import { group, serviceAccounts } from '../crds/names.ts'
import { kubeClient } from '../kube/client.ts'
import type { Cluster } from '../kube/cluster.ts'
import { eventRecorder } from '../kube/events.ts'
import { countedAndTraced } from '../tracing/traced-calls.ts'
import { tracingFor } from '../tracing/tracing-for.ts'
import { openCaches } from './caches.ts'
import type { ControllerConfig } from './config.ts'
import { cloudRegistry } from './credential/cloud-registry.ts'
import { observeApp } from './gauges.ts'
import { healthServer } from './health-server.ts'
import { type RunningKind, runKind } from './kind-controller.ts'
import { kindControllers } from './kinds.ts'
import { controllerMetrics } from './metrics.ts'
import { askCluster } from './prerequisites.ts'
import { requeueAfter } from './requeue.ts'
import { sharding, soleOwner } from './sharding/sharding.ts'
import { tofuKind } from './tofu-run/tofu-kind.ts'
import { tracedController } from './traces.ts'

export interface AppOptions {
  readonly config: ControllerConfig
  readonly cluster: Cluster
  /** This replica's name in Leases and Events. */
  readonly identity: string
  /** What programs that are started here inherit, as far as each may. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: Logger
  readonly signal: AbortSignal
}

/** For what runs when a stop is asked for; a little is left of the promised 20 s for giving the leases back. */
const drainMs = 15_000
/** For the spans of what was done last. */
const tracesWithinMs = 2_000

/** Runs until `signal` is aborted or the leadership is lost. Throws one line that says why it cannot start. */
export async function runApp(options: AppOptions): Promise<'stopped' | 'deposed'> {
  const { config, cluster, identity, log, signal } = options
  const deposed = Promise.withResolvers<'deposed'>()
  const ended = new AbortController()
  const running: RunningKind[] = []
  const metrics = controllerMetrics()
  const tracing = await tracingFor('skyclust-controller', config, log)

  const fieldManager = serviceAccounts.controller
  const client = kubeClient({ cluster, fieldManager, guard: insistOnLeases, onAnswer: metrics.kubeAnswered })
  const leaseClient = kubeClient({ cluster, fieldManager, requestTimeoutMs: 5_000 })
  const { clusterUID } = await askCluster(client, cluster.server, signal)

  const caches = openCaches(client, ended.signal)
  const health = await healthServer({
    host: config.metricsHost,
    port: config.metricsPort,
    registry: metrics.registry,
    missing: caches.missing,
  })
  log.info({ metrics: `http://${config.metricsHost}:${health.port}`, identity }, 'listening')

  const events = eventRecorder({ client, reportingController: `${group}/controller`, reportingInstance: identity })
  const enabled = providers({
    enabled: config.providers,
    ...(config.simEndpoint && { simUrl: config.simEndpoint }),
    ...(config.gcpEndpoint && { gcpEndpoint: config.gcpEndpoint }),
    onCall: countedAndTraced(metrics.cloudCalled, tracing),
  })
  const registry = cloudRegistry({
    credentials: caches.credentials,
    providers: enabled,
    meters: meters(),
    fence: insistOnLeases,
  })

  await caches.synced(signal)
  const tofu = await tofuKind({ ...options, client, runs: caches.runs, events })
  const ownership = config.leaderElection
    ? sharding({
        client: leaseClient,
        namespace: config.namespace,
        identity,
        shards: config.shards,
        signal: ended.signal,
        onAcquired: takeUp,
        drain: async (shard) => void (await Promise.all(running.map((kind) => kind.drained(shard)))),
        onLost: (reason) => {
          log.fatal({ reason }, 'deposed')
          deposed.resolve('deposed')
        },
        onError: (error) => log.warn({ err: error }, 'a lease could not be tried'),
      })
    : soleOwner(ended.signal)
  observeApp(metrics, { ownership, caches, shards: config.shards })

  const { owns, accepts } = ownership
  const shared = {
    config,
    client,
    caches,
    events,
    providers: enabled,
    registry,
    metrics,
    log,
    clusterUID,
    owns,
    accepts,
    signal,
  }
  for (const controller of [...kindControllers(shared), tofu.controller]) {
    const onError = requeueAfter(log.child({ controller: controller.name }))
    const traced = tracing ? tracedController(controller, tracing, caches) : controller
    running.push(runKind(traced, { shards: config.shards, accepts, metrics, drainMs, signal, onError }))
  }
  ownership.held().forEach(takeUp)
  log.info({ shards: config.shards, leaderElection: config.leaderElection }, 'ready')

  return Promise.race([deposed.promise, stopped()])

  async function stopped(): Promise<'stopped'> {
    await aborted(signal)
    await Promise.all([tofu.close(drainMs), ...running.map((kind) => kind.done)])
    await events.close({ timeoutMs: 2_000 })
    ended.abort(signal.reason)
    await Promise.all([ownership.done, caches.done, health.close()])
    await Promise.all([client.close(), leaseClient.close()])
    await tracing?.close(tracesWithinMs)
    return 'stopped'
  }

  function takeUp(shard: number): void {
    log.info({ shard }, 'leading')
    for (const kind of running) kind.takeUp(shard)
  }

  function insistOnLeases(): void {
    if (!ownership.intact()) throw new Error('this replica was deposed: another one may be acting')
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
