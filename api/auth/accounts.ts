/**
 * The life of an account: registered, changed, removed.
 *
 * The order of the writes, so that a crash between any two leaves nothing that matters: the claim on the address
 * (counts for a minute without a User), the password (of a name that nobody has), the User (from here on the account
 * exists, whole), the owner references (so that the garbage collector removes what is left of it later). A change of
 * address claims the new one, changes the User, releases the old one. Removing begins with the User.
 */
import { type User, userKind } from '../../crds/user.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isAlreadyExists, isNotFound, isUnavailable } from '../../kube/kube-error.ts'
import { type DraftMeta, keyOf } from '../../kube/resource.ts'
import { comparableEmail } from '../installation-objects.ts'
import { randomSuffix } from '../names.ts'
import type { Store } from '../store/store.ts'
import { ignoringNotFound } from '../writes/as-caller.ts'
import { change } from '../writes/change.ts'
import type { EmailClaims } from './email-claims.ts'
import type { Passwords } from './password-hash.ts'
import type { PasswordStore } from './password-store.ts'
import { type Sessions, userReference } from './sessions.ts'

export interface NewAccount {
  readonly email: string
  readonly name: string
  /** Absent for somebody whom an identity provider vouches for. */
  readonly password?: string
  readonly admin?: boolean
  /** Of the User object, beside its name. */
  readonly metadata?: Pick<DraftMeta, 'labels' | 'annotations'>
}

export interface AccountChange {
  readonly email?: string | undefined
  readonly name?: string | undefined
}

export interface Accounts {
  /** Throws `CONFLICT` when the address is taken. @param userName by default a new one */
  register(account: NewAccount, userName?: string): Promise<User>
  /** @param check may throw; it sees the User as it is right before it is changed */
  change(user: User, wanted: AccountChange, check?: (current: User) => void): Promise<User>
  setPassword(user: User, password: string): Promise<void>
  /** Sessions are dead and the address is free when this resolves. */
  remove(user: User): Promise<void>
  newUserName(): string
  /** As the API server has it now: one made on another replica a moment ago is there. Not one that is being deleted. */
  named(userName: string): Promise<User | undefined>
}

export interface AccountsOptions {
  readonly client: KubeClient
  readonly store: Store
  readonly claims: EmailClaims
  readonly passwords: Passwords
  readonly passwordStore: PasswordStore
  readonly sessions: Sessions
}

const SEEN_WITHIN_MS = 2_000

export function accounts(options: AccountsOptions): Accounts {
  const { client, store, claims, passwords, passwordStore, sessions } = options

  function newUserName(): string {
    return `u-${randomSuffix(10)}`
  }

  /** Undoes what was claimed for a User that was not made; if it is or may be there after all, nothing is touched. */
  async function giveUp(error: unknown, email: string, userName: string): Promise<never> {
    if (!isUnavailable(error) && !isAlreadyExists(error)) {
      await Promise.allSettled([claims.release(email, userName), passwordStore.remove(userName)])
    }
    throw error
  }

  async function make({ email, name, admin = false, metadata }: NewAccount, userName: string): Promise<User> {
    const spec = { email, displayName: name, admin, disabled: false }
    const user = await client.create(userKind, { metadata: { ...metadata, name: userName }, spec })
    const owner = userReference(user)
    await Promise.allSettled([claims.tie(email, owner), passwordStore.tie(userName, owner)]) // works without
    await store.users.seen(user, { timeoutMs: SEEN_WITHIN_MS })
    return user
  }

  return {
    newUserName,

    async named(userName) {
      try {
        const user = await client.get(userKind, { name: userName })
        return isGone(user) ? undefined : user
      } catch (error) {
        if (isNotFound(error)) return undefined
        throw error
      }
    },

    async register(account, userName = newUserName()) {
      const hash = account.password === undefined ? undefined : await passwords.hash(account.password)
      await claims.claim(account.email, userName)
      try {
        if (hash !== undefined) await passwordStore.set(userName, hash)
        return await make(account, userName)
      } catch (error) {
        return giveUp(error, account.email, userName)
      }
    },

    async change(user, { email, name }, check) {
      const { name: userName } = user.metadata
      const old = user.spec.email
      const moves = email !== undefined && comparableEmail(email) !== comparableEmail(old)
      if (moves) await claims.claim(email, userName)
      const spec = { ...(email !== undefined && { email }), ...(name !== undefined && { displayName: name }) }
      const fields = Object.keys(spec).map((field) => ['spec', field])
      try {
        const changed = await change(client, userKind, user, (current) => {
          check?.(current)
          return { spec, fields }
        })
        if (moves) await Promise.allSettled([claims.tie(email, userReference(user)), claims.release(old, userName)])
        await store.users.seen(changed, { timeoutMs: SEEN_WITHIN_MS })
        return changed
      } catch (error) {
        if (moves && !isUnavailable(error)) await claims.release(email, userName)
        throw error
      }
    },

    async setPassword(user, password) {
      await passwordStore.set(user.metadata.name, await passwords.hash(password), userReference(user))
    },

    async remove(user) {
      const { name, uid } = user.metadata
      await ignoringNotFound(client.delete(userKind, { name }, { preconditions: { uid } }))
      await Promise.allSettled([
        sessions.endAll(user),
        claims.release(user.spec.email, name),
        passwordStore.remove(name),
      ]) // without the User they count for nothing, and the garbage collector comes too
      await store.users.until(keyOf(user), isGone, { timeoutMs: SEEN_WITHIN_MS })
    },
  }
}

function isGone(user: User | undefined): boolean {
  return user === undefined || user.metadata.deletionTimestamp !== undefined
}
