/** A VM that is being deleted: it goes when the cloud has said that its instance is gone, or never was. */
import { finalizers } from '../../crds/names.ts'
import { hasFinalizer } from '../../kube/finalizers.ts'
import type { Sighting } from '../observation/snapshot.ts'
import type { Action } from './action.ts'
import { lookAgainMs, lookupLags, unresolved } from './decide-create.ts'
import { decideRestored } from './decide-restored.ts'
import { bindingTags } from './identity.ts'
import { repeatableAt } from './intent.ts'
import { isLive, isRecent, isStaying, missedFrom, ownSightings } from './sightings.ts'
import type { Situation } from './situation.ts'
import { progressing, type Verdict } from './verdict.ts'

export function decideDeletion(situation: Situation, blocked: Verdict | undefined): Action {
  const { vm } = situation
  if (!hasFinalizer(vm, finalizers.vm)) return { kind: 'nothing' }
  const isRestored = situation.formerClusters.length > 0
  if (!mayHaveInstance(situation) && !isRestored && (blocked || vm.spec.adopt)) {
    return { kind: 'removeFinalizer', why: 'No instance was ever asked for.' }
  }
  if (blocked) {
    const message = `The instance cannot be deleted yet. ${blocked.message}`
    return { kind: 'wait', verdict: { ...blocked, message }, expecting: false }
  }
  const restored = decideRestored(situation)
  if (restored) return restored
  return vm.spec.deletionPolicy === 'Orphan' ? decideRelease(situation) : decideTermination(situation)
}

function mayHaveInstance({ vm }: Situation): boolean {
  const { instanceID, create, incarnation } = vm.status ?? {}
  return instanceID !== undefined || create !== undefined || incarnation !== undefined
}

function decideTermination(situation: Situation): Action {
  const { recollection, vm } = situation
  const alive = itsSightings(situation).filter(({ instance }) => isLive(instance))
  const toTerminate = alive
    .filter(({ instance }) => isStaying(instance))
    .filter(({ instance, at }) => !isRecent(situation, recollection.terminatedAt?.[instance.id], at))
  if (toTerminate.length > 0) {
    return { kind: 'terminate', ids: toTerminate.map(({ instance }) => instance.id), why: 'deleted' }
  }
  if (alive.length > 0) {
    const ids = alive.map(({ instance }) => instance.id).join(', ')
    return {
      kind: 'wait',
      verdict: progressing('Deleting', `The instance ${ids} is being terminated.`),
      expecting: true,
    }
  }
  const why = vm.status?.instanceID ? `The cloud says that ${vm.status.instanceID} is gone.` : 'There is no instance.'
  return decideNoneLeft(situation) ?? { kind: 'removeFinalizer', why }
}

function decideRelease(situation: Situation): Action {
  const bound = itsSightings(situation)
    .filter(({ instance }) => isLive(instance) && bindingTags.some((key) => key in instance.tags))
    .filter(({ at }) => !isRecent(situation, situation.recollection.releasedAt, at))
    .map(({ instance }) => instance.id)
  if (bound.length > 0) return { kind: 'release', ids: bound }
  return (
    decideNoneLeft(situation) ?? { kind: 'removeFinalizer', why: 'The instance is left as it is, without our tags.' }
  )
}

/** No instance is known to be left; what has to be known before that is believed. `undefined`: it is. */
function decideNoneLeft(situation: Situation): Action | undefined {
  const { vm, look, now, access, view } = situation
  const { create: intent, instanceID } = vm.status ?? {}
  const isUnseen = instanceID !== undefined && !view.sightings.some(({ instance }) => instance.id === instanceID)
  const asksAll = look && (!intent || look.token === intent.token) && (!isUnseen || look.id?.id === instanceID)
  if (!asksAll) {
    return { kind: 'look', ...(intent ? { token: intent.token } : {}), ...(isUnseen ? { id: instanceID } : {}) }
  }
  const from = missedFrom(situation)
  if (isUnseen && from !== undefined && look.at < from) {
    const verdict = progressing(
      'Deleting',
      `The instance ${instanceID} is not shown yet, and has to be before it can be terminated.`,
    )
    return { kind: 'wait', verdict, expecting: false, againAfterMs: Math.max(50, Math.min(5_000, from - now)) }
  }
  if (!intent || access.kind !== 'ready') return undefined
  const repeatable = repeatableAt(intent, access.guarantees, now)
  if (look.at < repeatable) {
    const againAfterMs = lookAgainMs(intent, repeatable, now)
    return { kind: 'wait', verdict: unresolved(repeatable), expecting: false, againAfterMs }
  }
  return view.lagging ? { kind: 'wait', verdict: lookupLags(), expecting: false, againAfterMs: 60_000 } : undefined
}

/** Those that carry its tag, and the one that its status names, whatever that carries. */
function itsSightings(situation: Situation): readonly Sighting[] {
  const own = ownSightings(situation)
  const named = situation.view.sightings.find(({ instance }) => instance.id === situation.vm.status?.instanceID)
  return !named || own.includes(named) ? own : [...own, named]
}
