/**
 * What failed logins do to the next one: after five, answers take longer; after eight, an account has to wait, longer
 * each time, whatever the password. A pure calculation on a record that is kept with the account.
 *
 * There are two counters an account: one for addresses from which its owner has logged in before, one for all
 * others. So whoever hammers an account from elsewhere makes others wait, and not the owner. An attempt that was told
 * to wait is not counted: nobody can keep the wait growing by asking.
 */
export interface LoginAttempts {
  /** From addresses the owner has used. */
  readonly familiar: FailureCount
  readonly strange: FailureCount
  /** Digests of those addresses, newest first. */
  readonly addresses: readonly string[]
}

export interface FailureCount {
  readonly failures: number
  /** Milliseconds since the epoch. */
  readonly lastAt: number
}

export const noAttempts: LoginAttempts = {
  familiar: { failures: 0, lastAt: 0 },
  strange: { failures: 0, lastAt: 0 },
  addresses: [],
}

export type LoginVerdict =
  /** The password is looked at after so long. */
  { readonly may: true; readonly delayMs: number } | { readonly may: false; readonly retryAfterSeconds: number }

/** Failures that cost nothing; the contract's five. */
const FREE = 5
/** Failures after which an attempt is answered late, before it is refused. */
const DELAYED = 3
const FIRST_DELAY_MS = 500
const FIRST_WAIT_MS = 4_000
const LONGEST_WAIT_MS = 15 * 60_000
/** A failure is forgotten after this time without another. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000
const FAMILIAR_ADDRESSES = 8

/** @param address a digest of the source address */
export function judge(attempts: LoginAttempts, address: string, now: number): LoginVerdict {
  const { failures, lastAt } = current(attempts[counterOf(attempts, address)], now)
  if (failures < FREE) return { may: true, delayMs: 0 }
  if (failures < FREE + DELAYED) return { may: true, delayMs: FIRST_DELAY_MS * 2 ** (failures - FREE) }

  const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(20, failures - FREE - DELAYED))
  const leftMs = lastAt + waitMs - now
  return leftMs <= 0 ? { may: true, delayMs: 0 } : { may: false, retryAfterSeconds: Math.ceil(leftMs / 1000) }
}

export function failed(attempts: LoginAttempts, address: string, now: number): LoginAttempts {
  const counter = counterOf(attempts, address)
  const { failures } = current(attempts[counter], now)
  return { ...attempts, [counter]: { failures: failures + 1, lastAt: now } }
}

/** `attempts` itself when there is nothing to write down. */
export function succeeded(attempts: LoginAttempts, address: string): LoginAttempts {
  const counter = counterOf(attempts, address)
  if (counter === 'familiar' && attempts.familiar.failures === 0) return attempts
  const others = attempts.addresses.filter((known) => known !== address)
  return {
    ...attempts,
    [counter]: { failures: 0, lastAt: 0 },
    addresses: [address, ...others].slice(0, FAMILIAR_ADDRESSES),
  }
}

function counterOf(attempts: LoginAttempts, address: string): 'familiar' | 'strange' {
  return attempts.addresses.includes(address) ? 'familiar' : 'strange'
}

function current(count: FailureCount, now: number): FailureCount {
  return now - count.lastAt > FORGOTTEN_AFTER_MS ? { failures: 0, lastAt: 0 } : count
}
