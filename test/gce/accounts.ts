/**
 * Service accounts of the server, and the tokens by which they call: those of its token endpoint, and what a key signs
 * itself (https://google.aip.dev/auth/4111). It says what Google says about keys and clocks that are no good.
 *
 * @see https://developers.google.com/identity/protocols/oauth2/service-account
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { decodeJwt, type JWTPayload, jwtVerify } from 'jose'
import { GceRefusal } from './refusal.ts'
import type { GceSettings, GceTime } from './settings.ts'

export const PROJECT = 'skyclust-test'
/** By which a workload says who it is. */
export const SUBJECT_TOKEN = 'subject-of-the-workload'
export const ACCOUNT = `skyclust@${PROJECT}.iam.gserviceaccount.com`

/** A pair for all servers of a process: making one takes a while. */
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

export interface Accounts {
  /** A key file, as it would be downloaded. */
  keyFile(changes?: Readonly<Record<string, unknown>>): string
  /** What the token endpoint answers to a form; throws an {@link OAuthRefusal}. */
  token(form: URLSearchParams, uri: string): Promise<unknown>
  /** What the security token service answers to a form (RFC 8693): the identity of a workload for a token. */
  exchange(form: URLSearchParams): unknown
  /** A token, without asking who wants it. */
  issue(): string
  /** No token that was given out is good any more. */
  revokeTokens(): void
  /** Who calls with this header; throws a refusal. */
  caller(authorization: string | undefined): Promise<string>
  /** The account is deleted, its tokens with it. */
  delete(): void
  /** How many tokens were given out. */
  readonly issued: number
}

export class OAuthRefusal extends Error {
  readonly code: string

  constructor(code: string, description: string) {
    super(description)
    this.code = code
  }
}

export function accounts(settings: GceSettings, tokenUri: () => string, time: GceTime): Accounts {
  const tokens = new Map<string, number>()
  let isDeleted = false
  let issued = 0
  const now = () => time.now() + settings.clockAheadMs

  function issue(): string {
    const token = `ya29.${randomUUID()}`
    tokens.set(token, now() + 3_600_000)
    issued++
    return token
  }

  async function verified(jwt: string): Promise<JWTPayload | undefined> {
    try {
      const { payload } = await jwtVerify(jwt, publicKey, { algorithms: ['RS256'], currentDate: new Date(now()) })
      return payload
    } catch {
      return undefined
    }
  }

  return {
    keyFile: (changes = {}) =>
      JSON.stringify({
        type: 'service_account',
        project_id: PROJECT,
        private_key_id: '0123456789abcdef0123456789abcdef01234567',
        private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
        client_email: ACCOUNT,
        client_id: '123456789012345678901',
        auth_uri: 'https://accounts.google.com/o/oauth2/auth',
        token_uri: tokenUri(),
        universe_domain: 'googleapis.com',
        ...changes,
      }),

    async token(form, uri) {
      if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
        throw new OAuthRefusal('unsupported_grant_type', 'Invalid grant_type: ')
      }
      const assertion = form.get('assertion') ?? ''
      const claims = claimsOf(assertion)
      if (!claims) throw new OAuthRefusal('invalid_grant', 'Bad Request')
      const { iss, aud, iat = 0, exp = 0 } = claims
      if (iss !== ACCOUNT || isDeleted) throw new OAuthRefusal('invalid_grant', 'Invalid grant: account not found')
      const nowS = now() / 1000
      if (exp - iat > 3600 || iat > nowS + 300 || exp < nowS - 300 || aud !== uri) {
        const words =
          'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.'
        throw new OAuthRefusal('invalid_grant', words)
      }
      if (!(await verified(assertion))) throw new OAuthRefusal('invalid_grant', 'Invalid JWT Signature.')
      return { access_token: issue(), expires_in: 3599, token_type: 'Bearer' }
    },

    exchange(form) {
      if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:token-exchange') {
        throw new OAuthRefusal('unsupported_grant_type', 'Invalid grant_type: ')
      }
      if (form.get('subject_token') !== SUBJECT_TOKEN) {
        throw new OAuthRefusal('invalid_grant', 'The given credential is rejected by the attribute condition.')
      }
      const type = 'urn:ietf:params:oauth:token-type:access_token'
      return { access_token: issue(), expires_in: 3599, token_type: 'Bearer', issued_token_type: type }
    },

    issue,

    revokeTokens: () => tokens.clear(),

    async caller(authorization) {
      const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1]
      if (token === undefined) {
        const words =
          'Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential.'
        throw new GceRefusal(401, 'required', words, 'CREDENTIALS_MISSING')
      }
      const isIssued = (tokens.get(token) ?? 0) > now()
      const isSigned = claimsOf(token)?.iss === ACCOUNT && (await verified(token)) !== undefined
      if (isDeleted || !(isIssued || isSigned)) {
        const words =
          'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.'
        throw new GceRefusal(401, 'authError', words)
      }
      return ACCOUNT
    },

    delete() {
      isDeleted = true
    },

    get issued() {
      return issued
    },
  }
}

function claimsOf(jwt: string): JWTPayload | undefined {
  try {
    return decodeJwt(jwt)
  } catch {
    return undefined
  }
}
