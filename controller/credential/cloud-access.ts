/** What whoever wants to call a cloud with a Credential is told. */
import type { MeteredCloud } from '../../clouds/metered-cloud.ts'

export type CloudAccess =
  | {
      readonly kind: 'ready'
      readonly cloud: MeteredCloud
      /** AWS account or GCP project. */
      readonly account: string
      readonly provider: string
      readonly region: string
      /** Another one when the Secret's value, and so the identity, is another. */
      readonly version: string
      /** The Credential is being deleted: what there is may be ended with it, nothing new may be made. */
      readonly deleting: boolean
    }
  /** Not known yet, as after a start. Nothing is to be said or written because of it: it is over in a moment. */
  | { readonly kind: 'pending' }
  /** `stalled`: nothing moves until somebody acts. */
  | { readonly kind: 'notReady'; readonly reason: string; readonly message: string; readonly stalled: boolean }
