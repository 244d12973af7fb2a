/**
 * The controller of VMs, put together: what it remembers, what it sees of the clouds, and what wakes a VM: a change of
 * its own, of what its Credential gives access to, or of its instance.
 */
import type { Instance } from '../../clouds/cloud.ts'
import { instanceTags } from '../../crds/names.ts'
import { type VM, vmKind } from '../../crds/vm.ts'
import { type Clock, systemClock } from '../../kube/clock.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { keyOf, parseKey } from '../../kube/resource.ts'
import type { KindController, Wake } from '../kind-controller.ts'
import type { KindDependencies } from '../kinds.ts'
import type { AccountRegion, Place } from '../observation/account-region.ts'
import { observer } from '../observation/observer.ts'
import { orphanSweep } from '../observation/orphans.ts'
import { admissions } from './admissions.ts'
import type { VMWorld } from './pass.ts'
import { recollections } from './recollection.ts'
import { vmReconciler } from './reconcile.ts'

/** Mostly waiting: for the API server, and for clouds that take seconds to answer a create. */
const CONCURRENCY = 64

/** Waiting for a start, a stop or the like that is gathered into a call for many: two full calls of EC2. */
const MAX_ASIDE = 2_000

export interface VMControllerTime {
  readonly clock: Clock
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
  readonly random: () => number
}

const realTime: VMControllerTime = { clock: systemClock, wallClock: Date.now, random: Math.random }

export type VMDependencies = Pick<
  KindDependencies,
  'client' | 'events' | 'clusterUID' | 'owns' | 'accepts' | 'signal'
> & {
  readonly registry: Pick<KindDependencies['registry'], 'access' | 'onChange'>
  readonly metrics: Pick<KindDependencies['metrics'], 'observed'>
  readonly log: Pick<KindDependencies['log'], 'warn'>
  readonly caches: Pick<KindDependencies['caches'], 'vms' | 'credentials'>
  readonly config: Pick<KindDependencies['config'], 'syncInterval' | 'orphans' | 'orphanGrace' | 'formerClusters'>
}

export function vmController(deps: VMDependencies, time: VMControllerTime = realTime): KindController {
  const { client, caches, events, registry, metrics, log, clusterUID, owns, accepts, signal, config } = deps
  const { vms, credentials } = caches
  const orphanCounts = new WeakMap<AccountRegion, number>()
  let wake: Wake = () => undefined

  const orphans = orphanSweep({
    mode: config.orphans,
    graceMs: config.orphanGrace,
    wallClock: time.wallClock,
    isSynced: () => vms.isSynced && vms.freshness().connected,
    isClaimed: (uid, id) => vms.byUid(uid) !== undefined || vms.index('instance', id).length > 0,
    accepts,
    askUid,
    onFound: (eyes, instance) => tellOrphan(eyes, instance, 'OrphanFound', 'has our tags and no VM'),
    onEnded: (eyes, instance) => tellOrphan(eyes, instance, 'OrphanTerminated', 'had no VM and is being terminated'),
    onFailed: (instance, error) => log.warn({ instance: instance.id, err: error }, 'an orphan could not be ended'),
  })

  const eyes = observer({
    ...time,
    clusterUID,
    intervalMs: config.syncInterval,
    lingerMs: config.orphanGrace + 2 * config.syncInterval,
    signal,
    onChanged: wakeOwners,
    onSight: (uids) => {
      for (const uid of uids) wakeVM(vms.byUid(uid))
    },
    onListed: (place) => {
      for (const uid of [...place.users]) if (!isOurs(vms.byUid(uid))) place.leave(uid)
      orphans.sweep(place).then(
        (count) => orphanCounts.set(place, count),
        (error: unknown) => log.warn({ ...place.place, err: error }, 'orphans could not be looked for'),
      )
    },
    onFailed: (place, error) => log.warn({ ...place, err: error }, 'the instances could not be listed'),
  })

  const world: VMWorld = {
    ...time,
    client,
    vms,
    credentials,
    access: registry.access,
    observer: eyes,
    events,
    recollections: recollections(),
    admissions: admissions(time.wallClock),
    clusterUID,
    formerClusters: config.formerClusters,
    owns,
    wake: (key) => wake(key),
  }

  function isOurs(vm: VM | undefined): boolean {
    return vm !== undefined && accepts(vm.metadata.namespace ?? '')
  }

  function wakeVM(vm: VM | undefined): void {
    if (vm) wake(keyOf(vm))
  }

  function wakeOwners({ id, tags }: Instance): void {
    wakeVM(vms.byUid(tags[instanceTags.vmUID] ?? ''))
    for (const vm of vms.index('instance', id)) wakeVM(vm)
  }

  async function askUid(namespace: string, name: string): Promise<string | undefined> {
    try {
      return (await client.get(vmKind, { namespace, name }, { signal })).metadata.uid
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  function tellOrphan({ place, clouds }: AccountRegion, { id, tags }: Instance, reason: string, what: string): void {
    const vm = tags[instanceTags.vm] ?? 'unknown'
    log.warn({ ...place, instance: id, vm, reason }, `an instance ${what}`)
    const [credential] = [...clouds.keys()].flatMap((key) => credentials.get(parseKey(key)) ?? [])
    const message = `The instance ${id} in ${place.region}, made for the VM ${vm}, ${what}.`
    if (credential) events.record(credential, { type: 'Warning', reason, message })
  }

  function forget(uid: string): void {
    world.recollections.forget(uid)
    world.admissions.close(uid)
    eyes.leave(uid)
  }

  function perPlace(value: (place: AccountRegion) => number): () => [string, number][] {
    return () => eyes.open.map((place) => [labelOf(place.place), value(place)])
  }

  metrics.observed({
    name: 'skyclust_orphan_instances',
    help: 'Instances that carry our tags and have no VM.',
    label: 'place',
    values: perPlace((place) => orphanCounts.get(place) ?? 0),
  })
  metrics.observed({
    name: 'skyclust_observed_instances',
    help: 'Instances that the last listing showed, or that were made since.',
    label: 'place',
    values: perPlace((place) => place.size),
  })
  metrics.observed({
    name: 'skyclust_observation_age_seconds',
    help: 'Since when the last complete listing of an account and region began.',
    label: 'place',
    values: () =>
      eyes.open.flatMap(({ place, listedAt }) =>
        listedAt === undefined ? [] : [[labelOf(place), (time.wallClock() - listedAt) / 1000] as const],
      ),
  })

  return {
    name: 'vm',
    concurrency: CONCURRENCY,
    maxAside: MAX_ASIDE,
    reconcile: vmReconciler(world),
    all: () => vms.list().map(keyOf),
    follow(wakeUp) {
      wake = wakeUp
      vms.onChange(({ type, object }) => (type === 'delete' ? forget(object.metadata.uid) : wakeVM(object)))
      registry.onChange((namespace, name) => {
        for (const vm of vms.index('credential', `${namespace}/${name}`)) wakeVM(vm)
      })
    },
  }
}

/** `aws/123456789012/us-east-1`: as many as there are accounts and regions. */
function labelOf({ provider, account, region }: Place): string {
  return `${provider}/${account}/${region}`
}
