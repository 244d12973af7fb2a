/**
 * One OIDC provider: where it sends a browser to, and what it vouches for in exchange for a code.
 *
 * Guarantees:
 * - what {@link OidcProvider.redeem} gives was signed by a key of the issuer, for us, for this nonce, and is not older than it
 *   may be: issuer, audience, algorithm, signature, nonce, times and PKCE are all checked;
 * - a provider that is away is asked for when it is needed and never at the start; what was discovered is used for an hour, and
 *   longer while the provider does not answer;
 * - what the caller brought wrong is `UNAUTHORIZED`; what the provider or its configuration does wrong is 502 or 504.
 *
 * The subject and the issuer are the identity; name, e-mail and groups are hearsay.
 *
 * @see https://openid.net/specs/openid-connect-core-1_0.html and https://www.rfc-editor.org/rfc/rfc9700 (best current practice)
 */
import * as client from 'openid-client'
import { ApiError } from '../../http/api-error.ts'
import type { OidcSettings } from './settings.ts'
import { oidcWords } from './words.ts'

export interface OidcProvider {
  readonly name: string
  readonly settings: OidcSettings
  authorizationUrl(request: LoginSecrets & { readonly state: string }): Promise<URL>
  redeem(answer: LoginSecrets & ProviderAnswer): Promise<Identity>
}

/** What binds the answer to the question; both are derived from the state. */
export interface LoginSecrets {
  readonly nonce: string
  readonly codeVerifier: string
}

export interface ProviderAnswer {
  readonly code: string
  readonly state: string
  /** RFC 9207; checked where it is given. */
  readonly issuer?: string | undefined
}

export interface Identity {
  readonly issuer: string
  readonly subject: string
  readonly email: string | undefined
  readonly name: string | undefined
  /** Those of the claim that the operator lists. */
  readonly groups: readonly string[]
}

export interface OidcProviderOptions {
  readonly fetch?: client.CustomFetch
  /** Milliseconds from any origin. */
  readonly now?: () => number
  /** For each request to the provider. */
  readonly timeoutSeconds?: number
}

const DISCOVERED_FOR_MS = 3_600_000
/** After a discovery that failed while an older one is at hand. */
const RETRY_AFTER_MS = 30_000

export function oidcProvider(
  name: string,
  settings: OidcSettings,
  { fetch, now = () => performance.now(), timeoutSeconds = 5 }: OidcProviderOptions = {},
): OidcProvider {
  let discovered: { readonly config: client.Configuration; readonly goodUntil: number } | undefined
  let discovering: Promise<client.Configuration> | undefined
  let authentication: 'basic' | 'post' | undefined

  async function discover(): Promise<client.Configuration> {
    const execute = [client.enableNonRepudiationChecks]
    // The operator wrote http: into the issuer, and knows on which network that is safe.
    if (settings.issuer.startsWith('http:')) execute.push(client.allowInsecureRequests)
    const config = await client.discovery(new URL(settings.issuer), settings.clientId, undefined, authenticate, {
      execute,
      timeout: timeoutSeconds,
      ...(fetch && { [client.customFetch]: fetch }),
    })
    discovered = { config, goodUntil: now() + DISCOVERED_FOR_MS }
    return config
  }

  function configuration(): Promise<client.Configuration> {
    if (discovered && now() < discovered.goodUntil) return Promise.resolve(discovered.config)
    discovering ??= discover()
      .catch((error: unknown) => {
        if (!discovered) throw unusable(error)
        discovered = { config: discovered.config, goodUntil: now() + RETRY_AFTER_MS }
        return discovered.config
      })
      .finally(() => {
        discovering = undefined
      })
    return discovering
  }

  /** The client may be registered for either method, and discovery does not say for which. */
  function authenticate(...request: Parameters<client.ClientAuth>): void {
    const [server] = request
    const offered = server.token_endpoint_auth_methods_supported
    const method = authentication ?? (offered && !offered.includes('client_secret_basic') ? 'post' : 'basic')
    if (settings.clientSecret === '') client.None()(...request)
    else if (method === 'basic') client.ClientSecretBasic(settings.clientSecret)(...request)
    else client.ClientSecretPost(settings.clientSecret)(...request)
  }

  async function exchange(config: client.Configuration, answer: LoginSecrets & ProviderAnswer) {
    const redirected = new URL(settings.redirectUri)
    redirected.searchParams.set('code', answer.code)
    redirected.searchParams.set('state', answer.state)
    redirected.searchParams.set('iss', answer.issuer ?? config.serverMetadata().issuer)
    const checks = {
      expectedState: answer.state,
      expectedNonce: answer.nonce,
      pkceCodeVerifier: answer.codeVerifier,
      idTokenExpected: true,
    }
    try {
      return await client.authorizationCodeGrant(config, redirected, { ...checks })
    } catch (error) {
      if (authentication !== undefined || !isInvalidClient(error) || settings.clientSecret === '') throw error
      const tried = config.serverMetadata().token_endpoint_auth_methods_supported?.includes('client_secret_basic')
      authentication = tried === false ? 'basic' : 'post'
      return client.authorizationCodeGrant(config, redirected, { ...checks })
    }
  }

  async function redeem(answer: LoginSecrets & ProviderAnswer): Promise<Identity> {
    const config = await configuration()
    try {
      const tokens = await exchange(config, answer)
      const claims = tokens.claims()
      if (claims === undefined) throw new Error('the provider sent no ID token')
      const more = isComplete(claims, settings) ? {} : await moreClaims(config, tokens.access_token, claims.sub)
      return identityOf({ ...more, ...claims }, settings)
    } catch (error) {
      throw refusal(error)
    }
  }

  /** Many providers keep e-mail, name and groups out of the ID token (OIDC Core §5.4). */
  async function moreClaims(config: client.Configuration, accessToken: string, subject: string) {
    if (config.serverMetadata().userinfo_endpoint === undefined) return {}
    return client.fetchUserInfo(config, accessToken, subject)
  }

  function unusable(error: unknown): ApiError {
    if (isAway(error) && !isNotThere(error)) return away(error)
    return new ApiError('BAD_GATEWAY', oidcWords.providerMisconfigured(name, reason(error)), { cause: error })
  }

  function away(error: unknown): ApiError {
    const code = isTimeout(error) ? 'GATEWAY_TIMEOUT' : 'BAD_GATEWAY'
    return new ApiError(code, oidcWords.providerAway(name), { retryAfterSeconds: 5, cause: error })
  }

  function refusal(error: unknown): ApiError {
    if (isAway(error)) return away(error)
    if (error instanceof client.ResponseBodyError && error.error !== 'invalid_grant') {
      return new ApiError('BAD_GATEWAY', oidcWords.providerMisconfigured(name, error.error), { cause: error })
    }
    return new ApiError('UNAUTHORIZED', oidcWords.refusedByProvider(name, reason(error)), { cause: error })
  }

  return {
    name,
    settings,
    async authorizationUrl({ state, nonce, codeVerifier }) {
      return client.buildAuthorizationUrl(await configuration(), {
        redirect_uri: settings.redirectUri,
        scope: settings.scopes,
        state,
        nonce,
        code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      })
    },
    redeem,
  }
}

