import { userKind } from '../../crds/user.ts'
import { describeRules } from './describe-rules.ts'

describeRules({
  kind: userKind,
  valid: { email: 'alice@example.com' },
  fields: [
    {
      field: 'an address',
      admits: { email: "O'Brien+x@Example.com" },
      refuses: { email: 'alice at example.com' },
      says: 'spec.email must be one e-mail address, such as alice@example.com',
    },
  ],
  names: [],
  changes: [],
})
