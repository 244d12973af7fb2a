/**
 * Who calls, and the `Authorization` header that says so: a service account by its key, or what the process finds by
 * itself (environment, workload identity federation, metadata server), where the operator allows it.
 *
 * Guarantees: a token is fetched once and used until shortly before it ends, however many calls wait for it; what is thrown
 * is a `CloudError` in Google's words, or the reason of the caller's signal.
 */
import type { GoogleAuth } from 'google-auth-library'
import { SignJWT } from 'jose'
import { CloudError, isCloudError } from '../cloud-error.ts'
import { unlessAborted } from '../unless-aborted.ts'
import type { GcpConnections } from './connections.ts'
import { noAnswer, refusal } from './gcp-error.ts'
import type { ServiceAccountKey } from './service-account-key.ts'

export interface GcpIdentity {
  /** An e-mail address. */
  email(signal?: AbortSignal): Promise<string>
  /** The project that the identity belongs to. */
  projectID(signal?: AbortSignal): Promise<string>
  authorization(signal?: AbortSignal): Promise<string>
  /** Google did not take the token: the next call fetches another. */
  forget(): void
}

export const CLOUD_PLATFORM_SCOPE = 'https://www.googleapis.com/auth/cloud-platform'

const GOOGLE_TOKEN_URI = 'https://oauth2.googleapis.com/token'
const LIFE_S = 3600
/** A token is not used in the last minutes of its life. */
const MARGIN_MS = 5 * 60_000
const EXCHANGE_TIMEOUT_MS = 15_000
const EXCHANGE = { action: 'oauth2.token', mutation: false } as const

interface Token {
  readonly header: string
  readonly expiresAt: number
}

export interface KeyIdentityOptions {
  readonly key: ServiceAccountKey
  readonly connections: GcpConnections
}

/**
 * The key is exchanged for a token at Google, whose words say more than Compute Engine's about a key that is no good. At
 * another endpoint it is exchanged there if the key says so; if it does not, the token is the key's own signature, as
 * Google's clients do it: https://google.aip.dev/auth/4111.
 */
export function keyIdentity({ key, connections }: KeyIdentityOptions): GcpIdentity {
  const { foreignOrigin } = connections.endpoint
  const { fetch, wallClock: now } = connections.outside
  const tokenUri = foreignOrigin === undefined ? GOOGLE_TOKEN_URI : ownTokenUri(key, foreignOrigin)
  const token = remembered(() => (tokenUri === undefined ? selfSigned() : exchanged(tokenUri)), now)

  function signed(claims: Readonly<Record<string, string>>): Promise<string> {
    const issuedAt = Math.floor(now() / 1000)
    return new SignJWT({ ...claims, iss: key.email, scope: CLOUD_PLATFORM_SCOPE })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(key.keyId && { kid: key.keyId }) })
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + LIFE_S)
      .sign(key.privateKey)
  }

  async function selfSigned(): Promise<Token> {
    return { header: `Bearer ${await signed({ sub: key.email })}`, expiresAt: now() + LIFE_S * 1000 }
  }

  async function exchanged(uri: string): Promise<Token> {
    const assertion = await signed({ aud: uri })
    const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion })
    try {
      const answer = await fetch(uri, {
        method: 'POST',
        body: body.toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        signal: AbortSignal.timeout(EXCHANGE_TIMEOUT_MS),
      })
      const text = await answer.text()
      if (!answer.ok) throw withSkew(refusal(answer.status, json(text), EXCHANGE), answer.headers.get('date'))
      return tokenIn(json(text))
    } catch (error) {
      throw isCloudError(error) ? error : noAnswer(error, EXCHANGE)
    }
  }

  function tokenIn(body: unknown): Token {
    const { access_token: token, expires_in: lifeS } = (body ?? {}) as { access_token?: unknown; expires_in?: unknown }
    if (typeof token !== 'string')
      throw new CloudError('Google answered without a token.', { class: 'transient', ...EXCHANGE })
    return { header: `Bearer ${token}`, expiresAt: now() + (typeof lifeS === 'number' ? lifeS : LIFE_S) * 1000 }
  }

  /** Says by how much the clocks differ, where that is what is wrong. In whole minutes, so that it reads the same again. */
  function withSkew(error: CloudError, theirDate: string | null): CloudError {
    const minutes = Math.round((now() - Date.parse(theirDate ?? '')) / 60_000)
    if (error.class !== 'transient' || !minutes) return error
    const words = `${error.message} Here it is ${Math.abs(minutes)} min ${minutes < 0 ? 'earlier' : 'later'} than at Google.`
    return new CloudError(words, { class: error.class, code: error.code, action: error.action, remedy: error.remedy })
  }

  return {
    email: async () => key.email,
    projectID: async () => key.projectID,
    authorization: (signal) => token.get(signal),
    forget: token.forget,
  }
}

function ownTokenUri({ tokenUri }: ServiceAccountKey, origin: string): string | undefined {
  return tokenUri !== undefined && new URL(tokenUri).origin === origin ? tokenUri : undefined
}

export interface AmbientIdentityOptions {
  /** The project to work in; left out, it is looked for as well. */
  readonly projectID?: string
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** What the process finds by itself; looked for when it is first needed, which also loads what looks. */
export function ambientIdentity({ projectID, now = Date.now }: AmbientIdentityOptions = {}): GcpIdentity {
  let auth: Promise<GoogleAuth> | undefined
  const token = remembered(async () => {
    const client = await ask(async (found) => found.getClient())
    const headers = await ask(async () => client.getRequestHeaders())
    const header = headers.get('authorization')
    if (!header) throw noAmbient('it has no token')
    const expiresAt = client.credentials.expiry_date ?? now() + 2 * MARGIN_MS
    return { header, expiresAt }
  }, now)

  async function ask<T>(question: (auth: GoogleAuth) => Promise<T>): Promise<T> {
    auth ??= import('google-auth-library').then(
      (library) => new library.GoogleAuth({ scopes: CLOUD_PLATFORM_SCOPE, ...(projectID && { projectId: projectID }) }),
    )
    try {
      return await question(await auth)
    } catch (error) {
      auth = undefined // it is looked for anew: what was missing may be there then
      throw noAmbient(error instanceof Error ? error.message : String(error))
    }
  }

  return {
    email: (signal) =>
      heeding(
        ask(async (found) => (await found.getCredentials()).client_email || 'the identity of the process'),
        signal,
      ),
    projectID: (signal) =>
      heeding(
        ask((found) => found.getProjectId()),
        signal,
      ),
    authorization: (signal) => token.get(signal),
    forget: token.forget,
  }
}

function noAmbient(why: string): CloudError {
  return new CloudError(`SkyClust has no identity of its own at Google Cloud that could be used: ${why}`, {
    class: 'unauthorized',
    code: 'NoAmbientIdentity',
    action: 'connect',
    remedy:
      'Its operator has to give it one (workload identity, or GOOGLE_APPLICATION_CREDENTIALS); or use a Secret instead.',
  })
}

function remembered(fetchOne: () => Promise<Token>, now: () => number) {
  let token: Token | undefined
  let underWay: Promise<Token> | undefined

  async function renew(): Promise<Token> {
    try {
      token = await fetchOne()
      return token
    } finally {
      underWay = undefined
    }
  }

  return {
    async get(signal?: AbortSignal): Promise<string> {
      if (token && now() < token.expiresAt - MARGIN_MS) return token.header
      underWay ??= renew()
      return (await heeding(underWay, signal)).header
    },
    forget() {
      token = undefined
    },
  }
}

function heeding<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return signal ? unlessAborted(promise, signal) : promise
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