type Claims = Readonly<Record<string, unknown>>

function isComplete(claims: Claims, { groups, groupsClaim }: OidcSettings): boolean {
  const wanted = ['email', 'name', ...(groups.length > 0 ? [groupsClaim] : [])]
  return wanted.every((claim) => claims[claim] !== undefined)
}

function identityOf(claims: Claims & { readonly iss: string; readonly sub: string }, settings: OidcSettings): Identity {
  const listed = claims[settings.groupsClaim]
  const named = Array.isArray(listed) ? listed : [listed]
  return {
    issuer: claims.iss,
    subject: claims.sub,
    email: textOf(claims.email),
    name: textOf(claims.name) ?? textOf(claims.preferred_username),
    groups: settings.groups.filter((group) => named.includes(group)),
  }
}

function textOf(claim: unknown): string | undefined {
  return typeof claim === 'string' && claim.trim() !== '' ? claim.trim() : undefined
}

function isInvalidClient(error: unknown): boolean {
  return (
    (error instanceof client.ResponseBodyError && error.error === 'invalid_client') ||
    error instanceof client.WWWAuthenticateChallengeError
  )
}

function isTimeout(error: unknown): boolean {
  return error instanceof client.ClientError && error.code === 'OAUTH_TIMEOUT'
}

const brokenProvider = new Set([
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_MISSING_SERVER_METADATA',
  'OAUTH_INVALID_SERVER_METADATA',
  'OAUTH_HTTP_REQUEST_FORBIDDEN',
  'OAUTH_REQUEST_PROTOCOL_FORBIDDEN',
])

/** The provider was not reached, or what answered is no provider. A token endpoint that says 400 means the code. */
function isAway(error: unknown): boolean {
  if (isTimeout(error) || (error instanceof TypeError && error.message === 'fetch failed')) return true
  if (error instanceof client.WWWAuthenticateChallengeError) return true
  if (!(error instanceof client.ClientError)) return false
  if (error.code === 'OAUTH_RESPONSE_IS_NOT_CONFORM')
    return !(error.cause instanceof Response && error.cause.status === 400)
  return brokenProvider.has(error.code ?? '')
}

/** Something answers at the issuer's address, and it is no provider. */
function isNotThere(error: unknown): boolean {
  return error instanceof client.ClientError && error.cause instanceof Response && error.cause.status < 500
}

/** In the words of the library, which never quotes a token, or of the provider, shortened. */
function reason(error: unknown): string {
  if (error instanceof client.ResponseBodyError) return (error.error_description ?? error.error).slice(0, 200)
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
