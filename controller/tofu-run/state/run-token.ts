/**
 * The token with which the runner of one phase of one run speaks to the controller. It is derived, not stored, so that
 * a controller that was restarted, and any other replica, knows it; it dies with the phase, because every request is
 * also held against the head of the stack.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { RunPhase } from './stack-head.ts'

export interface RunIdentity {
  readonly uid: string
  readonly phase: RunPhase
}

export function runToken(key: Uint8Array, run: RunIdentity): string {
  return createHmac('sha256', key).update(`skyclust tofu run token v1\n${run.uid}\n${run.phase}`).digest('base64url')
}

/** In a time that does not depend on the token. */
export function isRunToken(key: Uint8Array, run: RunIdentity, token: string): boolean {
  const expected = Buffer.from(runToken(key, run))
  const given = Buffer.from(token)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
