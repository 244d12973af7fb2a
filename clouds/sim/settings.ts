/**
 * What the simulated cloud can be told, live. Everything has a default, under which it is a quick and obliging
 * cloud; every awkward side is one field. A wrong setting is refused with the field and what would be right.
 */
import { z } from 'zod'
import { DEFAULT_ACCOUNT } from './account.ts'
import { simActions } from './wire.ts'

const HOUR_MS = 3_600_000
const ms = z
  .number()
  .int()
  .min(0)
  .max(24 * HOUR_MS)

/** A fixed number of milliseconds, or one drawn evenly from a span. */
const span = z.union([ms, z.strictObject({ minMs: ms, maxMs: ms })])
export type Span = z.infer<typeof span>

const action = z.enum([...simActions, '*'])

const fault = z.strictObject({
  /** Which calls it may befall; `*` is any. */
  action: action.default('*'),
  /** Lets that many matching calls pass first. */
  skip: z.number().int().min(0).default(0),
  /** Befalls that many and is then used up; left out, it stays. */
  count: z.number().int().min(1).optional(),
  probability: z.number().min(0).max(1).default(1),
  /** Whether what was asked is done: not at all, or done and the answer spoilt. */
  effect: z.enum(['none', 'done']).default('none'),
  /** Holds the effect back, even beyond the answer: a client that gave up early looks and sees nothing yet. */
  effectDelayMs: ms.default(0),
  /** What the caller hears: an error, a reset connection, nothing ever, or (late) what it should. */
  answer: z.enum(['error', 'reset', 'never', 'normal']).default('error'),
  /** Holds the answer back. */
  delayMs: ms.default(0),
  error: z
    .strictObject({
      code: z.string().min(1).max(128),
      message: z.string().max(1024).default('The simulated cloud was told to fail.'),
      status: z.number().int().min(400).max(599).default(500),
    })
    .default({ code: 'InternalError', message: 'An internal error has occurred', status: 500 }),
})
export type Fault = z.infer<typeof fault>

const rate = z.strictObject({
  burst: z.number().positive(),
  refillPerSecond: z.number().positive(),
  /** A second bucket that is charged by the instance, as EC2 has for RunInstances. */
  resources: z.strictObject({ burst: z.number().positive(), refillPerSecond: z.number().positive() }).optional(),
})

export const settingsSchema = z.strictObject({
  /** Every answer takes so long. */
  latencyMs: span.default(0),
  /** Descriptions show what was so long ago (drawn for each call, so that a later look may show less). */
  lookupLagMs: span.default(0),
  /** For how long after a create its token gives the same instance; 0 ignores tokens, as moto does. */
  tokenValidityMs: z
    .number()
    .int()
    .min(0)
    .default(24 * HOUR_MS),
  /** How long a state change takes; 0 is at once. */
  pendingMs: ms.default(1_000),
  stoppingMs: ms.default(1_000),
  terminatingMs: ms.default(1_000),
  /** For how long a terminated instance is still described; EC2 takes about an hour. */
  terminatedShownMs: ms.default(HOUR_MS),
  /** One bucket per account, region and action; actions not named are not metered. */
  throttle: z.partialRecord(z.enum(simActions), rate).default({}),
  /** Access keys that are refused from now on, beside those that begin with `bad-`. */
  rejectedAccessKeys: z.array(z.string()).max(1000).default([]),
  /** Where there is no room: every entry whose named fields all match refuses creates and starts. */
  noCapacity: z
    .array(
      z.strictObject({
        instanceType: z.string().optional(),
        zone: z.string().optional(),
        marketType: z.enum(['OnDemand', 'Spot']).optional(),
      }),
    )
    .max(100)
    .default([]),
  /** How many instances that are not terminated an account may have in a region; `null` is no limit. */
  maxInstances: z.number().int().min(0).nullable().default(null),
  /** Tried in order; the first that matches befalls the call. */
  faults: z.array(fault).max(1000).default([]),
})
export type SimSettings = z.infer<typeof settingsSchema>
/** What may be given: any part of the settings. */
export type SimSettingsInput = z.input<typeof settingsSchema>

const ids = z.array(z.string().min(1)).min(1).max(50_000)
const tags = z.record(z.string(), z.string())

/** What happens to instances behind the back of whoever manages them. */
export const outsideSchema = z.discriminatedUnion('action', [
  z.strictObject({ action: z.enum(['start', 'stop', 'terminate', 'interrupt']), ids }),
  z.strictObject({ action: z.literal('resize'), ids, instanceType: z.string().min(1) }),
  z.strictObject({ action: z.literal('tag'), ids, tags }),
  z.strictObject({ action: z.literal('untag'), ids, keys: z.array(z.string()).min(1) }),
  z.strictObject({
    action: z.literal('launch'),
    region: z.string().default('sim-1'),
    account: z.string().default(DEFAULT_ACCOUNT),
    instanceType: z.string().default('t3.micro'),
    image: z.string().default('ami-0abcdef1234567890'),
    tags: tags.default({}),
  }),
])
export type OutsideChange = z.input<typeof outsideSchema>

export function drawMs(value: Span, random: () => number): number {
  if (typeof value === 'number') return value
  return value.minMs + Math.floor(random() * (Math.max(value.minMs, value.maxMs) - value.minMs + 1))
}
