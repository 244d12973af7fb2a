/**
 * What a proven identity means here: a login of the user it belongs to, of a new user, or a link to the caller.
 *
 * Guarantees: an identity never becomes another user's, and an e-mail address never leads to a user that the identity was not
 * linked to; whoever has such an address is told to log in and link. A process that dies on the way leaves nothing that
 * stops the next login: the identity is claimed first, for a name that is chosen then, and whoever finds a claim without its
 * user goes on from there.
 */
import type { User } from '../../../crds/user.ts'
import { ApiError } from '../../http/api-error.ts'
import { refused } from '../../language/messages.ts'
import type { Identities, IdentityClaim } from './identities.ts'
import type { Identity } from './provider.ts'
import { oidcWords } from './words.ts'

/** The users of the installation, as the API server knows them now. */
export interface SignInAccounts {
  /** A name for a User object that nobody has. */
  newName(): string
  find(name: string): Promise<User | undefined>
  /** Makes that User, or gives the one that an earlier call with the same name and address has made. `undefined`: address taken. */
  create(account: {
    readonly name: string
    readonly email: string
    readonly displayName: string
  }): Promise<User | undefined>
}

export interface SignInOptions {
  readonly identities: Identities
  readonly accounts: SignInAccounts
}

export interface SignIn {
  /** The user of this identity, made on the first login if `mayRegister`. */
  logIn(identity: Identity, login: { readonly provider: string; readonly mayRegister: boolean }): Promise<User>
  /** Makes the identity the user's. */
  link(identity: Identity, user: User): Promise<void>
}

/** Each turn follows a change that somebody else made meanwhile. */
const ATTEMPTS = 5

export function signIn({ identities, accounts }: SignInOptions): SignIn {
  /** The user behind a claim; `undefined` for one that is gone, whose claim counts no more. */
  async function userOf(claim: IdentityClaim): Promise<User | undefined> {
    const user = await accounts.find(claim.userName)
    return user && (claim.userUid === undefined || claim.userUid === user.metadata.uid) ? user : undefined
  }

  async function makeUser(claim: IdentityClaim, identity: Identity, provider: string): Promise<User> {
    const email = emailOf(identity, provider)
    const displayName = (identity.name ?? email).slice(0, 128)
    const user = await accounts.create({ name: claim.userName, email, displayName })
    if (!user) {
      await identities.release(claim)
      throw new ApiError('CONFLICT', oidcWords.emailBelongsToUser)
    }
    await identities.complete(claim, user.metadata)
    return user
  }

  async function attemptLogin(identity: Identity, provider: string, mayRegister: boolean): Promise<User | undefined> {
    const claim = await identities.find(identity)
    const user = claim && (await userOf(claim))
    if (claim && user) {
      if (claim.userUid === undefined) await identities.complete(claim, user.metadata)
      return user
    }
    if (claim?.userUid !== undefined) {
      await identities.release(claim) // its user was deleted: whoever logs in now is new
      return undefined
    }
    if (!mayRegister) throw new ApiError('FORBIDDEN', refused.registrationClosed)
    emailOf(identity, provider) // without one nothing is begun
    const begun = claim ?? (await identities.claim(identity, { name: accounts.newName() }))
    return begun && makeUser(begun, identity, provider)
  }

  return {
    async logIn(identity, { provider, mayRegister }) {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const user = await attemptLogin(identity, provider, mayRegister)
        if (user) return user
      }
      throw new ApiError('CONFLICT', refused.conflict)
    },

    async link(identity, { metadata }) {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const claim = await identities.find(identity)
        if (!claim) {
          if (await identities.claim(identity, { name: metadata.name, uid: metadata.uid })) return
          continue
        }
        const user = await userOf(claim)
        if (user?.metadata.uid === metadata.uid) return
        if (user) throw new ApiError('CONFLICT', oidcWords.linkedToOther)
        await identities.release(claim)
      }
      throw new ApiError('CONFLICT', refused.conflict)
    },
  }
}

function emailOf({ email }: Identity, provider: string): string {
  if (email === undefined) throw new ApiError('FORBIDDEN', oidcWords.noEmail(provider))
  return email
}
