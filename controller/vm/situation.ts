/**
 * Everything that a decision about a VM may look at, gathered before and handed over as a value: the object as read, what
 * is known of its instances and since when, and what this process remembers. `decide` sees nothing else, so that every
 * case can be written down in a test.
 */
import type { CloudGuarantees } from '../../clouds/cloud.ts'
import type { ErrorClass } from '../../clouds/error-classes.ts'
import type { VM } from '../../crds/vm.ts'
import type { Sighting } from '../observation/snapshot.ts'
import type { Recollection } from './recollection.ts'

export interface Situation {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** As read, or as the last write of this pass answered it: every write is on top of this version. */
  readonly vm: VM
  readonly clusterUID: string
  /** Clusters whose place this one has taken. */
  readonly formerClusters: readonly string[]
  readonly access: Access
  readonly view: View
  /** What was looked up in this pass; `undefined` when nothing was. */
  readonly look: Look | undefined
  readonly recollection: Recollection
  readonly admission: Admission
  /** What the instance gets at its first start, or why that cannot be had. */
  readonly userData: UserData
  /** Another VM that has, or asked earlier for, the instance that this one is to adopt: `namespace/name`. */
  readonly rival: string | undefined
}

/** Whether the cloud may be called for this VM. */
export type Access =
  | {
      readonly kind: 'ready'
      readonly account: string
      readonly region: string
      readonly guarantees: CloudGuarantees
      /** Another one when the Secret's value changed. */
      readonly version: string
      /** The Credential is being deleted: what there is may be ended with it, nothing new is made. */
      readonly deleting: boolean
    }
  /** Not known yet, as after a start; it is over in a moment. */
  | { readonly kind: 'pending' }
  /** `stalled`: nothing moves until somebody acts. */
  | { readonly kind: 'notReady'; readonly reason: string; readonly message: string; readonly stalled: boolean }

/** What is known, without asking, of the instances that carry this VM's tag or have the id that it names. */
export interface View {
  readonly sightings: readonly Sighting[]
  /** When the last complete listing of the account and region began; `undefined` before there is one. */
  readonly listedAt: number | undefined
  /** The listing is known to lag beyond its bound: an instance that exists has been missing from it. */
  readonly lagging: boolean
  /** Why there has been no listing for long. */
  readonly problem: { readonly class: ErrorClass; readonly message: string; readonly remedy: string } | undefined
}

/** A lookup by the VM's tag, and by what else was asked. Its instances are among the view's sightings already. */
export interface Look {
  /** When it began. */
  readonly at: number
  /** The token that was looked up as well. */
  readonly token: string | undefined
  /** The id that was asked for as well, and whether the cloud knows it. */
  readonly id: { readonly id: string; readonly known: boolean; readonly found?: FoundInstance } | undefined
}

/** What was found under what was asked for, which may be another name of it. */
export interface FoundInstance {
  readonly id: string
  readonly name?: string
}

/** Whether the account's buckets have let this VM's create through; see `admissions.ts`. */
export type Admission =
  | { readonly kind: 'notAsked' }
  | { readonly kind: 'queued'; readonly since: number }
  | { readonly kind: 'granted' }

export type UserData =
  | { readonly kind: 'unread' }
  | { readonly kind: 'read'; readonly text: string | undefined }
  /** The Secret, or its key, is not there yet. */
  | { readonly kind: 'missing'; readonly message: string }
  | { readonly kind: 'refused'; readonly message: string }
