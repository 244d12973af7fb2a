import { sessionKind } from '../../crds/session.ts'
import { describeRules } from './describe-rules.ts'

describeRules({
  kind: sessionKind,
  valid: {
    user: 'alice',
    userUID: '11111111-1111-4111-8111-111111111111',
    kind: 'Login',
    createdAt: '2026-01-01T00:00:00Z',
    expiresAt: '2026-01-02T00:00:00Z',
  },
  fields: [
    {
      field: 'a user',
      admits: { user: 'alice' },
      refuses: { user: 'alice@example.com' },
      says: 'spec.user must be the name of a User object',
    },
    {
      field: 'a workspace',
      admits: { workspace: 'team-a' },
      refuses: { workspace: 'Team A' },
      says: 'spec.workspace must be the name of a Workspace',
    },
  ],
  names: [],
  changes: [
    {
      from: {},
      admits: {},
      refuses: { expiresAt: '2036-01-02T00:00:00Z' },
      says: 'spec of a Session cannot be changed: delete it and log in again',
    },
  ],
})
