/**
 * The load of the scale benchmark: VM manifests as a user would apply them, and the floor, which is a bare generator that does
 * the same writes to the same apiserver and has nothing to decide.
 */
import { credentialKind } from '../../../crds/credential.ts'
import { type VM, vmKind } from '../../../crds/vm.ts'
import { namespaceType, secretType } from '../../../kube/builtin-types.ts'
import type { KubeClient } from '../../../kube/client.ts'
import { type Draft, keyOf } from '../../../kube/resource.ts'
import { inParallel } from '../seed/in-parallel.ts'

/** Each namespace has a Credential of its own, and calls of two Credentials are never gathered into one. */
export const VMS_PER_CREDENTIAL = 1_000

/** The writes that the contract allows the controller for one VM on its way to Ready, and the create. */
export const WRITES_PER_VM = 5

/** What is made, where. */
export interface Load {
  readonly provider: VM['spec']['provider']
  readonly region: string
  /** What the Secret of each Credential holds. */
  readonly secret: Readonly<Record<string, string>>
  readonly spec: Pick<VM['spec'], 'instanceType' | 'image'>
}

export async function makeNamespaces(client: KubeClient, prefix: string, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
  for (const name of names) await client.create(namespaceType, { metadata: { name } })
  return names
}

export async function makeCredentials(
  client: KubeClient,
  namespaces: readonly string[],
  { provider, region, secret }: Load,
): Promise<void> {
  for (const namespace of namespaces) {
    await client.create(secretType, {
      metadata: { namespace, name: 'cloud' },
      stringData: secret,
    })
    await client.create(credentialKind, {
      metadata: { namespace, name: 'cloud' },
      spec: { provider, source: 'Secret', secretRef: { name: 'cloud' }, region },
    })
  }
}

/** VM number `index`: every namespace has its share of them. */
export function draftOf(index: number, namespaces: readonly string[], { provider, region, spec }: Load): Draft<VM> {
  return {
    metadata: { namespace: namespaces[index % namespaces.length] ?? '', name: `vm-${index}` },
    spec: {
      provider,
      credentialRef: { name: 'cloud' },
      region,
      ...spec,
      tags: { team: 'bench' },
    },
  }
}

export interface Made {
  readonly namespaces: readonly string[]
  readonly count: number
  readonly load: Load
}

export async function createVms(client: KubeClient, { namespaces, count, load }: Made): Promise<void> {
  await inParallel(count, async (index) => {
    await client.create(vmKind, draftOf(index, namespaces, load))
  })
}

/** The same create, finalizer and three status writes for each VM, with nobody who decides anything. */
export async function bareWrites(client: KubeClient, { namespaces, count, load }: Made): Promise<void> {
  await inParallel(count, async (index) => {
    let vm = await client.create(vmKind, draftOf(index, namespaces, load))
    const key = keyOf(vm)
    const lock = () => ({ resourceVersion: vm.metadata.resourceVersion })
    vm = await client.patch(
      vmKind,
      key,
      { metadata: { ...lock(), finalizers: ['skyclust.io/bench'] } },
      { kind: 'merge' },
    )
    for (const status of statuses(index)) {
      vm = await client.patch(vmKind, key, { metadata: lock(), status }, { kind: 'merge', subresource: 'status' })
    }
  })
}

function* statuses(index: number) {
  const now = new Date().toISOString().slice(0, 19).concat('Z')
  const condition = (type: string, status: string) => ({
    type,
    status,
    reason: 'Bench',
    message: 'The instance is as the spec wants it.',
    lastTransitionTime: now,
    observedGeneration: 1,
  })
  yield { observedGeneration: 1, conditions: [condition('Ready', 'False'), condition('Synced', 'False')] }
  yield { instanceID: `i-${index.toString(16).padStart(17, '0')}`, state: 'pending', zone: 'sim-1a' }
  yield { state: 'running', publicIP: '203.0.113.7', privateIP: '10.0.0.7', conditions: [condition('Ready', 'True')] }
}
