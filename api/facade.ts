/** What the routes are given: made once in `main.ts`, or by a test from parts of its own. */
import type { AuditTrail } from './audit/audit-trail.ts'
import type { Accounts } from './auth/accounts.ts'
import type { ApiTokens } from './auth/api-tokens.ts'
import type { Login } from './auth/login.ts'
import type { OidcDesk } from './auth/oidc/desk.ts'
import type { Sessions } from './auth/sessions.ts'
import type { SigningKeys } from './auth/signing-keys.ts'
import type { CloudDesk } from './clouds/cloud-desk.ts'
import type { GateOptions } from './http/gate.ts'
import type { LiveHub } from './live/hub.ts'
import type { Estimates } from './prices/estimates.ts'
import type { PriceDesk } from './prices/price-desk.ts'
import type { Access } from './store/access.ts'
import type { CredentialFor } from './store/credential-choice.ts'
import type { Store } from './store/store.ts'
import type { AsCaller } from './writes/as-caller.ts'

export interface ShownConfiguration {
  /** The store of record: the API server. */
  readonly database: { readonly host: string; readonly port: number; readonly name: string }
  readonly redis: null
  readonly [setting: string]: unknown
}

export interface Facade {
  /** `SKYCLUST_REGISTRATION`. */
  readonly registration: 'open' | 'closed'
  /** The program's own. */
  readonly version: string
  /** What `GET /debug/config` shows; no secrets. */
  readonly configuration: () => ShownConfiguration

  readonly store: Store
  readonly access: Access
  readonly asCaller: AsCaller
  readonly credentialFor: CredentialFor

  readonly login: Login
  readonly accounts: Accounts
  readonly sessions: Sessions
  readonly apiTokens: ApiTokens
  readonly oidc: OidcDesk
  readonly signingKeys: Pick<SigningKeys, 'publicKeys'>

  /** Aborted when the process was told to stop: what waits for a cloud, or follows something, answers now. */
  readonly stopping: AbortSignal

  /** Who follows VMs as they change. */
  readonly live: LiveHub
  readonly clouds: CloudDesk
  readonly prices: PriceDesk
  readonly estimates: Estimates
  readonly auditTrail: AuditTrail
  readonly gate: GateOptions
}
