/**
 * The VM's state machine: from what is known to the one thing that is to be done next. Pure; every transition is drawn in
 * docs/vm-states.md.
 *
 * The order of side effects makes a crash before, during or after each of them harmless:
 *
 * 1. the finalizer, so that nothing is made that a deletion would leave behind;
 * 2. a lookup by the VM's tag: an instance that carries it is taken, never doubled;
 * 3. the intent, by compare-and-swap: from here on everybody knows that an instance may exist. No create is sent without an
 *    intent of its own, and an intent is written only on top of the version of which the lookup is newer;
 * 4. the create, one attempt, under a token derived from UID and incarnation;
 * 5. the instance's id, which fulfils the intent.
 *
 * Whoever finds an intent (3) without an id (5) looks until the outcome can be told (`intent.ts`). A deletion does the same
 * before it believes that nothing was made. The id is let go only when the cloud has said that the instance is gone.
 */
import { finalizers } from '../../crds/names.ts'
import { hasFinalizer } from '../../kube/finalizers.ts'
import { isPaused } from '../pause.ts'
import type { Action } from './action.ts'
import { decideAdoption } from './decide-adoption.ts'
import { decideCreate, decideCreateOutcome } from './decide-create.ts'
import { decideDeletion } from './decide-deletion.ts'
import { decideInstance } from './decide-instance.ts'
import type { Situation } from './situation.ts'
import { type Verdict, verdictOn } from './verdict.ts'

export function decide(situation: Situation): Action {
  const action = next(situation)
  const heldOffMs = calls(action) ? heldOffForMs(situation) : 0
  return heldOffMs > 0 ? { kind: 'listen', expecting: false, againAfterMs: heldOffMs } : action
}

function next(situation: Situation): Action {
  const { vm } = situation
  if (isPaused(vm)) return { kind: 'pause' }
  if (situation.access.kind === 'pending') return { kind: 'listen', expecting: false }
  if (vm.metadata.deletionTimestamp) return decideDeletion(situation, blockedBy(situation))
  if (!hasFinalizer(vm, finalizers.vm)) return { kind: 'addFinalizer' }

  const verdict = blockedBy(situation)
  if (verdict) return { kind: 'wait', verdict, expecting: false }
  if (vm.status?.create) return decideCreateOutcome(situation, vm.status.create)
  if (vm.status?.instanceID) return decideInstance(situation, vm.status.instanceID)
  return vm.spec.adopt ? decideAdoption(situation, vm.spec.adopt.instanceID) : decideCreate(situation)
}

/** Calls the cloud on behalf of this VM. */
function calls({ kind }: Action): boolean {
  return cloudCalls.has(kind)
}

const cloudCalls: ReadonlySet<Action['kind']> = new Set([
  'look',
  'admit',
  'readUserData',
  'create',
  'start',
  'stop',
  'resize',
  'tag',
  'untag',
  'terminate',
  'release',
] satisfies Action['kind'][])

/** What failed for a reason that only a person can mend is left alone for a while, unless something changed since. */
function heldOffForMs({ recollection: { notBefore }, vm, access, now }: Situation): number {
  if (!notBefore || access.kind !== 'ready') return 0
  const changed = notBefore.generation !== vm.metadata.generation || notBefore.accessVersion !== access.version
  return changed ? 0 : notBefore.at - now
}

/** Why the cloud cannot be asked, or what it says not be believed. */
function blockedBy({ access, vm, view }: Situation): Verdict | undefined {
  const known = vm.status?.instanceID !== undefined || vm.status?.create !== undefined
  if (access.kind === 'notReady') {
    const { reason, message, stalled } = access
    const phase = known ? 'blind' : stalled ? 'stalled' : 'progressing'
    return { phase, reason, message, event: 'Warning' }
  }
  if (access.kind === 'pending') return undefined
  if (known && vm.status?.account && vm.status.account !== access.account) {
    const message = `The instance is in account ${vm.status.account}, and the Credential is now for ${access.account}: put a key of ${vm.status.account} back into its Secret.`
    return { phase: 'blind', reason: 'AccountChanged', message, event: 'Warning' }
  }
  if (known && view.problem) {
    return { ...verdictOn(view.problem, 'The instances cannot be listed'), phase: 'blind' }
  }
  return undefined
}
