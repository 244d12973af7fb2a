/** A VM without an instance: one is made, exactly one, or the one that an earlier attempt made is found. */
import type { Instance } from '../../clouds/cloud.ts'
import type { VM } from '../../crds/vm.ts'
import type { Action } from './action.ts'
import { decideRestored } from './decide-restored.ts'
import { incarnationOf } from './identity.ts'
import { type CreateIntent, nextIntent, repeatableAt } from './intent.ts'
import { isStaying, madeInstance, ownSightings, surplusInstances } from './sightings.ts'
import type { Situation } from './situation.ts'
import { progressing, stalled, type Verdict } from './verdict.ts'

/** Who waits longer than this for the account's buckets is told so. */
const queuedToldMs = 15_000

/** A Secret that was to be used is looked for at least so often. */
const longestUserDataMs = 60_000

/** No attempt is known to be under way. */
export function decideCreate(situation: Situation): Action {
  const { look } = situation
  const made = madeInstance(situation)
  if (made && isStaying(made)) return taken(situation, made)
  const restored = decideRestored(situation)
  if (restored) return restored
  if (!look) return prepared(situation) ?? { kind: 'look' }
  return attempt(situation)
}

/** An attempt was begun and nobody wrote down how it ended. */
export function decideCreateOutcome(situation: Situation, intent: CreateIntent): Action {
  const { look, now, view, access } = situation
  const made = madeInstance(situation)
  if (made && isStaying(made)) return taken(situation, made, intent.token)
  if (access.kind !== 'ready') return { kind: 'listen', expecting: false }
  if (look?.token !== intent.token) return { kind: 'look', token: intent.token }

  const repeatable = repeatableAt(intent, access.guarantees, now)
  if (look.at < repeatable) return wait(unresolved(repeatable), lookAgainMs(intent, repeatable, now))
  if (view.lagging) return wait(lookupLags(), 60_000)
  // What is gone may be of an attempt before this one: it is the outcome only when nothing else can be.
  return made ? found(made) : attempt(situation)
}

/**
 * A listing may still show what an attempt before this one made and the cloud has taken back, while this one has made another:
 * so it is asked for by its id first, which says so.
 */
export function taken({ look }: Situation, made: Instance, token?: string): Action {
  if (look?.id?.id === made.id) return found(made)
  return { kind: 'look', id: made.id, ...(token !== undefined && { token }) }
}

function found(instance: Instance): Action {
  return { kind: 'record', instance, how: 'found', verdict: launching(instance.id) }
}

function attempt(situation: Situation): Action {
  const leftovers = surplusInstances(situation, undefined)
  if (leftovers.length > 0) return { kind: 'terminate', ids: leftovers.map(({ id }) => id), why: 'duplicate' }
  if (ownSightings(situation).some(({ instance }) => isStaying(instance))) {
    return { kind: 'listen', expecting: true, againAfterMs: 2_000 } // a leftover that does not show its end yet
  }
  const { vm, now } = situation
  const verdict = progressing('Creating', 'The cloud has been asked for an instance.')
  return prepared(situation) ?? { kind: 'create', intent: nextIntent(vm, now), verdict }
}

/** What has to be had before a create; `undefined` when it is all there. */
function prepared({ vm, access, userData, admission, now }: Situation): Action | undefined {
  if (access.kind === 'ready' && access.deleting) {
    const message = `The Credential ${vm.spec.credentialRef.name} is being deleted, so nothing new is made with it: delete this VM, or make the Credential anew once it is gone.`
    return wait(stalled('CredentialDeleting', message))
  }
  if (userData.kind === 'unread') return { kind: 'readUserData' }
  if (userData.kind === 'missing') {
    return wait({ ...progressing('UserDataMissing', userData.message), event: 'Warning' }, userDataAgainMs(vm, now))
  }
  if (userData.kind === 'refused') return wait(stalled('UserDataRefused', userData.message), longestUserDataMs)
  switch (admission.kind) {
    case 'notAsked':
      return { kind: 'admit' }
    case 'queued':
      return now - admission.since < queuedToldMs
        ? { kind: 'listen', expecting: false, againAfterMs: queuedToldMs }
        : wait(progressing('Queued', 'Waits for its turn: the account takes only so many creates a second.'))
    case 'granted':
      return undefined
  }
}

/** A VM and its Secret are often applied together, and the Secret is a moment late. */
function userDataAgainMs({ metadata }: VM, now: number): number {
  return Math.max(1_000, Math.min(longestUserDataMs, (now - Date.parse(metadata.creationTimestamp)) / 2))
}

export function launching(id: string): Verdict {
  return progressing('Launching', `The instance ${id} is being launched.`)
}

/** The verdict on an intent whose outcome cannot be told before `at`. */
export function unresolved(at: number): Verdict {
  const moment = new Date(at).toISOString().slice(0, 19)
  const message = `A create was sent and its answer is not known. It is looked for; from ${moment}Z on it is sure whether it made an instance.`
  return { ...progressing('CreateUnresolved', message), event: 'Warning' }
}

export function lookupLags(): Verdict {
  const message =
    'Whether a create made an instance cannot be told: the cloud shows instances later than it should. It is waited for, rather than making a second one.'
  return stalled('LookupLagging', message)
}

/** Soon at first, then less and less often, and at the latest when it can be told. */
export function lookAgainMs(intent: CreateIntent, tellable: number, now: number): number {
  const elapsed = now - Date.parse(intent.startedAt)
  return Math.max(50, Math.min(tellable - now, Math.max(1_000, Math.min(15_000, elapsed / 2))))
}

function wait(verdict: Verdict, againAfterMs?: number): Action {
  return { kind: 'wait', verdict, expecting: false, ...(againAfterMs === undefined ? {} : { againAfterMs }) }
}

/** Which of the VM's instances comes next, and how long to wait for it, so that one that dies at once is not made in a loop. */
export function replaceableAt(situation: Situation): number {
  const { vm } = situation
  const launched = vm.status?.launchTime ? Date.parse(vm.status.launchTime) : 0
  return launched + Math.min(5 * 60_000, 15_000 * (2 ** Math.min(10, incarnationOf(vm)) - 1))
}
