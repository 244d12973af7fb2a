/**
 * A real OIDC provider (`oidc-provider`) on loopback, and the browser that logs in at it.
 *
 * The provider asks nobody for a password: whoever `logsInAs` names is logged in, and consents.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider, { type Configuration } from 'oidc-provider'

export interface Account {
  readonly subject: string
  readonly email?: string
  readonly name?: string
  readonly groups?: readonly string[]
}

export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string
  logsInAs: Account
  /** How often the token endpoint was asked. */
  readonly tokenRequests: () => number
}

export interface IdentityProviderOptions {
  readonly redirectUri: string
  readonly clientId?: string
  readonly clientSecret?: string
  /** How the client is registered; the provider refuses the other way. */
  readonly authentication?: 'client_secret_basic' | 'client_secret_post' | 'none'
  /** What the world calls it, when something stands before it. */
  readonly issuer?: string
  /** ID tokens carry e-mail, name and groups themselves, as many providers have it. */
  readonly claimsInIdToken?: boolean
}

export const CLIENT_ID = 'skyclust'
export const CLIENT_SECRET = 'a-client-secret/with+signs%and:more'

export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const { clientId = CLIENT_ID, clientSecret = CLIENT_SECRET, authentication = 'client_secret_basic' } = options
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = options.issuer ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  let tokenRequests = 0

  const self: IdentityProvider = {
    issuer,
    logsInAs: { subject: 'nobody' },
    tokenRequests: () => tokenRequests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  const known = new Map<string, Account>()

  const configuration: Configuration = {
    clients: [
      {
        client_id: clientId,
        ...(authentication === 'none' ? {} : { client_secret: clientSecret }),
        redirect_uris: [options.redirectUri],
        token_endpoint_auth_method: authentication,
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    claims: { openid: ['sub'], email: ['email'], profile: ['name', 'groups'] },
    conformIdTokenClaims: !options.claimsInIdToken,
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    cookies: { keys: ['a key for cookies'] },
    pkce: { required: () => true },
    findAccount(_context, subject) {
      const { email, name, groups } = known.get(subject) ?? {}
      return { accountId: subject, claims: () => ({ sub: subject, email, name, groups }) }
    },
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        ...(oidc.client && { clientId: oidc.client.clientId }),
        ...(oidc.account && { accountId: oidc.account.accountId }),
      })
      grant.addOIDCScope('openid email profile')
      await grant.save()
      return grant
    },
  }
  const provider = new Provider(issuer, configuration)
  provider.proxy = true
  const handle = provider.callback()

  async function logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { subject } = self.logsInAs
    known.set(subject, self.logsInAs)
    await provider.interactionFinished(request, response, { login: { accountId: subject } })
  }

  server.on('request', (request, response) => {
    if (request.method === 'POST' && request.url === '/token') tokenRequests += 1
    if (request.url?.startsWith('/interaction/')) void logIn(request, response)
    else void handle(request, response)
  })
  return self
}

/** Follows an authorization URL as a browser does, up to the redirect to the client. */
export async function visit(authUrl: string, redirectUri: string): Promise<URLSearchParams> {
  const jar = new Map<string, string>()
  let url = new URL(authUrl)
  for (let hop = 0; hop < 10; hop++) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: cookie === '' ? {} : { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') jar.delete(name)
      else jar.set(name, value)
    }
    const location = response.headers.get('location')
    if (location === null) throw new Error(`${url.pathname} was answered ${response.status}: ${await response.text()}`)
    url = new URL(location, url)
    if (url.href.startsWith(redirectUri)) return url.searchParams
  }
  throw new Error('the provider redirects without end')
}
