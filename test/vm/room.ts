/** A namespace of a test's own with a Credential in it, and the sentences in which a test speaks of the VMs there. */
import { vi } from 'vitest'
import { type Credential, credentialKind } from '../../crds/credential.ts'
import { type VM, vmKind } from '../../crds/vm.ts'
import { eventType, secretType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type Condition, getCondition } from '../../kube/conditions.ts'
import { find } from '../../kube/find.ts'
import type { KubeObject, ObjectKey, ResourceType } from '../../kube/resource.ts'
import type { Cluster } from '../cluster/cluster.ts'

export interface RoomOptions {
  /** Default: sim. */
  readonly provider?: keyof typeof regions
  /** What the Secret holds, beside what is needed. */
  readonly key?: Readonly<Record<string, string>>
  /** Whether the Credential is waited for. Default: true. */
  readonly accepted?: boolean
}

export interface Room {
  readonly namespace: string
  readonly provider: keyof typeof regions
  /** A VM that runs on demand, but for what is said otherwise. */
  create(name: string, spec?: Partial<VM['spec']>): Promise<VM>
  change(name: string, spec: object): Promise<VM>
  delete(name: string): Promise<void>
  find(name: string): Promise<VM | undefined>
  /** The VM, once it passes. Throws with what it was last. */
  until(name: string, passes: (vm: VM) => boolean): Promise<VM>
  /** The VM, once its Ready has that reason. */
  untilReason(name: string, reason: string): Promise<VM>
  /** The VM, once it is Ready for what its spec is now. */
  untilReady(name: string): Promise<VM>
  untilGone(name: string): Promise<void>
  /** `Normal InstanceCreated`, in the order of their first time, once those that are named are among them. */
  untilTold(name: string, ...events: readonly string[]): Promise<readonly string[]>
  /** The Credential `main`, once it passes. */
  untilCredential(passes: (credential: Credential) => boolean): Promise<Credential>
  putSecret(name: string, data: Readonly<Record<string, string>>, type?: string): Promise<void>
}

export const regions = { sim: 'sim-1', aws: 'us-east-1', gcp: 'us-central1' } as const
/** What there is in moto, and what the simulated cloud takes as well. */
export const image = 'ami-12c6146b'
const usual = { instanceType: 't3.micro', image }
const google = { instanceType: 'e2-micro', image: 'debian-cloud/debian-12' }
const timing = { timeout: 200_000, interval: 100 }

export async function openRoom(
  { cluster, administrator }: { readonly cluster: Cluster; readonly administrator: KubeClient },
  { provider = 'sim', key = {}, accepted = true }: RoomOptions = {},
): Promise<Room> {
  const namespace = await cluster.namespace('room')

  const room: Room = {
    namespace,
    provider,
    create: (name, spec = {}) =>
      administrator.create(vmKind, {
        metadata: { namespace, name },
        spec: {
          provider,
          credentialRef: { name: 'main' },
          ...(provider === 'gcp' ? google : usual),
          ...spec,
        } as VM['spec'],
      }),
    change: (name, spec) => administrator.patch(vmKind, { namespace, name }, { spec }, { kind: 'merge' }),
    delete: (name) => administrator.delete(vmKind, { namespace, name }),
    find: (name) => find(administrator, vmKind, { namespace, name }),
    until: (name, passes) => untilPasses(administrator, vmKind, { namespace, name }, passes),
    untilReason: (name, reason) => room.until(name, (vm) => conditionOf(vm, 'Ready')?.reason === reason),
    untilReady: (name) => room.until(name, isReady),
    async untilGone(name) {
      await vi.waitFor(async () => {
        const vm = await room.find(name)
        if (vm) throw new Error(`VM ${name} is still there: ${JSON.stringify(vm)}`)
      }, timing)
    },
    untilTold: (name, ...events) =>
      vi.waitFor(async () => {
        const told = await eventsOn(administrator, namespace, name)
        const missing = events.filter((event) => !told.includes(event))
        if (missing.length > 0) throw new Error(`${missing.join(', ')} not among ${told.join(', ')}`)
        return told
      }, timing),
    untilCredential: (passes) => untilPasses(administrator, credentialKind, { namespace, name: 'main' }, passes),
    async putSecret(name, data, type) {
      await administrator.apply(
        secretType,
        { metadata: { namespace, name }, stringData: data, ...(type && { type }) },
        { force: true },
      )
    },
  }

  await room.putSecret('main', { access_key: 'test', secret_key: 'test', ...key })
  await administrator.create(credentialKind, {
    metadata: { namespace, name: 'main' },
    spec: { provider, source: 'Secret', secretRef: { name: 'main' }, region: regions[provider] },
  })
  if (accepted) await room.untilCredential((credential) => conditionOf(credential, 'Ready')?.status === 'True')
  return room
}

/** Once the assertion holds. (`expect.poll` does not know which of several concurrent tests asks.) */
export function eventually<T>(assertion: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(assertion, timing)
}

export function isReady(vm: VM): boolean {
  return conditionOf(vm, 'Ready')?.status === 'True' && vm.status?.observedGeneration === vm.metadata.generation
}

export function conditionOf(object: KubeObject | undefined, type: string): Condition | undefined {
  const { status } = (object ?? {}) as { readonly status?: { readonly conditions?: Condition[] } }
  return getCondition(status?.conditions, type)
}

function untilPasses<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  key: ObjectKey,
  passes: (object: T) => boolean,
): Promise<T> {
  return vi.waitFor(async () => {
    const object = await find(client, type, key)
    if (!object || !passes(object)) throw new Error(`${type.kind} ${key.name} is ${JSON.stringify(object)}`)
    return object
  }, timing)
}

async function eventsOn(client: KubeClient, namespace: string, name: string): Promise<readonly string[]> {
  const { items } = await client.list(eventType, { namespace })
  return items
    .filter(({ regarding }) => regarding.name === name)
    .sort((a, b) => (a.eventTime ?? '').localeCompare(b.eventTime ?? ''))
    .map(({ type, reason }) => `${type} ${reason}`)
}
