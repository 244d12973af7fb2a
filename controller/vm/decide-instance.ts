/** A VM that has its instance: what is between it and the spec, one step at a time. */
import type { InstanceState, LaunchFailure } from '../../clouds/cloud.ts'
import type { VM } from '../../crds/vm.ts'
import { getCondition } from '../../kube/conditions.ts'
import type { Sighting } from '../observation/snapshot.ts'
import type { Action } from './action.ts'
import { launching, replaceableAt, taken } from './decide-create.ts'
import { wantedTags } from './identity.ts'
import { clockSkewMs } from './intent.ts'
import {
  isRecent,
  isStaying,
  lagMs,
  madeInstance,
  missedFrom,
  shownFrom,
  sightingOf,
  surplusInstances,
} from './sightings.ts'
import type { Situation } from './situation.ts'
import { progressing, settled, stalled, stateOf, type Verdict } from './verdict.ts'

export function decideInstance(situation: Situation, id: string): Action {
  const own = sightingOf(situation, id)
  if (!own) return decideAbsent(situation, id)

  const surplus = surplusInstances(situation, id)
  if (surplus.length > 0) return { kind: 'terminate', ids: surplus.map((one) => one.id), why: 'duplicate' }
  if (own.instance.state === 'terminated')
    return decideGone(situation, own.instance.stateReason, own.instance.launchFailure)
  if (own.instance.state === 'terminating') {
    return expecting(progressing('Terminating', `The instance ${id} is being terminated by somebody else.`))
  }
  const power = decidePower(situation, own)
  const action = power.kind === 'wait' ? (decideTags(situation, own) ?? power) : power
  const doubtMs = isConverged(action) ? 0 : doubtForMs(situation, own)
  return doubtMs > 0 ? { kind: 'listen', expecting: true, againAfterMs: Math.max(1_000, doubtMs) } : action
}

function isConverged(action: Action): boolean {
  return action.kind === 'wait' && action.verdict.phase === 'settled'
}

/**
 * All was as wanted a moment ago, by a read that was newer than this one may be: a difference is not believed yet. How long
 * until a read that begins then is believed; 0 when this one is.
 */
function doubtForMs({ vm, access, now }: Situation, own: Sighting): number {
  const synced = getCondition(vm.status?.conditions, 'Synced')
  if (synced?.status !== 'True' || hasNewSpec(vm)) return 0
  const believedFrom = Date.parse(synced.lastTransitionTime) + 1_000 + lagMs(access) + clockSkewMs
  return own.at < believedFrom ? Math.max(1, believedFrom - now) : 0
}

/** The spec asks for something on which nothing was said yet. */
function hasNewSpec(vm: VM): boolean {
  return vm.status?.observedGeneration !== vm.metadata.generation
}

/** What differs now was as wanted before, and nobody asked for a change: somebody changed it at the cloud. */
function changedOutside(vm: VM): boolean {
  return getCondition(vm.status?.conditions, 'Synced')?.status === 'True' && !hasNewSpec(vm)
}

/** How soon an instance is asked for again that the cloud does not know, while that may be lag. */
const askAgainMs = 30_000

/**
 * The listing does not show it: soon after a launch that is lag, and somebody may have taken the tag away by which it is
 * listed. So the cloud is asked by id, and believed when it says again and again that there is none. Until then no other
 * instance that carries the tag is taken for a duplicate: should the id be wrong, that one is the VM's.
 */
function decideAbsent(situation: Situation, id: string): Action {
  const { view, look, now } = situation
  if (view.listedAt === undefined) return { kind: 'listen', expecting: false }
  const from = shownFrom(situation) ?? 0
  if (now < from) return { kind: 'listen', expecting: true, againAfterMs: from - now }
  const made = madeInstance(situation)
  const other = made && isStaying(made) ? made : undefined
  if (other && look?.id?.id === other.id) return taken(situation, other)
  if (look?.id?.id !== id) return { kind: 'look', id }
  const missed = missedFrom(situation) ?? 0
  if (now < missed) return { kind: 'listen', expecting: true, againAfterMs: Math.min(askAgainMs, missed - now) }
  return other ? taken(situation, other) : decideGone(situation, 'the cloud does not know it any more')
}

function decideGone(situation: Situation, cause: string, launchFailure?: LaunchFailure): Action {
  const { vm, now } = situation
  if (launchFailure) return { kind: 'relaunch', failure: launchFailure }
  const id = vm.status?.instanceID
  const interrupted = /spot/i.test(cause)
  const what = `The instance ${id} is gone${cause === '' ? '' : `: ${cause.replace(/\.$/, '')}`}.`
  if (vm.spec.replacePolicy === 'Never') {
    const remedy = 'Delete the VM, or set spec.replacePolicy to OnTermination to have another one made.'
    return { kind: 'wait', verdict: stalled('InstanceGone', `${what} ${remedy}`), expecting: false }
  }
  const reason = interrupted ? 'SpotInterrupted' : 'Replacing'
  const at = replaceableAt(situation)
  const verdict: Verdict = { ...progressing(reason, `${what} Another one is made.`), event: 'Warning' }
  return now < at ? { kind: 'wait', verdict, expecting: false, againAfterMs: at - now } : { kind: 'replace', verdict }
}

