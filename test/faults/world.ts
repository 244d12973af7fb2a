/**
 * A world in virtual time: a model API server, a simulated cloud, and replicas of the VM controller, each the real one
 * with its real cache, queue, lease, batches and listing. Replicas that die or freeze are followed by another, as a Deployment
 * does it.
 */
import { type MeteredCloud, meteredCloud } from '../../clouds/metered-cloud.ts'
import { meters } from '../../clouds/meters.ts'
import { inProcess, type SimTransport } from '../../clouds/sim/exchange.ts'
import type { SimSettingsInput } from '../../clouds/sim/settings.ts'
import { createSim, type Sim } from '../../clouds/sim/sim.ts'
import { simCloud } from '../../clouds/sim/sim-cloud.ts'
import type { SimAction } from '../../clouds/sim/wire.ts'
import { sharding } from '../../controller/sharding/sharding.ts'
import { vmController } from '../../controller/vm/vm-controller.ts'
import { type Credential, credentialKind } from '../../crds/credential.ts'
import { finalizers } from '../../crds/names.ts'
import { type VM, vmKind } from '../../crds/vm.ts'
import { type Cache, cache } from '../../kube/cache.ts'
import { runController } from '../../kube/controller.ts'
import { eventRecorder } from '../../kube/events.ts'
import { keyString } from '../../kube/resource.ts'
import { workQueue } from '../../kube/work-queue.ts'
import { liveness } from './liveness.ts'
import { type ModelCluster, modelCluster, type WatchFaults } from './model-cluster.ts'
import type { Chance } from './random.ts'
import { type Mishap, type Plan, type SideEffects, sideEffects } from './side-effects.ts'
import { type Process, type VirtualTime, virtualTime } from './virtual-time.ts'
import { rearrangeZones, zonalCloud, zonalServer } from './zones.ts'

export interface WorldOptions {
  readonly random: Chance
  readonly cloud: CloudMood
  readonly watch: WatchFaults
  readonly mishapAt: Plan['mishapAt']
}

/** How the cloud keeps its promises. The controller is told `tokenValidityMs` and `lookupLagMs`, whatever is true. */
export interface CloudMood {
  readonly settings: SimSettingsInput
  readonly tokenValidityMs: number
  readonly lookupLagMs: number
  /** It is as Compute Engine is, see `zones.ts`. */
  readonly zonal?: boolean
}

export interface World {
  readonly time: VirtualTime
  readonly sim: Sim
  readonly cluster: ModelCluster
  readonly effects: SideEffects
  /** Every breach of "one VM, one instance" as it happened. */
  readonly breaches: readonly string[]
  /** What the controllers failed at, beside the mishaps. */
  readonly troubles: readonly string[]
  /** Ends every replica. */
  end(): void
}

export const clusterUID = 'cccccccc-0000-4000-8000-000000000000'
export const namespace = 'team-a'

const mutating: ReadonlySet<SimAction> = new Set([
  'RunInstances',
  'StartInstances',
  'StopInstances',
  'TerminateInstances',
  'ModifyInstanceAttribute',
  'CreateTags',
  'DeleteTags',
])

export function createWorld({ random, cloud: mood, watch, mishapAt }: WorldOptions): World {
  const time = virtualTime()
  const sim = createSim({ now: time.now, random: random.next, settings: mood.settings })
  const cluster = modelCluster(time, random, watch)
  const watched = liveness(sim)
  const direct = inProcess(sim, { sleep: time.sleep })
  const inner = mood.zonal ? zonalServer(direct) : direct
  if (mood.zonal) rearrangeZones(sim, time.clock, random)
  const troubles: string[] = []
  const replicas = new Set<{ readonly process: Process; readonly stop: AbortController }>()
  let count = 0
  let isOver = false

  const effects = sideEffects(time, {
    mishapAt,
    lateMs: random.between(100, Math.max(200, Math.min(5_000, mood.lookupLagMs - 1_000))),
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
        instance: ({ spec, status }) => [status?.instanceID, spec.adopt?.instanceID].filter((id) => id !== undefined),
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
    const metered: MeteredCloud = cloudFor(process)
    return {
      access: () => ({
        kind: 'ready' as const,
        cloud: metered,
        account: '123456789012',
        provider: 'sim',
        region: 'sim-1',
        version: 'key-1',
        deleting: false,
      }),
      onChange: () => () => undefined,
    }
  }

  function cloudFor(process: Process): MeteredCloud {
    const transport: SimTransport = {
      send(request, signal) {
        const act = () => inner.send(request, signal).finally(watched.check)
        if (!mutating.has(request.action)) return process.deliver(act())
        const { action } = request
        return effects.sideEffect(process, { kind: 'cloud', what: action }, act, () => new Error('socket hang up'))
      },
    }
    const { sleep, clock } = process
    const own = simCloud({
      transport,
      accessKey: 'AKIA',
      secretKey: 'secret',
      region: 'sim-1',
      sleep,
      guarantees: { tokenValidityMs: mood.tokenValidityMs, lookupLagMs: mood.lookupLagMs },
    })
    const cloud = mood.zonal ? zonalCloud(own) : own
    const meter = meters({ now: clock.now, sleep }).of({
      provider: 'sim',
      account: '123456789012',
      region: 'sim-1',
      limits: cloud.limits,
    })
    return meteredCloud({ cloud, meter, now: clock.now, sleep })
  }

  cluster.user.create(credentialKind, {
    metadata: { name: 'main', namespace, finalizers: [finalizers.credential] },
    spec: { provider: 'sim', source: 'Secret', secretRef: { name: 'main' }, region: 'sim-1' },
  })
  startReplica()

  return {
    time,
    sim,
    cluster,
    effects,
    breaches: watched.breaches,
    troubles,
    end() {
      isOver = true
      for (const { process, stop } of replicas) {
        process.kill()
        stop.abort()
      }
    },
  }
}

export type { Mishap }
