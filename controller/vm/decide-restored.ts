/**
 * A VM that came back with a restore into another cluster: it has another UID there, and the instance carries the old one. Where the operator says
 * that this cluster has taken the place of that one (SKYCLUST_FORMER_CLUSTERS), the instance that was made for the VM of the same namespace and name
 * there is taken over, before anything is made or given up; its tags then become those of this cluster.
 *
 * Only the operator can say so: two clusters may share an account, and have namespaces and VMs of the same names.
 */
import type { Instance } from '../../clouds/cloud.ts'
import { instanceTags } from '../../crds/names.ts'
import type { VM } from '../../crds/vm.ts'
import type { Action } from './action.ts'
import { isStaying } from './sightings.ts'
import type { Situation } from './situation.ts'
import { progressing, stalled } from './verdict.ts'

/** Somebody has to act: it is looked at again slowly. */
const lookAgainMs = 60_000

/** `undefined` when there is nothing to take over; asks for a lookup first. */
export function decideRestored(situation: Situation): Action | undefined {
  const { vm, formerClusters, look, view } = situation
  if (formerClusters.length === 0 || hadInstance(vm)) return undefined
  if (!look) return { kind: 'look' }
  const found = view.sightings
    .map(({ instance }) => instance)
    .filter((one) => isStaying(one) && isFormer(one, situation))
  const [instance, ...others] = found
  if (instance === undefined) return undefined
  if (others.length === 0) {
    const verdict = progressing('Restoring', `The instance ${instance.id} of before the restore is being taken over.`)
    return { kind: 'record', instance, how: 'restored', verdict }
  }
  const ids = found.map(({ id }) => id).join(', ')
  const message = `The instances ${ids} were all made for this VM before the restore: terminate those that shall not stay, or take the tag ${instanceTags.vm} off them.`
  return { kind: 'wait', verdict: stalled('SeveralInstances', message), expecting: false, againAfterMs: lookAgainMs }
}

/** Made for the VM of this namespace and name, in a cluster whose place this one has taken. */
export function isFormer(
  { tags }: Instance,
  { vm, formerClusters }: Pick<Situation, 'vm' | 'formerClusters'>,
): boolean {
  return formerClusters.includes(tags[instanceTags.cluster] ?? '') && tags[instanceTags.vm] === homeOf(vm)
}

/** The tag by which such an instance is looked up; `undefined` where there is none to be looked for. */
export function formerTag({
  vm,
  formerClusters,
}: Situation): { readonly key: string; readonly value: string } | undefined {
  if (formerClusters.length === 0 || hadInstance(vm)) return undefined
  return { key: instanceTags.vm, value: homeOf(vm) }
}

function hadInstance({ status }: VM): boolean {
  return status?.instanceID !== undefined || status?.create !== undefined || status?.incarnation !== undefined
}

function homeOf({ metadata }: VM): string {
  return `${metadata.namespace}/${metadata.name}`
}
