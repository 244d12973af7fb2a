import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { oidcProvider } from '../../../api/auth/oidc/provider.ts'
import type { OidcSettings } from '../../../api/auth/oidc/settings.ts'
import { CLIENT_ID, CLIENT_SECRET, startIdentityProvider, visit } from './identity-provider.ts'
import { type MisbehavingIssuer, type Misbehaviour, startMisbehavingIssuer } from './misbehaving-issuer.ts'

const redirectUri = 'https://skyclust.example/login/callback'

function settings(issuer: string, more: Partial<OidcSettings> = {}): OidcSettings {
  return {
    issuer,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    redirectUri,
    scopes: 'openid email profile',
    groups: [],
    groupsClaim: 'groups',
    registration: 'open',
    ...more,
  }
}

const secrets = { nonce: 'n'.repeat(43), codeVerifier: 'v'.repeat(43), state: 'the-state' }

describe('an OIDC provider that is as it should be', () => {
  it.each(['client_secret_basic', 'client_secret_post'] as const)(
    'vouches for who logged in there, the client being registered for %s',
    async (authentication) => {
      await using real = await startIdentityProvider({ redirectUri, authentication })
      real.logsInAs = { subject: 'sub-1', email: 'Ada@Example.com', name: 'Ada', groups: ['team-a', 'system:masters'] }
      const provider = oidcProvider('corp', settings(real.issuer, { groups: ['team-a', 'team-b'] }))

      const url = await provider.authorizationUrl(secrets)
      const answer = await visit(url.href, redirectUri)
      expect(answer.get('state')).toBe('the-state')
      const identity = await provider.redeem({
        ...secrets,
        code: answer.get('code') ?? '',
        issuer: answer.get('iss') ?? undefined,
      })

      expect(identity).toEqual({
        issuer: real.issuer,
        subject: 'sub-1',
        email: 'Ada@Example.com',
        name: 'Ada',
        groups: ['team-a'],
      })
    },
  )

  it('vouches once for a code, and not without the verifier', async () => {
    await using real = await startIdentityProvider({ redirectUri, claimsInIdToken: true, authentication: 'none' })
    real.logsInAs = { subject: 'sub-1' }
    const provider = oidcProvider('corp', settings(real.issuer, { clientSecret: '' }))
    const redirected = async () =>
      (await visit((await provider.authorizationUrl(secrets)).href, redirectUri)).get('code') ?? ''

    const code = await redirected()
    expect(await provider.redeem({ ...secrets, code })).toMatchObject({
      subject: 'sub-1',
      email: undefined,
      groups: [],
    })
    await expect(provider.redeem({ ...secrets, code })).rejects.toMatchObject({ code: 'UNAUTHORIZED' })

    const stolen = { ...secrets, code: await redirected(), codeVerifier: 'w'.repeat(43) }
    await expect(provider.redeem(stolen)).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })
})

describe('an OIDC provider that misbehaves', () => {
  let issuer: MisbehavingIssuer
  beforeAll(async () => {
    issuer = await startMisbehavingIssuer({ clientId: CLIENT_ID, clientSecret: CLIENT_SECRET })
  })
  beforeEach(() => {
    issuer.does = {}
  })
  afterAll(async () => issuer[Symbol.asyncDispose]())

  async function logIn(does: Misbehaviour, more: Partial<OidcSettings> = {}) {
    issuer.does = does
    const provider = oidcProvider('corp', settings(issuer.issuer, more), { timeoutSeconds: 1 })
    const url = await provider.authorizationUrl(secrets)
    return provider.redeem({ ...secrets, ...issuer.authorize(url.href) })
  }

  it('is believed when it does nothing wrong', async () => {
    await expect(logIn({})).resolves.toMatchObject({ subject: 'mallory', email: 'mallory@example.com' })
  })

  const lies: Record<string, Misbehaviour> = {
    'another nonce': { claims: (claims) => ({ ...claims, nonce: 'o'.repeat(43) }) },
    'no nonce': { claims: ({ nonce: _, ...claims }) => claims },
    'another issuer': { claims: (claims) => ({ ...claims, iss: 'https://accounts.google.com' }) },
    'another audience': { claims: (claims) => ({ ...claims, aud: 'somebody-else' }) },
    'more audiences and no authorized party': { claims: (claims) => ({ ...claims, aud: [claims.aud, 'else'] }) },
    'another authorized party': { claims: (claims) => ({ ...claims, aud: [claims.aud, 'else'], azp: 'else' }) },
    'a token that has expired': { claims: (claims) => ({ ...claims, exp: Math.floor(Date.now() / 1000) - 60 }) },
    'a token without an end': { claims: ({ exp: _, ...claims }) => claims },
    'a token for nobody': { claims: ({ sub: _, ...claims }) => claims },
    'a subject that is no text': { claims: (claims) => ({ ...claims, sub: 7 }) },
    'a signature of somebody else': { sign: 'with a stranger’s key' },
    'a broken signature': { sign: 'badly' },
    'no signature': { sign: 'not at all' },
    'a signature with the client secret': { sign: 'with the client secret' },
    'no ID token': { idToken: 'missing' },
    'a refusal of the code': { token: { status: 400, body: '{"error":"invalid_grant"}' } },
    'a refusal without words': { token: { status: 400, body: 'no' } },
  }

  it.each(Object.entries(lies))('is not believed with %s', async (_, does) => {
    await expect(logIn(does)).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })

  const failures: Record<string, Misbehaviour> = {
    'its token endpoint fails': { token: { status: 500, body: 'oops' } },
    'its token endpoint answers a page': { token: { status: 200, body: '<html>', type: 'text/html' } },
    'it does not know us': { token: { status: 401, body: '{"error":"invalid_client"}' } },
    'its keys cannot be read': { keys: 'gone' },
    'its discovery fails': { discovery: { status: 503, body: 'oops' } },
    'its discovery is a page': { discovery: { status: 200, body: '<html>' } },
    'nothing is there': { discovery: { status: 404, body: 'not here' } },
    'it says that it is somebody else': { discovery: 'other issuer' },
  }

  it.each(Object.entries(failures))('is to blame when %s', async (_, does) => {
    await expect(logIn(does)).rejects.toMatchObject({ code: 'BAD_GATEWAY' })
  })

  it('is given up when it says nothing', async () => {
    await expect(logIn({ discovery: 'silent' })).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' })
  })

  it('is to blame when nobody listens there', async () => {
    const nowhere = oidcProvider('corp', settings('http://127.0.0.1:1'), { timeoutSeconds: 1 })

    await expect(nowhere.authorizationUrl(secrets)).rejects.toMatchObject({ code: 'BAD_GATEWAY' })
  })

  it('is looked for again after it was away, and not more often than needed once it was found', async () => {
    let now = 0
    const provider = oidcProvider('corp', settings(issuer.issuer), { now: () => now, timeoutSeconds: 1 })
    issuer.does = { discovery: { status: 503, body: 'oops' } }
    await expect(provider.authorizationUrl(secrets)).rejects.toThrow()

    issuer.does = {}
    const before = issuer.discoveries()
    await Promise.all(Array.from({ length: 10 }, () => provider.authorizationUrl(secrets)))
    await provider.authorizationUrl(secrets)
    expect(issuer.discoveries() - before).toBe(1)

    issuer.does = { discovery: { status: 503, body: 'oops' } }
    now += 2 * 3_600_000
    await expect(provider.authorizationUrl(secrets)).resolves.toBeInstanceOf(URL)
    expect(issuer.discoveries() - before).toBe(2)
  })
})
