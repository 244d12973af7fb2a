/**
 * A world in virtual time: a model API server, a cloud, and replicas of the VM controller, each the real one
 * with its real cache, queue, lease, batches and listing. Replicas that die or freeze are followed by another, as a Deployment
 * does it.
 */
import { meteredCloud } from '../../clouds/metered-cloud.ts'
import { meters } from '../../clouds/meters.ts'
import { createSim, type Sim } from '../../clouds/sim/sim.ts'
import { sharding } from '../../controller/sharding/sharding.ts'
import { instanceNames } from '../../controller/vm/identity.ts'
import { vmController } from '../../controller/vm/vm-controller.ts'
import { type Credential, credentialKind } from '../../crds/credential.ts'
import { finalizers } from '../../crds/names.ts'
import { type VM, vmKind } from '../../crds/vm.ts'
import { type Cache, cache } from '../../kube/cache.ts'
import { runController } from '../../kube/controller.ts'
import { eventRecorder } from '../../kube/events.ts'
import { keyString } from '../../kube/resource.ts'
import { workQueue } from '../../kube/work-queue.ts'
import type { Gce } from '../gce/gce-server.ts'
import { type CloudMood, type CloudSide, simSide } from './cloud-side.ts'
import { type GceMood, gceSide } from './gce-side.ts'
import { type ModelCluster, modelCluster, type WatchFaults } from './model-cluster.ts'
import type { Chance } from './random.ts'
import { type Mishap, type Plan, type SideEffects, sideEffects } from './side-effects.ts'
import { type Process, type VirtualTime, virtualTime } from './virtual-time.ts'

export interface WorldOptions {
  readonly random: Chance
  readonly watch: WatchFaults
  readonly mishapAt: Plan['mishapAt']
}

export interface World {
  readonly time: VirtualTime
  readonly cloud: CloudSide
  readonly cluster: ModelCluster
  readonly effects: SideEffects
  /** What the controllers failed at, beside the mishaps. */
  readonly troubles: readonly string[]
  /** Ends every replica, and the cloud. */
  end(): Promise<void>
}

/** One on the simulated cloud. */
export interface SimWorld extends World {
  readonly sim: Sim
}

export const clusterUID = 'cccccccc-0000-4000-8000-000000000000'
export const namespace = 'team-a'

export function createWorld({ cloud: mood, ...options }: WorldOptions & { readonly cloud: CloudMood }): SimWorld {
  const time = virtualTime()
  const sim = createSim({ now: time.now, random: options.random.next, settings: mood.settings })
  return { ...worldOn(simSide(sim, mood, time, options.random), time, options), sim }
}

/** One on the server that speaks Compute Engine. */
export interface GceWorld extends World {
  readonly gce: Gce
}

export async function createGceWorld({
  cloud: mood,
  ...options
}: WorldOptions & { readonly cloud: GceMood }): Promise<GceWorld> {
  const time = virtualTime()
  const side = await gceSide(mood, time, options.random)
  return { ...worldOn(side, time, options), gce: side.gce }
}

function worldOn(cloud: CloudSide, time: VirtualTime, { random, watch, mishapAt }: WorldOptions): World {
  const cluster = modelCluster(time, random, watch)
  const troubles: string[] = []
  const replicas = new Set<{ readonly process: Process; readonly stop: AbortController }>()
  let count = 0
  let isOver = false

  const effects = sideEffects(time, {
    mishapAt,
    lateMs: random.between(100, 5_000),
    frozenMs: random.between(20_000, 60_000),
    onKilled: () => void time.clock.after(random.between(500, 5_000), startReplica),
  })

  function startReplica(): void {
    if (isOver) return
    const process = time.process(`replica-${++count}`)
    const stop = new AbortController()
    replicas.add({ process, stop })
    runReplica(process, stop)
  }

  function runReplica(process: Process, { signal }: AbortController): void {
    const { clock } = process
    const client = cluster.client(process, effects.sideEffect)
    const options = { signal, clock, random: random.next }
    const vms: Cache<VM> = cache(client, vmKind, {
      ...options,
      indexes: {
        credential: ({ metadata, spec }) => [`${metadata.namespace}/${spec.credentialRef.name}`],
        instance: instanceNames,
      },
    })
    const credentials: Cache<Credential> = cache(client, credentialKind, {
      ...options,
      indexes: {
        secret: ({ metadata, spec }) => (spec.secretRef ? [`${metadata.namespace}/${spec.secretRef.name}`] : []),
      },
    })
    const queue = workQueue({ clock, random: random.next })
    const owner = sharding({
      client,
      namespace: 'skyclust-system',
      identity: process.name,
      shards: 1,
      signal,
      clock,
      wallClock: time.now,
      random: random.next,
      onAcquired: () => {
        for (const vm of vms.list()) queue.add(keyString(vm.metadata))
      },
      drain: async () => undefined,
      onLost: () => {
        process.kill()
        if (!process.isFrozen) time.clock.after(1_000, startReplica)
      },
    })
    const accepts = (scope: string) => vms.isSynced && owner.accepts(scope)
    const controller = vmController(
      {
        client,
        caches: { vms, credentials },
        events: eventRecorder({
          client,
          reportingController: 'skyclust.io/controller',
          reportingInstance: process.name,
          clock,
          wallClock: time.now,
          random: random.next,
        }),
        registry: registryFor(process),
        metrics: { observed: () => undefined },
        log: { warn: () => undefined },
        clusterUID,
        owns: owner.owns,
        accepts,
        signal,
        config: { syncInterval: 60_000, orphans: 'report', orphanGrace: 3_600_000, formerClusters: [] },
      },
      { clock, wallClock: time.now, random: random.next },
    )
    controller.follow((key, wakeOptions) => {
      if (accepts(key.namespace ?? '')) queue.add(keyString(key), wakeOptions)
    })
    vms.synced(signal).then(
      () => {
        for (const key of controller.all()) queue.add(keyString(key))
      },
      () => undefined,
    )
    void runController({
      name: 'vm',
      queue,
      concurrency: 4,
      ...(controller.maxAside && { maxAside: controller.maxAside }),
      clock,
      signal,
      reconcile: async (key, abandon, aside) =>
        accepts(key.namespace ?? '') ? controller.reconcile(key, abandon, aside) : undefined,
      onError: (key, error) => {
        troubles.push(`${process.name} ${keyString(key)}: ${error instanceof Error ? error.message : String(error)}`)
        return 'backoff'
      },
    })
  }

  function registryFor(process: Process) {
    const { provider, region, account } = cloud
    const { sleep, clock } = process
    const called = cloud.cloudFor(process, effects.sideEffect)
    const meter = meters({ now: clock.now, sleep, wallClock: time.now }).of({
      provider,
      account,
      region,
      limits: called.limits,
    })
    const metered = meteredCloud({ cloud: called, meter, now: clock.now, sleep })
    return {
      access: () => ({
        kind: 'ready' as const,
        cloud: metered,
        account,
        provider,
        region,
        version: 'key-1',
        deleting: false,
      }),
      onChange: () => () => undefined,
    }
  }

  cluster.user.create(credentialKind, {
    metadata: { name: 'main', namespace, finalizers: [finalizers.credential] },
    spec: { provider: cloud.provider, source: 'Secret', secretRef: { name: 'main' }, region: cloud.region },
  })
  startReplica()

  return {
    time,
    cloud,
    cluster,
    effects,
    troubles,
    async end() {
      isOver = true
      for (const { process, stop } of replicas) {
        process.kill()
        stop.abort()
      }
      await cloud.end()
    },
  }
}

export type { Mishap }
