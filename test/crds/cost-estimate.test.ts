import { costEstimateKind } from '../../crds/cost-estimate.ts'
import { describeRules } from './describe-rules.ts'

describeRules({
  kind: costEstimateKind,
  valid: {
    user: 'alice',
    userUID: '11111111-1111-4111-8111-111111111111',
    provider: 'aws',
    instanceType: 'm5.large',
    region: 'us-east-1',
    durationHours: 0.5,
    hourlyPrice: '0.096',
    estimatedCost: '0.048',
    currency: 'USD',
    priceSource: 'AWS Price List API',
    pricedAt: '2026-01-01T00:00:00Z',
  },
  fields: [
    {
      field: 'a user',
      admits: { user: 'alice' },
      refuses: { user: 'alice@example.com' },
      says: 'spec.user must be the name of a User object',
    },
  ],
  names: [],
  changes: [
    {
      from: {},
      admits: {},
      refuses: { estimatedCost: '0' },
      says: 'spec of a CostEstimate cannot be changed: make another one',
    },
  ],
})
