/**
 * The facade's role where the API server has no constrained impersonation (KEP-5284, 1.36): the older verb in its place, which lets it act as any user. The
 * chart does the same (`templates/roles.yaml`).
 */
import { isAtLeast } from './versions.ts'

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

export function hasConstrainedImpersonation(kubernetes: string): boolean {
  return isAtLeast(kubernetes, '1.36')
}

export function legacyImpersonation(rules: readonly Rule[]): readonly Rule[] {
  return [
    ...rules.filter(({ verbs }) => !verbs[0]?.startsWith('impersonate')),
    { apiGroups: [''], resources: ['users'], verbs: ['impersonate'] },
    { apiGroups: [''], resources: ['groups'], resourceNames: ['skyclust:users'], verbs: ['impersonate'] },
  ]
}
