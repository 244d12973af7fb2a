/**
 * The state of a login under way: a signed token that the browser carries to the provider and back, so that beginning a login
 * stores nothing anywhere, and any replica can finish it.
 *
 * Guarantees: only a replica of this installation can make one; it names the provider, lives ten minutes and is bound to who
 * began the login: the logged-in user, the browser (a cookie), or neither. Nonce and PKCE verifier are derived from its id with
 * the installation's key, and so are known to nobody who only sees the state. That it is used once is `single-use.ts`.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { jwtVerify, SignJWT } from 'jose'
import type { LoginSecrets } from './provider.ts'

/** Who began the login, and so who may finish it. */
export type Beginner =
  | { readonly kind: 'user'; readonly uid: string }
  /** The value of its cookie. */
  | { readonly kind: 'browser'; readonly secret: string }
  /** A program that is no browser: it cannot be made to post what somebody else began. */
  | { readonly kind: 'program' }

export interface LoginState extends LoginSecrets {
  readonly id: string
}

export interface States {
  make(login: {
    readonly provider: string
    readonly beginner: Beginner
  }): Promise<LoginState & { readonly state: string }>
  /** `invalid` for one that is not ours, of another provider or expired; `stranger` when somebody else began it. */
  open(
    state: string,
    login: { readonly provider: string; readonly beginner: Beginner },
  ): Promise<LoginState | 'invalid' | 'stranger'>
}

export const STATE_LIFE_MS = 10 * 60_000

const TYPE = 'oidc-state+jwt'
/** Ours have about 350 characters. */
const MAX_LENGTH = 1_024

export interface StatesOptions {
  /** The key to sign with; the same on every replica. */
  readonly key: () => Promise<Uint8Array>
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

export function states({ key, now = Date.now }: StatesOptions): States {
  return {
    async make({ provider, beginner }) {
      const signingKey = await key()
      const id = randomBytes(16).toString('base64url')
      const state = await new SignJWT({ provider, by: beginnerDigest(signingKey, id, beginner) })
        .setProtectedHeader({ alg: 'HS256', typ: TYPE })
        .setJti(id)
        .setExpirationTime(Math.floor((now() + STATE_LIFE_MS) / 1000))
        .sign(signingKey)
      return { state, ...secretsOf(signingKey, id) }
    },

    async open(state, { provider, beginner }) {
      if (state.length > MAX_LENGTH) return 'invalid'
      const signingKey = await key()
      const claims = await verified(state, signingKey, now())
      if (!claims || claims.provider !== provider) return 'invalid'
      if (claims.by !== beginnerDigest(signingKey, claims.id, beginner)) return 'stranger'
      return secretsOf(signingKey, claims.id)
    },
  }
}

async function verified(state: string, key: Uint8Array, now: number) {
  try {
    const { payload } = await jwtVerify(state, key, {
      algorithms: ['HS256'],
      typ: TYPE,
      requiredClaims: ['jti', 'exp', 'provider', 'by'],
      currentDate: new Date(now),
    })
    return { id: payload.jti ?? '', provider: payload.provider, by: payload.by }
  } catch {
    return undefined // jose says why; the caller is told only that the state is no good
  }
}

function secretsOf(key: Uint8Array, id: string): LoginState {
  return { id, nonce: derived(key, 'nonce', id), codeVerifier: derived(key, 'verifier', id) }
}

function beginnerDigest(key: Uint8Array, id: string, beginner: Beginner): string {
  switch (beginner.kind) {
    case 'user':
      return derived(key, 'user', id, beginner.uid)
    case 'browser':
      return derived(key, 'browser', id, createHash('sha256').update(beginner.secret).digest('base64url'))
    case 'program':
      return derived(key, 'program', id)
  }
}

/** 43 characters, as RFC 7636 asks of a verifier at least. No part can contain a line break. */
function derived(key: Uint8Array, ...parts: readonly string[]): string {
  return createHmac('sha256', key).update(parts.join('\n')).digest('base64url')
}
