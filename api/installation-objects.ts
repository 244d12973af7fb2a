/**
 * What the facade keeps for itself in the installation's namespace, and how it is named: password hashes, claims
 * on e-mail addresses, signing keys. All are Secrets, because nobody else has any business reading them.
 */
import { createHash } from 'node:crypto'
import { labels, managedBy } from '../crds/names.ts'

/** On each of the facade's own Secrets. */
export const installationLabels = { [labels.managedBy]: managedBy, [labels.component]: 'api' } as const

/** Which of them a Secret is: `password`, `email-claim`, `login-attempts`, `signing-keys`, `oidc-identity`, … */
export const SECRET_KIND_LABEL = 'skyclust.io/secret'

export const SIGNING_KEYS_SECRET = 'skyclust-signing-keys'

export const PASSWORD_PREFIX = 'password-'
export const EMAIL_CLAIM_PREFIX = 'email-'
export const UNCLAIMED_ATTEMPTS_PREFIX = 'login-attempts-'

export function passwordSecretName(userName: string): string {
  return `${PASSWORD_PREFIX}${userName}`
}

/** A digest, because an address has characters that no name may have, and is nobody's business. */
export function emailClaimName(email: string): string {
  const digest = createHash('sha256').update(comparableEmail(email)).digest('hex')
  return `${EMAIL_CLAIM_PREFIX}${digest.slice(0, 48)}`
}

/** Addresses compare without case. */
export function comparableEmail(email: string): string {
  return email.trim().toLowerCase()
}
