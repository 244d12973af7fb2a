/**
 * Session tokens: ES256 JWTs that say who (`sub`, a User's uid) by which session (`jti`, a Session's name) until when.
 *
 * A token proves only that we issued it; whether its session still lives is asked of the Sessions on every call. A
 * token that was verified once is remembered, because a signature costs more than the rest of a read; what is
 * remembered is forgotten as soon as the keys change.
 */
import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose'
import type { SigningKeys } from './signing-keys.ts'

export interface TokenClaims {
  /** The User's uid. */
  readonly userUid: string
  /** The Session's name. */
  readonly sessionName: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export interface Tokens {
  issue(claims: TokenClaims): Promise<string>
  /** What a token that was verified before says, without waiting; `undefined` when it has to be verified. */
  remembered(token: string): TokenClaims | undefined
  /** `undefined` for a token that is not ours, was tampered with or has expired. */
  verify(token: string): Promise<TokenClaims | undefined>
}

const ISSUER = 'skyclust'
/** Ours have about 400 characters. */
const MAX_TOKEN_LENGTH = 2048
const REMEMBERED = 20_000

export function tokens(keys: SigningKeys, now: () => number = Date.now): Tokens {
  const known = new Map<string, TokenClaims>()
  keys.onChange(() => known.clear())

  function remember(token: string, claims: TokenClaims): void {
    const oldest = known.size >= REMEMBERED ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
    known.set(token, claims)
  }

  return {
    issue({ userUid, sessionName, expiresAt }) {
      const { kid, key } = keys.signer()
      return new SignJWT()
        .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid })
        .setIssuer(ISSUER)
        .setSubject(userUid)
        .setJti(sessionName)
        .setIssuedAt(Math.floor(now() / 1000))
        .setExpirationTime(Math.floor(expiresAt / 1000))
        .sign(key)
    },

    remembered(token) {
      const claims = known.get(token)
      return claims !== undefined && claims.expiresAt > now() ? claims : undefined
    },

    async verify(token) {
      if (token.length > MAX_TOKEN_LENGTH) return undefined
      const key = await keys.verifier(keyIdOf(token))
      if (key === undefined) return undefined
      const claims = await verifiedClaims(token, key, now())
      if (claims !== undefined) remember(token, claims)
      return claims
    },
  }
}

function keyIdOf(token: string): string {
  try {
    return decodeProtectedHeader(token).kid ?? ''
  } catch {
    return ''
  }
}

async function verifiedClaims(
  token: string,
  key: Awaited<ReturnType<SigningKeys['verifier']>> & {},
  now: number,
): Promise<TokenClaims | undefined> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['ES256'],
      issuer: ISSUER,
      requiredClaims: ['sub', 'jti', 'exp'],
      currentDate: new Date(now),
    })
    const { sub = '', jti = '', exp = 0 } = payload
    return { userUid: sub, sessionName: jti, expiresAt: exp * 1000 }
  } catch {
    return undefined // jose says why; the caller is told only that the token is no good
  }
}
