/**
 * What may follow from a situation: one variant for each thing that the controller can do for a VM. At most one side
 * effect each; the executor performs it, and the next situation is decided anew.
 */
import type { Instance, LaunchFailure } from '../../clouds/cloud.ts'
import type { CreateIntent } from './intent.ts'
import type { Verdict } from './verdict.ts'

export type Action =
  /** It is not, or no longer, ours to act upon. */
  | { readonly kind: 'nothing' }
  /** Writes the status, if it says anything new, and lets time pass. */
  | {
      readonly kind: 'wait'
      readonly verdict: Verdict
      /** A change at the cloud is expected: it is looked for soon, not only at the next listing. */
      readonly expecting: boolean
      /** When to decide again though nothing was heard; left out, only what changes wakes it. */
      readonly againAfterMs?: number
    }
  /** Says that nothing is done. */
  | { readonly kind: 'pause' }
  /** Not enough is known to say anything: the status stays as it is until more is heard. */
  | { readonly kind: 'listen'; readonly expecting: boolean; readonly againAfterMs?: number }
  | { readonly kind: 'addFinalizer' }
  | { readonly kind: 'removeFinalizer'; readonly why: string }
  /** Asks the cloud by the VM's tag, and by token or id as well. */
  | { readonly kind: 'look'; readonly token?: string; readonly id?: string }
  /** Waits, without a worker, until the account's buckets let a create through. */
  | { readonly kind: 'admit' }
  | { readonly kind: 'readUserData' }
  /** Writes the intent, then sends the create. */
  | { readonly kind: 'create'; readonly intent: CreateIntent; readonly verdict: Verdict }
  /** Writes down which instance is the VM's; an intent is fulfilled by it. */
  | {
      readonly kind: 'record'
      readonly instance: Instance
      readonly how: 'found' | 'adopted' | 'restored'
      readonly verdict: Verdict
    }
  /** Lets go of an instance that is gone, so that the next incarnation is made. */
  | { readonly kind: 'replace'; readonly verdict: Verdict }
  /** Lets go of an instance that never ran, as the cloud said only after it had shown it: as if the create had been refused. */
  | { readonly kind: 'relaunch'; readonly failure: LaunchFailure }
  /** Remembers the keys that are about to be set, so that they can be taken off one day. */
  | { readonly kind: 'recordTagKeys'; readonly tagKeys: readonly string[] }
  | { readonly kind: 'start'; readonly id: string; readonly outside: boolean }
  | { readonly kind: 'stop'; readonly id: string; readonly outside: boolean }
  | { readonly kind: 'resize'; readonly id: string; readonly instanceType: string; readonly outside: boolean }
  | {
      readonly kind: 'tag'
      readonly id: string
      readonly tags: Readonly<Record<string, string>>
      readonly outside: boolean
    }
  | { readonly kind: 'untag'; readonly id: string; readonly keys: readonly string[] }
  /** `duplicate`: the VM has another instance that it keeps. */
  | { readonly kind: 'terminate'; readonly ids: readonly string[]; readonly why: 'deleted' | 'duplicate' }
  /** Takes the tags off that bind these instances to the VM (deletionPolicy Orphan). */
  | { readonly kind: 'release'; readonly ids: readonly string[] }

export type ActionOf<K extends Action['kind']> = Extract<Action, { kind: K }>