/** What is shown, unless a call of ours was answered that a read as old as this one need not show: only that one is not repeated. */
function decideTags(situation: Situation, { instance, at }: Sighting): Action | undefined {
  const { vm, clusterUID, recollection } = situation
  const wanted = wantedTags(vm, clusterUID)
  const known = new Set(vm.status?.tagKeys)
  const unwanted = [...known].filter((key) => !Object.hasOwn(wanted, key))
  const shown = (key: string) => (Object.hasOwn(instance.tags, key) ? instance.tags[key] : undefined)
  const presumed = (key: string) => {
    const call = recollection.tagged?.get(key)
    return call && isRecent(situation, call.at, at) ? call.value : shown(key)
  }

  const missing = Object.entries(wanted).filter(([key, value]) => presumed(key) !== value)
  if (missing.length > 0) {
    const asked = Object.keys(vm.spec.tags ?? {})
    if (asked.some((key) => !known.has(key))) {
      return { kind: 'recordTagKeys', tagKeys: [...new Set([...known, ...asked])].sort() }
    }
    return { kind: 'tag', id: instance.id, tags: Object.fromEntries(missing), outside: changedOutside(vm) }
  }
  const surplus = unwanted.filter((key) => presumed(key) !== undefined)
  if (surplus.length > 0) return { kind: 'untag', id: instance.id, keys: surplus }

  const isShown =
    Object.entries(wanted).every(([key, value]) => shown(key) === value) &&
    unwanted.every((key) => shown(key) === undefined)
  return isShown
    ? undefined
    : expecting(progressing('Tagging', `The tags of the instance ${instance.id} are being set.`))
}

function decidePower(situation: Situation, own: Sighting): Action {
  const { vm, recollection } = situation
  const { instance, at } = own
  const { id } = instance
  const outside = changedOutside(vm)
  const stops = vm.spec.powerState === 'Stopped'
  const otherType = instance.instanceType !== vm.spec.instanceType

  switch (presumedState(situation, own)) {
    case 'pending': {
      const isFirst = stateOf(instance, vm.status?.state) === 'pending'
      return expecting(isFirst ? launching(id) : progressing('Starting', `The instance ${id} is being started.`))
    }
    case 'stopping':
      return expecting(progressing('Stopping', `The instance ${id} is being stopped.`))
    case 'running':
      if (stops) return { kind: 'stop', id, outside }
      if (otherType) return { kind: 'wait', verdict: needsStop(vm, instance.instanceType), expecting: false }
      return converged(situation, own, settled('InstanceRunning', `The instance ${id} is running.`))
    default: {
      if (otherType && isRecent(situation, recollection.resizedAt, at)) {
        return expecting(progressing('Resizing', `The instance ${id} is being made a ${vm.spec.instanceType}.`))
      }
      if (otherType) return { kind: 'resize', id, instanceType: vm.spec.instanceType, outside }
      if (!stops) return { kind: 'start', id, outside }
      return converged(situation, own, settled('InstanceStopped', `The instance ${id} is stopped.`))
    }
  }
}

/** What is shown, unless a call of ours was answered that a read as old as this one need not show. */
function presumedState(situation: Situation, { instance, at }: Sighting): InstanceState {
  const { power } = situation.recollection
  if (!power || !isRecent(situation, power.at, at)) return instance.state
  if (power.kind === 'start' && instance.state === 'stopped') return 'pending'
  if (power.kind === 'stop' && instance.state === 'running') return 'stopping'
  return instance.state
}

function needsStop(vm: VM, instanceType: string): Verdict {
  const message = `The instance is a ${instanceType} and shall be a ${vm.spec.instanceType}, which can only be changed while it is stopped: set spec.powerState to Stopped, and to Running again when it is Ready.`
  return { ...stalled('StopRequired', message), drift: { reason: 'InstanceType', message } }
}

/** As the spec wants it, as far as it can be changed at all: an adopted instance may have been made otherwise. */
function converged({ vm }: Situation, { instance }: Sighting, verdict: Verdict): Action {
  const differences = [
    ...(instance.image !== '' && instance.image !== vm.spec.image
      ? [`its image is ${instance.image}, not ${vm.spec.image}`]
      : []),
    ...(vm.spec.zone && instance.zone !== vm.spec.zone ? [`its zone is ${instance.zone}, not ${vm.spec.zone}`] : []),
    ...(instance.marketType !== vm.spec.marketType ? [`it is ${instance.marketType}, not ${vm.spec.marketType}`] : []),
  ]
  if (!vm.spec.adopt || differences.length === 0) return { kind: 'wait', verdict, expecting: false }
  const message = `The instance that was taken over differs in what cannot be changed: ${differences.join('; ')}.`
  return { kind: 'wait', verdict: { ...verdict, drift: { reason: 'AdoptedOtherwise', message } }, expecting: false }
}

function expecting(verdict: Verdict): Action {
  return { kind: 'wait', verdict, expecting: true }
}
