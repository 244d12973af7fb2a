/** A VM that names an existing instance: it is taken over if nobody else's, and never otherwise. */
import type { Instance } from '../../clouds/cloud.ts'
import { instanceTags } from '../../crds/names.ts'
import type { Action } from './action.ts'
import { isFormer } from './decide-restored.ts'
import { belongsTo } from './identity.ts'
import { isStaying, sightingOf } from './sightings.ts'
import type { Situation } from './situation.ts'
import { progressing, stalled } from './verdict.ts'

/** Somebody has to act: it is looked at again slowly. */
const lookAgainMs = 60_000

export function decideAdoption(situation: Situation, id: string): Action {
  const { look, rival, vm, access } = situation
  if (look?.id?.id !== id) return { kind: 'look', id }

  // Before anything else: what is another VM's is not among the sightings of this one.
  if (look.id.known && rival !== undefined) {
    return refused(
      'AdoptRefused',
      `The instance ${id} belongs to the VM ${rival}.`,
      'Delete one of the two, that one with deletionPolicy Orphan.',
    )
  }
  const instance = sightingOf(situation, look.id.found?.id ?? id)?.instance
  if (!instance || !look.id.known) {
    const where = access.kind === 'ready' ? `account ${access.account}, region ${access.region}` : 'this account'
    return refused(
      'AdoptNotFound',
      `There is no instance ${id} in ${where}.`,
      'Make the VM anew with the right id, Credential or region.',
    )
  }
  if (!isStaying(instance)) {
    return refused(
      'AdoptNotFound',
      `The instance ${instance.id} is ${instance.state}.`,
      'Delete this VM, or make it anew without spec.adopt.',
    )
  }
  if (!belongsTo(instance, vm) && hasOwner(instance) && !isFormer(instance, situation)) {
    const owner = instance.tags[instanceTags.vm] ?? 'another VM'
    return refused(
      'AdoptRefused',
      `The instance ${instance.id} belongs to ${owner} of installation ${instance.tags[instanceTags.cluster] ?? 'unknown'}, as its tags say.`,
      `Delete that VM with deletionPolicy Orphan, or, if it is no more, take the tag ${instanceTags.vmUID} off the instance.`,
    )
  }
  const verdict = progressing('Adopting', `The instance ${instance.id} is being taken over.`)
  return { kind: 'record', instance, how: 'adopted', verdict }
}

function hasOwner(instance: Instance): boolean {
  return instance.tags[instanceTags.vmUID] !== undefined
}

function refused(reason: string, message: string, remedy: string): Action {
  return { kind: 'wait', verdict: stalled(reason, `${message} ${remedy}`), expecting: false, againAfterMs: lookAgainMs }
}
