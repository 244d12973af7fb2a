/** Situations for tests, said by what is special about them: all else is a VM that is running as it should. */
import type { Instance } from '../../clouds/cloud.ts'
import { finalizers } from '../../crds/names.ts'
import type { VM } from '../../crds/vm.ts'
import { wholeSeconds } from '../../kube/conditions.ts'
import type { Sighting } from '../observation/snapshot.ts'
import { createToken, wantedTags } from './identity.ts'
import type { CreateIntent } from './intent.ts'
import type { Recollection } from './recollection.ts'
import type { Access, Look, Situation, View } from './situation.ts'
import { settled, statusOf, type VMStatus } from './verdict.ts'

export const now = Date.parse('2026-01-02T03:04:05.000Z')
export const clusterUID = '11111111-1111-4111-8111-111111111111'
export const uid = '22222222-2222-4222-8222-222222222222'
export const lookupLagMs = 10_000
export const hourMs = 3_600_000

export const readyAccess: Access & { kind: 'ready' } = {
  kind: 'ready',
  account: '123456789012',
  region: 'sim-1',
  guarantees: { tokenValidityMs: 24 * hourMs, lookupLagMs, maxBatch: 1000, maxFilterValues: 200 },
  version: 'key-1',
  deleting: false,
}

export interface VMOptions {
  readonly spec?: Partial<VM['spec']>
  readonly status?: VMStatus
  readonly metadata?: Partial<VM['metadata']>
}

export function givenVM({ spec, status, metadata }: VMOptions = {}): VM {
  return {
    apiVersion: 'skyclust.io/v1alpha1',
    kind: 'VM',
    metadata: {
      name: 'web-1',
      namespace: 'team-a',
      uid,
      resourceVersion: '100',
      generation: 1,
      creationTimestamp: wholeSeconds(new Date(now - hourMs)),
      finalizers: [finalizers.vm],
      ...metadata,
    },
    spec: {
      provider: 'sim',
      credentialRef: { name: 'main' },
      instanceType: 't3.micro',
      image: 'ami-1',
      powerState: 'Running',
      deletionPolicy: 'Delete',
      replacePolicy: 'Never',
      marketType: 'OnDemand',
      ...spec,
    },
    ...(status ? { status } : {}),
  }
}

export function givenInstance(vm: VM, changes: Partial<Instance> = {}): Instance {
  return {
    id: 'i-1',
    state: 'running',
    stateReason: '',
    instanceType: vm.spec.instanceType,
    image: vm.spec.image,
    region: 'sim-1',
    zone: 'sim-1a',
    publicIP: '203.0.113.7',
    privateIP: '10.0.0.7',
    launchTime: wholeSeconds(new Date(now - hourMs)),
    tags: wantedTags(vm, clusterUID),
    token: createToken(vm, vm.status?.incarnation ?? 0),
    marketType: vm.spec.marketType,
    ...changes,
  }
}

export function seen(instance: Instance, at = now - 1_000): Sighting {
  return { instance, at }
}

/** A VM that was found to be as its spec wants it, an hour ago. */
export function settledVM(options: VMOptions = {}): VM {
  const vm = givenVM({ ...options, status: {} })
  const instance = givenInstance(vm)
  const tagKeys = Object.keys(vm.spec.tags ?? {})
  const before: VMStatus = { account: readyAccess.account, region: readyAccess.region, tagKeys, ...options.status }
  const verdict = settled('InstanceRunning', 'The instance i-1 is running.')
  return {
    ...vm,
    status: { ...statusOf({ ...vm, status: before }, verdict, instance, now - hourMs), ...options.status },
  }
}

export function givenIntent(vm: VM, changes: Partial<CreateIntent> & { readonly ageMs?: number } = {}): CreateIntent {
  const { ageMs = 1_000, ...rest } = changes
  const startedAt = new Date(now - ageMs).toISOString()
  const incarnation = vm.status?.incarnation ?? 0
  return {
    token: createToken(vm, incarnation),
    incarnation,
    attempt: 1,
    firstStartedAt: startedAt,
    startedAt,
    ...rest,
  }
}

export interface SituationOptions {
  readonly vm: VM
  readonly sightings?: readonly Sighting[]
  readonly view?: Partial<View>
  readonly access?: Access
  readonly look?: Partial<Look>
  readonly recollection?: Recollection
  readonly admission?: Situation['admission']
  readonly userData?: Situation['userData']
  readonly rival?: string
  readonly formerClusters?: readonly string[]
}

export function givenSituation(options: SituationOptions): Situation {
  const { vm, sightings = [], view, access = readyAccess, look, recollection = {} } = options
  return {
    now,
    vm,
    clusterUID,
    formerClusters: options.formerClusters ?? [],
    access,
    view: { sightings, listedAt: now - 2_000, lagging: false, problem: undefined, ...view },
    look: look && { at: now, token: undefined, id: undefined, ...look },
    recollection,
    admission: options.admission ?? { kind: 'granted' },
    userData: options.userData ?? { kind: 'read', text: undefined },
    rival: options.rival,
  }
}
