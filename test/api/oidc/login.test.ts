import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, startInstallation } from '../../contract/installation.ts'
import { type Answer, type Rest, rest } from '../../contract/rest.ts'
import { CLIENT_ID, CLIENT_SECRET, type IdentityProvider, startIdentityProvider, visit } from './identity-provider.ts'
import { type MisbehavingIssuer, startMisbehavingIssuer } from './misbehaving-issuer.ts'

const redirectUri = 'http://127.0.0.1:9/login/callback'
const browser = { 'user-agent': 'Mozilla/5.0', 'sec-fetch-site': 'same-origin' }

let corp: IdentityProvider
let liar: MisbehavingIssuer
let installation: Installation
beforeAll(async () => {
  corp = await startIdentityProvider({ redirectUri })
  liar = await startMisbehavingIssuer({ clientId: CLIENT_ID, clientSecret: CLIENT_SECRET })
  installation = await startInstallation({
    replicas: 2,
    controller: false,
    env: {
      ...variables('CORP', corp.issuer),
      ...variables('LIAR', liar.issuer),
      ...variables('DEAD', 'http://127.0.0.1:1'),
    },
  })
})
afterAll(async () => {
  await Promise.all([installation, corp, liar].map((one) => one?.[Symbol.asyncDispose]()))
})

function variables(name: string, issuer: string): Record<string, string> {
  const prefix = `SKYCLUST_OIDC_${name}_`
  return {
    [`${prefix}ISSUER`]: issuer,
    [`${prefix}CLIENT_ID`]: CLIENT_ID,
    [`${prefix}CLIENT_SECRET`]: CLIENT_SECRET,
    [`${prefix}REDIRECT_URI`]: redirectUri,
    [`${prefix}GROUPS`]: 'platform',
  }
}

let people = 0
function somebody(groups: readonly string[] = []) {
  people += 1
  return { subject: `sub-${people}`, email: `sub-${people}@example.com`, name: `Person ${people}`, groups }
}

const anybody = () => rest(installation.url)
const begin = (who: Rest = anybody(), provider = 'corp', headers = {}) =>
  who.get(`/api/v1/oidc/${provider}/auth`, { headers })
const finish = (body: object, who: Rest = anybody(), provider = 'corp', headers = {}) =>
  who.post(`/api/v1/oidc/${provider}/callback`, { body, headers })

/** What the browser brings back from the provider. */
async function redirected(begun: Answer): Promise<{ code: string; state: string }> {
  const answer = await visit(begun.body.data.auth_url, redirectUri)
  return { code: answer.get('code') ?? '', state: answer.get('state') ?? '' }
}

async function logIn(who: Rest = anybody()): Promise<Answer> {
  return finish(await redirected(await begin(who)), who)
}

const cookieOf = (answer: Answer) => ({ cookie: (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '' })

describe('GET /api/v1/oidc/:provider/auth', () => {
  it('says where to send the browser, and with which state', async () => {
    const answer = await begin()
    const url = new URL(answer.body.data.auth_url)

    expect(answer.status).toBe(200)
    expect(Object.keys(answer.body.data).sort()).toEqual(['auth_url', 'state'])
    expect(url.origin).toBe(corp.issuer)
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      client_id: CLIENT_ID,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'openid email profile',
      state: answer.body.data.state,
      code_challenge_method: 'S256',
      nonce: expect.stringMatching(/^.{43}$/),
    })
  })

  it('knows providers whatever the case, and no others', async () => {
    expect((await begin(anybody(), 'CORP')).status).toBe(200)
    expect((await begin(anybody(), 'other')).body.error.code).toBe('NOT_FOUND')
  })

  it('says so when the provider is away; the facade started all the same', async () => {
    const answer = await begin(rest(installation.url, { 'accept-language': 'en' }), 'dead')

    expect(answer.status).toBe(502)
    expect(answer.body.error).toMatchObject({ code: 'BAD_GATEWAY', message: expect.stringContaining('dead') })
  })
})

