/**
 * What the facade keeps for itself in the installation's namespace, and how it is named: password hashes, claims
 * on e-mail addresses, signing keys. All are Secrets, because all are read by nobody else.
 */
import { createHash } from 'node:crypto'

/** Finds the facade's own Secrets; `skyclust.io/secret` says which of them. */
export const installationLabels = {
  'app.kubernetes.io/managed-by': 'skyclust',
  'app.kubernetes.io/component': 'api',
} as const

export const SECRET_KIND_LABEL = 'skyclust.io/secret'

export const SIGNING_KEYS_SECRET = 'skyclust-signing-keys'

export function passwordSecretName(userName: string): string {
  return `password-${userName}`
}

/** A digest, because an address has characters that no name may have, and is nobody's business. */
export function emailClaimName(email: string): string {
  return `email-${createHash('sha256').update(comparableEmail(email)).digest('hex').slice(0, 48)}`
}

/** Addresses compare without case. */
export function comparableEmail(email: string): string {
  return email.trim().toLowerCase()
}
