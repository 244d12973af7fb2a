/**
 * How an instance says whose it is: the idempotency key under which it was made, and the tags that it carries.
 * Both follow from the VM alone, so that any process, at any time, comes to the same.
 */

import type { Instance } from '../../clouds/cloud.ts'
import { instanceTags } from '../../crds/names.ts'
import type { VM } from '../../crds/vm.ts'

/**
 * The idempotency key of one incarnation, the same for each attempt at it: `skyclust-<uid>-<incarnation>`. With a
 * UID of 36 characters that leaves room for 18 digits under EC2's limit of 64.
 */
export function createToken(vm: VM, incarnation: number): string {
  return `skyclust-${vm.metadata.uid}-${incarnation}`
}

export function incarnationOf(vm: VM): number {
  return vm.status?.incarnation ?? 0
}

/** All tags that the VM's instance shall have: whose it is, and what the user asked for. */
export function wantedTags(vm: VM, clusterUID: string): Record<string, string> {
  return { ...vm.spec.tags, ...identityTags(vm, clusterUID) }
}

export function identityTags(vm: VM, clusterUID: string): Record<string, string> {
  return {
    [instanceTags.vmUID]: vm.metadata.uid,
    [instanceTags.vm]: `${vm.metadata.namespace}/${vm.metadata.name}`,
    [instanceTags.cluster]: clusterUID,
    [instanceTags.incarnation]: String(incarnationOf(vm)),
    [instanceTags.name]: vm.metadata.name,
  }
}

/** The tags that bind an instance to its VM, and that it loses when it is let go. `Name` stays: it is a person's too. */
export const bindingTags: readonly string[] = [
  instanceTags.vmUID,
  instanceTags.vm,
  instanceTags.cluster,
  instanceTags.incarnation,
]

/** Whose it is by its tag, or by the token of its create where somebody took the tag away. */
export function belongsTo(instance: Instance, vm: VM): boolean {
  const owner = instance.tags[instanceTags.vmUID]
  return owner === undefined ? instance.token.startsWith(`skyclust-${vm.metadata.uid}-`) : owner === vm.metadata.uid
}

/** Which of the VM's instances it is, by its tag; `undefined` when somebody took that away. */
export function incarnationTag(instance: Instance): number | undefined {
  const text = instance.tags[instanceTags.incarnation]
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** What a VM calls its instance, in status and in `spec.adopt`; of a link there the name at its end as well. */
export function instanceNames({ spec, status }: VM): readonly string[] {
  const asked = spec.adopt?.instanceID
  const names = [status?.instanceID, asked, asked?.slice(asked.lastIndexOf('/') + 1)]
  return [...new Set(names.filter((name) => name !== undefined))]
}