describe('POST /api/v1/oidc/:provider/callback', () => {
  it('makes a user at the first login and logs in the same one afterwards, on every replica', async () => {
    corp.logsInAs = somebody()
    const first = await logIn()
    const second = await logIn(rest(installation.urls[1] ?? ''))

    expect(first.status).toBe(200)
    expect(first.body.data.user).toEqual({
      id: expect.any(String),
      email: corp.logsInAs.email,
      name: corp.logsInAs.name,
    })
    expect(second.body.data.user).toEqual(first.body.data.user)
    expect(second.body.data.token).not.toBe(first.body.data.token)
    const me = rest(installation.url, { authorization: `Bearer ${first.body.data.token}` })
    expect((await me.get('/api/v1/users/me')).body.data).toMatchObject({ email: corp.logsInAs.email, admin: false })
  })

  it('may be finished on another replica, once', async () => {
    corp.logsInAs = somebody()
    const answer = await redirected(await begin())
    const tries = installation.urls.flatMap((url) => [finish(answer, rest(url)), finish(answer, rest(url))])
    const statuses = (await Promise.all(tries)).map(({ status }) => status)

    expect(statuses.sort()).toEqual([200, 401, 401, 401])
    expect((await finish(answer)).status).toBe(401)
  })

  it('uses a state up even when the code was wrong', async () => {
    const answer = await redirected(await begin())

    expect((await finish({ ...answer, code: 'wrong' })).status).toBe(401)
    expect((await finish(answer)).status).toBe(401)
  })

  it('refuses a state that is not ours, or another provider’s', async () => {
    const { code, state } = await redirected(await begin())

    expect((await finish({ code, state: 'x' })).body.error.code).toBe('UNAUTHORIZED')
    expect((await finish({ code, state: `${state}x` })).status).toBe(401)
    expect((await finish({ code, state }, anybody(), 'liar')).status).toBe(401)
    expect((await finish({ code })).status).toBe(400)
    expect((await finish({ code, state, more: 1 })).status).toBe(400)
  })

  it('is finished only by the browser that began it, which has a cookie to show', async () => {
    corp.logsInAs = somebody()
    const begun = await begin(anybody(), 'corp', browser)
    const cookie = cookieOf(begun)
    expect(begun.headers.get('set-cookie')).toMatch(
      /^skyclust-login=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/,
    )
    const answer = await redirected(begun)

    expect((await finish(answer, anybody(), 'corp', browser)).status).toBe(401)
    expect((await finish(answer)).status).toBe(401)
    expect(
      (await finish(answer, anybody(), 'corp', { ...browser, cookie: `skyclust-login=${'x'.repeat(43)}` })).status,
    ).toBe(401)
    expect((await finish(answer, anybody(), 'corp', { ...browser, ...cookie })).status).toBe(200)
  })

  it('cannot be planted in a browser by a program that began it', async () => {
    corp.logsInAs = somebody()
    const begun = await begin(anybody(), 'corp', browser)
    const planted = await redirected(await begin())

    expect((await finish(planted, anybody(), 'corp', { ...browser, ...cookieOf(begun) })).status).toBe(401)
    expect((await finish(planted, anybody(), 'corp', { origin: installation.url })).status).toBe(401)
  })

  it('links the identity to a caller with a token, and to nobody else', async () => {
    const [alice, bob] = await Promise.all(['Alice', 'Bob'].map((name) => installation.newcomer(name)))
    if (!alice || !bob) throw new Error('nobody came')
    corp.logsInAs = somebody()
    const linked = await logIn(alice)

    expect(linked.body.data).toMatchObject({ token: alice.token, user: { id: alice.id } })
    expect((await logIn()).body.data.user.id).toBe(alice.id)
    expect((await logIn(alice)).status).toBe(200)
    expect((await logIn(bob)).body.error.code).toBe('CONFLICT')
  })

  it('keeps what one caller began from another, and from nobody in particular', async () => {
    const [alice, bob] = await Promise.all(['Alice', 'Bob'].map((name) => installation.newcomer(name)))
    if (!alice || !bob) throw new Error('nobody came')
    corp.logsInAs = somebody()
    const begunByAlice = await redirected(await begin(alice))
    const begunByNobody = await redirected(await begin())

    expect((await finish(begunByAlice, bob)).status).toBe(401)
    expect((await finish(begunByAlice)).status).toBe(401)
    expect((await finish(begunByNobody, alice)).status).toBe(401)
    expect((await finish(begunByAlice, alice)).status).toBe(200)
  })

  it('never takes over the user who has the e-mail address', async () => {
    const alice = await installation.newcomer('Alice')
    corp.logsInAs = { ...somebody(), email: alice.email.toUpperCase() }

    expect((await logIn()).body.error.code).toBe('CONFLICT')
    expect((await logIn(alice)).status).toBe(200)
    expect((await logIn()).body.data.user.id).toBe(alice.id)
  })

  it('refuses a bad token instead of taking it for none', async () => {
    const stranger = rest(installation.url, { authorization: 'Bearer nonsense' })

    expect((await begin(stranger)).status).toBe(401)
    expect((await finish({ code: 'a', state: 'b' }, stranger)).status).toBe(401)
  })

  it('shuts out a disabled user', async () => {
    corp.logsInAs = somebody()
    const { id } = (await logIn()).body.data.user
    const users = JSON.parse(await installation.cluster.kubectl('get', 'users', '-o', 'json'))
    const { name } = users.items.find((user: { metadata: { uid: string } }) => user.metadata.uid === id).metadata
    await installation.cluster.kubectl('patch', 'user', name, '--type=merge', '-p', '{"spec":{"disabled":true}}')

    expect((await logIn()).body.error.code).toBe('FORBIDDEN')
  })

  it('believes a liar in nothing', async () => {
    const lies = [{ sign: 'badly' }, { claims: (claims: object) => ({ ...claims, nonce: 'x' }) }] as const
    for (const lie of lies) {
      liar.does = lie
      const begun = await begin(anybody(), 'liar')
      const answer = await finish(liar.authorize(begun.body.data.auth_url), anybody(), 'liar')
      expect(answer.body.error.code).toBe('UNAUTHORIZED')
    }
    liar.does = { codes: 'again and again' }
    const begun = await begin(anybody(), 'liar')
    const once = liar.authorize(begun.body.data.auth_url)
    expect((await finish(once, anybody(), 'liar')).status).toBe(200)
    const again = (await begin(anybody(), 'liar')).body.data.state
    expect((await finish({ ...once, state: again }, anybody(), 'liar')).status).toBe(401)
  })

  it('leaves no secret in a log, the audit log, or the cluster', async () => {
    corp.logsInAs = somebody()
    const begun = await begin()
    const answer = await redirected(begun)
    const { token } = (await finish(answer)).body.data
    const objects = await installation.cluster.kubectl('get', 'secrets,sessions,users', '-A', '-o', 'json')
    const audit = await readFile(installation.auditFile, 'utf8')
    const logs = installation.facades.flatMap(({ lines }) => lines).join('\n')

    expect(audit).toContain('/api/v1/oidc/corp/callback')
    for (const secret of [answer.code, answer.state, token, CLIENT_SECRET, encodeURIComponent(CLIENT_SECRET)]) {
      expect(logs).not.toContain(secret)
      expect(objects).not.toContain(secret)
      expect(audit).not.toContain(secret)
    }
  })
})
