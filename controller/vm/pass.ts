/**
 * One pass over a VM: what is gathered for a decision, and what its execution works with. Everything comes from memory; a
 * pass makes no call before it has decided to.
 */
import type { MeteredCloud } from '../../clouds/metered-cloud.ts'
import type { Credential } from '../../crds/credential.ts'
import type { VM } from '../../crds/vm.ts'
import type { Cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Clock } from '../../kube/clock.ts'
import type { Aside } from '../../kube/controller.ts'
import type { EventRecorder } from '../../kube/events.ts'
import { keyOf, keyString, type ObjectKey } from '../../kube/resource.ts'
import type { CloudAccess } from '../credential/cloud-access.ts'
import type { AccountRegion } from '../observation/account-region.ts'
import type { Observer } from '../observation/observer.ts'
import type { Sighting } from '../observation/snapshot.ts'
import type { Admissions } from './admissions.ts'
import { incarnationOf, instanceNames } from './identity.ts'
import type { Recollections } from './recollection.ts'
import type { Access, Look, Situation, UserData, View } from './situation.ts'

export interface VMWorld {
  readonly client: KubeClient
  /** With the index `instance`: ids that VMs name, in status and in `spec.adopt`. */
  readonly vms: Cache<VM>
  readonly credentials: Cache<Credential>
  readonly access: (namespace: string, credential: string, region?: string) => CloudAccess
  readonly observer: Observer
  readonly events: EventRecorder
  readonly recollections: Recollections
  readonly admissions: Admissions
  readonly clusterUID: string
  readonly formerClusters: readonly string[]
  /** May this replica act on that namespace at this very moment? */
  readonly owns: (namespace: string) => boolean
  readonly wake: (key: ObjectKey) => void
  readonly clock: Clock
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
  readonly random: () => number
}

/** What a pass has found out so far. */
export interface Findings {
  readonly vm: VM
  readonly look?: Look
  /** Of instances that a lookup showed, whatever tags they carry. */
  readonly foundIds?: readonly string[]
  readonly userData?: UserData
}

/** How a pass waits. */
interface Waiting {
  readonly signal: AbortSignal
  /** For what is gathered with the wishes of others. */
  readonly aside: Aside
}

export interface Pass extends Findings, Waiting {
  readonly situation: Situation
  /** There whenever `situation.access` is ready. */
  readonly cloud: MeteredCloud | undefined
  readonly eyes: AccountRegion | undefined
}

export function gather(world: VMWorld, findings: Findings, waiting: Waiting): Pass {
  const { vm } = findings
  const access = accessOf(world, vm)
  const eyes = access.kind === 'ready' ? eyesOn(world, vm, access) : undefined
  const situation: Situation = {
    now: world.wallClock(),
    vm,
    clusterUID: world.clusterUID,
    formerClusters: world.formerClusters,
    access: access.kind === 'ready' ? readyAccess(access) : access,
    view: viewOf(world, findings, eyes),
    look: findings.look,
    recollection: world.recollections.of(vm),
    admission: world.admissions.stateOf(vm.metadata.uid),
    userData: findings.userData ?? (vm.spec.userDataSecretRef ? { kind: 'unread' } : { kind: 'read', text: undefined }),
    rival: rivalOf(world, findings),
  }
  return { ...findings, situation, cloud: access.kind === 'ready' ? access.cloud : undefined, eyes, ...waiting }
}

type ReadyAccess = Extract<CloudAccess, { kind: 'ready' }>

/** The region is decided once, by the VM or its Credential's default of that time. */
function accessOf(world: VMWorld, vm: VM): CloudAccess {
  const region = vm.status?.region || vm.spec.region || undefined
  const access = world.access(vm.metadata.namespace ?? '', vm.spec.credentialRef.name, region)
  if (access.kind !== 'ready' || access.provider === vm.spec.provider) return access
  const message = `The Credential ${vm.spec.credentialRef.name} is for ${access.provider}, and spec.provider is ${vm.spec.provider}: make the VM anew with a Credential of its provider.`
  return { kind: 'notReady', reason: 'ProviderMismatch', message, stalled: true }
}

function readyAccess({ account, region, cloud, version, deleting }: ReadyAccess): Access {
  return { kind: 'ready', account, region, guarantees: cloud.guarantees, version, deleting }
}

function eyesOn(world: VMWorld, vm: VM, access: ReadyAccess): AccountRegion {
  const { provider, account, region, cloud } = access
  const eyes = world.observer.at({ provider, account, region }, cloud.guarantees)
  eyes.use(vm.metadata.uid, `${vm.metadata.namespace}/${vm.spec.credentialRef.name}`, cloud)
  return eyes
}

function viewOf(world: VMWorld, { vm, foundIds = [] }: Findings, eyes: AccountRegion | undefined): View {
  if (!eyes) return { sightings: [], listedAt: undefined, lagging: false, problem: undefined }
  const named = [vm.status?.instanceID, vm.spec.adopt?.instanceID].filter((id) => id !== undefined)
  const sightings = eyes.sightingsOf(vm.metadata.uid, [...new Set([...named, ...foundIds])])
  return {
    sightings: sightings.filter((sighting) => !isAnothers(world, vm, sighting)),
    listedAt: eyes.listedAt,
    lagging: eyes.isLagging,
    problem: eyes.problem,
  }
}

/** Whatever its tags say: an instance that another VM's status names is that VM's. */
function isAnothers(world: VMWorld, vm: VM, { instance }: Sighting): boolean {
  return world.vms
    .index('instance', instance.id)
    .some((other) => other.metadata.uid !== vm.metadata.uid && other.status?.instanceID === instance.id)
}

/** Whoever has the instance that is to be adopted, or asked earlier for what may be it, by whichever of its names. */
function rivalOf(world: VMWorld, { vm, look }: Findings): string | undefined {
  const asked = vm.spec.adopt?.instanceID
  if (asked === undefined || vm.status?.instanceID !== undefined) return undefined
  const { id = asked, name } = look?.id?.found ?? {}
  const names = new Set([id, ...instanceNames(vm), ...(name === undefined ? [] : [name])])
  const rival = [...names]
    .flatMap((key) => world.vms.index('instance', key))
    .filter(({ metadata }) => metadata.uid !== vm.metadata.uid)
    .find((other) => (other.status?.instanceID ? other.status.instanceID === id : isOlder(other, vm)))
  return rival && keyString(keyOf(rival))
}

function isOlder(a: VM, b: VM): boolean {
  if (incarnationOf(a) > 0) return false // it had that instance once, and has let it go
  const [before, after] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp]
  return before === after ? a.metadata.uid < b.metadata.uid : before < after
}
