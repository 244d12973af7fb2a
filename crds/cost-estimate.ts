/**
 * CostEstimate: what somebody reckoned that an instance would cost, as it was known then. It lives in the installation's
 * namespace, belongs to its User and goes with them.
 */
import { z } from 'zod'
import { ageColumn, objectName, providers, rules, time } from './fields.ts'
import { defineKind, type ObjectOf } from './kind.ts'

/** Money is text: a number of JSON is a binary one to whoever reads it. */
const dollars = (what: string) => z.string().min(1).max(32).describe(`${what}, in dollars, as a decimal number.`)

const spec = z
  .object({
    user: objectName('spec.user', 'a User object').describe('Name of the User object.'),
    userUID: z.string().max(128).describe('UID of that User object: another one of the same name is somebody else.'),
    provider: z.enum(providers).describe('Whose price it is.'),
    instanceType: z.string().min(1).max(64).describe('The instance type that was asked for.'),
    region: z.string().min(1).max(63).describe('Its region.'),
    durationHours: z.number().min(0).describe('For how many hours.'),
    hourlyPrice: dollars('What an hour costs'),
    estimatedCost: dollars('What all of them cost'),
    currency: z.enum(['USD']).describe('Of both.'),
    priceSource: z.string().min(1).max(256).describe('Who named the price.'),
    pricedAt: time.describe('When it was true.'),
  })
  .meta(rules({ rule: 'self == oldSelf', message: 'spec of a CostEstimate cannot be changed: make another one' }))
  .describe('What was asked, and what it would cost.')

export const costEstimateKind = defineKind({
  kind: 'CostEstimate',
  singular: 'costestimate',
  plural: 'costestimates',
  scope: 'Namespaced',
  description: 'What a user reckoned that an instance would cost, as it was known when it was made.',
  spec,
  columns: [
    { name: 'User', type: 'string', jsonPath: '.spec.user', description: 'Whose it is.' },
    { name: 'Type', type: 'string', jsonPath: '.spec.instanceType', description: 'The instance type.' },
    { name: 'Region', type: 'string', jsonPath: '.spec.region', description: 'Its region.' },
    { name: 'Cost', type: 'string', jsonPath: '.spec.estimatedCost', description: 'What it would cost, in dollars.' },
    ageColumn,
  ],
  selectableFields: ['.spec.user'],
})

export type CostEstimate = ObjectOf<typeof costEstimateKind>
