/**
 * The tokens of one phase of one run: the runner's opens everything that the phase may ask of the controller, tofu's opens the state
 * alone. What a configuration runs has the environment of tofu; it must not be able to report a result or hand in a plan of its own.
 *
 * They are derived, not stored, so that a controller that was restarted, and any other replica, knows them; they die with the phase,
 * because every request is also held against the head of the stack.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { RunPhase } from './stack-head.ts'

export interface RunIdentity {
  readonly uid: string
  readonly phase: RunPhase
}

const purposes = { runner: 'skyclust tofu run token v1', tofu: 'skyclust tofu state token v1' } as const
export type Bearer = keyof typeof purposes
const bearers = Object.keys(purposes) as Bearer[]

export function runToken(key: Uint8Array, run: RunIdentity, bearer: Bearer): string {
  const named = `${purposes[bearer]}\n${run.uid}\n${run.phase}`
  return createHmac('sha256', key).update(named).digest('base64url')
}

/** Whose token it is; `undefined` when it is nobody's. In a time that does not depend on the token. */
export function bearerOf(key: Uint8Array, run: RunIdentity, token: string): Bearer | undefined {
  const given = Buffer.from(token)
  return bearers.find((bearer) => {
    const expected = Buffer.from(runToken(key, run, bearer))
    return given.length === expected.length && timingSafeEqual(given, expected)
  })
}
