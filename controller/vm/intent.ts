/**
 * When the outcome of a create can be told: the arithmetic of "one VM, one instance, ever".
 *
 * Before a create is sent, an intent stands in the VM's status, put there by compare-and-swap; no create is sent
 * without one of its own. So whoever finds an intent knows that an instance may exist, whatever became of the process
 * that wrote it, and from the intent's times follows when looking is sure to show it:
 *
 *     startedAt ──▶ sent, at most {@link sendWindowMs} later (else not at all)
 *               ──▶ answered or given up, at most {@link createDeadlineMs} after that, which is `endedAt` if
 *                   the process lived to write it
 *               ──▶ shown by a lookup, at most `lookupLagMs` after that
 *               ──▶ {@link clockSkewMs}, because another machine's clock may be read against it
 *
 * A lookup that *began* after this and shows nothing says that the create took no effect. Then it may be repeated with the
 * same token, which protects a second time where the cloud honours tokens. Once the token may have expired, the lookup
 * alone would decide: then it is believed only after {@link patienceMs}.
 */

import type { CloudGuarantees } from '../../clouds/cloud.ts'
import type { VM } from '../../crds/vm.ts'
import { createToken, incarnationOf } from './identity.ts'

export type CreateIntent = NonNullable<NonNullable<VM['status']>['create']>

/** A create is sent this soon after its `startedAt`, or not at all. */
export const sendWindowMs = 5_000
/** For how long an answer is waited for. RunInstances is answered within seconds. */
export const createDeadlineMs = 20_000
/** By how much the clocks of two replicas may differ. NTP keeps them within far less. */
export const clockSkewMs = 5_000
/** Of a token's validity, how much is left alone. */
const tokenMarginMs = 60_000

/** The intent of the next attempt at the VM's present incarnation. */
export function nextIntent(vm: VM, now: number): CreateIntent {
  const before = vm.status?.create
  const incarnation = incarnationOf(vm)
  const token = createToken(vm, incarnation)
  const startedAt = new Date(now).toISOString()
  if (before?.token !== token) return { token, incarnation, attempt: 1, firstStartedAt: startedAt, startedAt }
  const { firstStartedAt, zone } = before
  return { token, incarnation, attempt: before.attempt + 1, firstStartedAt, startedAt, ...(zone && { zone }) }
}

/** Whether a create that is sent `now` may still be. */
export function isWithinSendWindow(intent: CreateIntent, now: number): boolean {
  const age = now - Date.parse(intent.startedAt)
  return age >= -clockSkewMs && age < sendWindowMs
}

/** A lookup that begins from this moment on shows what the last attempt made, if it made anything. Milliseconds. */
export function tellableAt(intent: CreateIntent, guarantees: CloudGuarantees): number {
  const ended = intent.endedAt
    ? Date.parse(intent.endedAt)
    : Date.parse(intent.startedAt) + sendWindowMs + createDeadlineMs
  return ended + guarantees.lookupLagMs + clockSkewMs
}

/** Whether a repetition that is sent `now` is sure to meet a cloud that still knows the token, if it honours any. */
export function tokenHolds(intent: CreateIntent, guarantees: CloudGuarantees, now: number): boolean {
  return now < Date.parse(intent.firstStartedAt) + guarantees.tokenValidityMs - tokenMarginMs
}

/** When the lookup is believed without a token behind it: ten times the lag that it is known for, five minutes at least. */
export function patienceMs(guarantees: CloudGuarantees): number {
  return Math.max(10 * guarantees.lookupLagMs, 5 * 60_000)
}

/** When a lookup that shows nothing allows the next attempt. Milliseconds. */
export function repeatableAt(intent: CreateIntent, guarantees: CloudGuarantees, now: number): number {
  const at = tellableAt(intent, guarantees)
  return tokenHolds(intent, guarantees, Math.max(at, now)) ? at : at + patienceMs(guarantees)
}
