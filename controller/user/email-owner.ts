/** Whose an e-mail address is when several Users claim it. Pure. */
import type { User } from '../../crds/user.ts'

/** Addresses compare without case. */
export function comparableEmail({ spec }: User): string {
  return spec.email.toLowerCase()
}

/** The oldest; of those made in one second, the first by name. */
export function ownerOfEmail(claimants: readonly User[]): User | undefined {
  return claimants.toSorted(bySeniority)[0]
}

function bySeniority({ metadata: a }: User, { metadata: b }: User): number {
  return Date.parse(a.creationTimestamp) - Date.parse(b.creationTimestamp) || (a.name < b.name ? -1 : 1)
}
