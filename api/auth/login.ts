/**
 * Whether a password is right, counted.
 *
 * Guarantees:
 * - an unknown address and a wrong password are the same answer after the same work: what has to be written down about
 *   a failure is written after the answer;
 * - attempts at one account go one after the other, so that many at once are not many guesses before the first is counted;
 *   those from addresses that the owner has used do not queue behind the others';
 * - nothing here touches sessions that are in force, or other accounts.
 *
 * Attempts at addresses that nobody has are counted as well, and on all replicas together, so that waiting gives nothing away.
 */
import { createHash } from 'node:crypto'
import { type User, userKind } from '../../crds/user.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { ApiError } from '../http/api-error.ts'
import { comparableEmail } from '../installation-objects.ts'
import { refused } from '../language/messages.ts'
import type { Store } from '../store/store.ts'
import type { EmailClaims } from './email-claims.ts'
import { failed, judge, type LoginAttempts, succeeded } from './login-attempts.ts'
import type { Passwords } from './password-hash.ts'
import type { PasswordStore } from './password-store.ts'
import type { UnclaimedAttempts } from './unclaimed-attempts.ts'

export interface Login {
  /** The user whose password this is. Throws `UNAUTHORIZED` or `TOO_MANY_REQUESTS`. */
  byPassword(email: string, password: string, sourceAddress: string): Promise<User>
  /** The same for a user who is logged in and says their password again. */
  isPasswordOf(user: User, password: string, sourceAddress: string): Promise<boolean>
}

export interface LoginOptions {
  readonly client: KubeClient
  readonly store: Store
  readonly claims: EmailClaims
  readonly passwords: Passwords
  readonly passwordStore: PasswordStore
  readonly unclaimed: UnclaimedAttempts
  /** What could not be written down about an attempt. */
  readonly onError: (error: unknown) => void
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  readonly sleep?: (ms: number) => Promise<void>
}

export function login(options: LoginOptions): Login {
  const { client, store, claims, passwords, passwordStore, unclaimed, onError, now = Date.now } = options
  const { sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)) } = options
  const inTurn = lanes()

  async function userOf(email: string): Promise<User | undefined> {
    const known = store.usersByEmail(email)[0]
    if (known !== undefined) return known
    const name = await claims.holder(email) // registered on another replica a moment ago?
    if (name === undefined) return undefined
    try {
      const user = await client.get(userKind, { name })
      return comparableEmail(user.spec.email) === comparableEmail(email) ? user : undefined
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  /** Reads as often for nobody as for somebody. */
  async function recordOf(account: Account): Promise<PasswordRecord> {
    const [record, attempts] = await Promise.all([
      passwordStore.read(account.userName),
      unclaimed.read(digest(account.userName)),
    ])
    return record ?? { hash: undefined, attempts }
  }

  async function writeDown(account: Account, record: PasswordRecord, right: boolean, password: string): Promise<void> {
    const count = (attempts: LoginAttempts) =>
      right ? succeeded(attempts, account.address) : failed(attempts, account.address, now())
    if (record.hash === undefined) return unclaimed.update(digest(account.userName), count)

    const hash = right && passwords.needsRehash(record.hash) ? await passwords.hash(password) : record.hash
    if (hash === record.hash && count(record.attempts) === record.attempts) return
    await passwordStore.update(account.userName, (current) => ({
      hash: current.hash === record.hash ? hash : current.hash,
      attempts: count(current.attempts),
    }))
  }

  /** Calls `answer` as soon as the outcome is known, and then writes it down. */
  async function attempt(account: Account, password: string, answer: (right: boolean) => void): Promise<void> {
    let record = await recordOf(account)
    const verdict = judge(record.attempts, account.address, now())
    if (!verdict.may) throw tooMany(verdict.retryAfterSeconds)
    if (verdict.delayMs > 0) {
      await sleep(verdict.delayMs)
      record = await recordOf(account)
    }
    const right = await passwords.verify(password, record.hash)
    answer(right)
    await writeDown(account, record, right, password)
  }

  async function isPasswordOf(user: User, password: string, sourceAddress: string): Promise<boolean> {
    const account = { userName: user.metadata.name, address: digest(sourceAddress) }
    const { attempts } = await recordOf(account)
    const lane = `${account.userName} ${attempts.addresses.includes(account.address)}`
    return inTurn(lane, (answer) => attempt(account, password, answer), onError)
  }

  async function isPasswordOfNobody(email: string, password: string, sourceAddress: string): Promise<boolean> {
    const account = { userName: `nobody-${digest(comparableEmail(email))}`, address: digest(sourceAddress) }
    return inTurn(account.userName, (answer) => attempt(account, password, answer), onError)
  }

  return {
    isPasswordOf,
    async byPassword(email, password, sourceAddress) {
      const user = await userOf(email)
      const right =
        user === undefined
          ? await isPasswordOfNobody(email, password, sourceAddress)
          : await isPasswordOf(user, password, sourceAddress)
      if (!right || user === undefined || user.spec.disabled || user.metadata.deletionTimestamp !== undefined) {
        throw new ApiError('UNAUTHORIZED', refused.badLogin)
      }
      return user
    },
  }
}

/** Whose password is tried, from where. */
interface Account {
  readonly userName: string
  /** A digest. */
  readonly address: string
}

interface PasswordRecord {
  /** `undefined` for somebody without a password, or nobody. */
  readonly hash: string | undefined
  readonly attempts: LoginAttempts
}

/**
 * Tasks with the same key run one after the other. Each gives its answer when it has it, and keeps its turn until it is
 * done; what fails after the answer goes to `onError`.
 */
function lanes() {
  const last = new Map<string, Promise<void>>()

  return <A>(key: string, task: (answer: (value: A) => void) => Promise<void>, onError: (error: unknown) => void) => {
    const { promise, resolve, reject } = Promise.withResolvers<A>()
    let answered = false
    const turn = (last.get(key) ?? Promise.resolve())
      .then(() =>
        task((value) => {
          answered = true
          resolve(value)
        }),
      )
      .catch((error: unknown) => (answered ? onError(error) : reject(error)))
      .finally(() => {
        if (last.get(key) === turn) last.delete(key)
      })
    last.set(key, turn)
    return promise
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24)
}

function tooMany(seconds: number): ApiError {
  return new ApiError('TOO_MANY_REQUESTS', refused.tooManyLogins(seconds), { retryAfterSeconds: seconds })
}
