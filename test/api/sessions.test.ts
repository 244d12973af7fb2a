import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { type Answer, type Person, type Rest, rest, until } from '../contract/rest.ts'

let installation: Installation
let elsewhere: string
let alice: Person
beforeAll(async () => {
  installation = await startInstallation({ replicas: 2 })
  elsewhere = installation.urls[1] ?? ''
  alice = await installation.newcomer('Alice')
})
afterAll(() => installation[Symbol.asyncDispose]())

const bearer = (token: string, url = installation.url) => rest(url, { authorization: `Bearer ${token}` })

async function logIn(who: Person): Promise<Rest & { readonly token: string }> {
  const answer = await rest(installation.url).post('/api/v1/auth/login', {
    body: { email: who.email, password: who.password },
  })
  return { ...bearer(answer.body.data.token), token: answer.body.data.token }
}

async function tokenOf(who: Rest, more: object = {}, headers = {}): Promise<Answer> {
  return who.post('/api/v1/auth/tokens', { body: { name: 'ci', ...more }, headers })
}

async function workspaceOf(who: Rest, name: string): Promise<string> {
  return (await who.post('/api/v1/workspaces', { body: { name } })).body.data.id
}

const gone = (answer: Answer) => answer.status === 401

describe('sessions', () => {
  it('are listed, this one marked', async () => {
    const again = await logIn(alice)
    const listed = await again.get('/api/v1/auth/sessions')

    expect(listed.headers.get('x-total-count')).toBe(String(listed.body.data.length))
    expect(listed.body.data.filter((session: { current: boolean }) => session.current)).toHaveLength(1)
    for (const session of listed.body.data) {
      expect(session).toMatchObject({
        kind: 'login',
        name: '',
        scope: ['read', 'write'],
        workspace_id: '',
        user_agent: 'node',
        source_ip: '127.0.0.1',
      })
      const shown = await alice.get(`/api/v1/auth/sessions/${session.id}`)
      expect(shown.body.data).toEqual({ ...session, current: !session.current })
    }
  })

  it('end one by one, on every replica, and only one’s own', async () => {
    const bob = await installation.newcomer('Bob')
    const other = await logIn(alice)
    const sessions = (await other.get('/api/v1/auth/sessions')).body.data
    const { id } = sessions.find((session: { current: boolean }) => session.current)

    expect((await bob.delete(`/api/v1/auth/sessions/${id}`)).status).toBe(404)
    expect((await bob.get(`/api/v1/auth/sessions/${id}`)).status).toBe(404)
    expect((await alice.delete(`/api/v1/auth/sessions/${id}`)).status).toBe(200)
    expect((await other.get('/api/v1/users/me')).status).toBe(401)
    await until(() => bearer(other.token, elsewhere).get('/api/v1/users/me'), gone, 10_000)
    expect((await alice.delete(`/api/v1/auth/sessions/${id}`)).status).toBe(404)
    expect((await alice.get('/api/v1/users/me')).status).toBe(200)
  })

  it('end all at once, but the one that asks', async () => {
    const carol = await installation.newcomer('Carol')
    const others = await Promise.all([logIn(carol), logIn(carol)])
    const { token } = (await tokenOf(carol)).body.data

    expect((await carol.delete('/api/v1/auth/sessions')).status).toBe(200)
    for (const ended of [...others.map((one) => one.token), token]) {
      expect((await bearer(ended).get('/api/v1/users/me')).status).toBe(401)
      await until(() => bearer(ended, elsewhere).get('/api/v1/users/me'), gone, 10_000)
    }
    expect((await carol.get('/api/v1/auth/sessions')).body.data).toHaveLength(1)
  })
})

describe('API tokens', () => {
  it('are shown once, and say what they are', async () => {
    const end = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z/, 'Z')
    const made = await tokenOf(alice, { name: 'deploy', scope: ['write'], expires_at: end })

    expect(made.status).toBe(201)
    expect(made.body.data).toMatchObject({ kind: 'token', name: 'deploy', scope: ['read', 'write'], expires_at: end })
    const listed = await alice.get('/api/v1/auth/sessions?kind=token')
    expect(listed.body.data.map((session: { id: string }) => session.id)).toContain(made.body.data.id)
    expect(listed.text).not.toContain(made.body.data.token)
    const kept = await installation.cluster.kubectl('get', 'sessions', '-A', '-o', 'yaml')
    expect(kept).not.toContain(made.body.data.token)
  })

  it('read and change nothing, unless they were made to write', async () => {
    const id = await workspaceOf(alice, 'Scopes')
    const reader = bearer((await tokenOf(alice)).body.data.token)
    const writer = bearer((await tokenOf(alice, { scope: ['read', 'write'] })).body.data.token)

    expect((await reader.get(`/api/v1/workspaces/${id}`)).status).toBe(200)
    expect((await reader.put(`/api/v1/workspaces/${id}`, { body: { name: 'No' } })).body.error.code).toBe('FORBIDDEN')
    expect((await writer.put(`/api/v1/workspaces/${id}`, { body: { name: 'Yes' } })).status).toBe(200)
  })

  it('of one workspace see that one alone; the others do not exist for them', async () => {
    const [one, other] = [await workspaceOf(alice, 'One'), await workspaceOf(alice, 'Other')]
    const made = await tokenOf(alice, { workspace_id: one, scope: ['write'] })
    const limited = bearer(made.body.data.token)

    expect(made.body.data.workspace_id).toBe(one)
    expect((await limited.get('/api/v1/workspaces')).body.data.map(({ id }: { id: string }) => id)).toEqual([one])
    const never = await limited.get('/api/v1/workspaces/00000000-0000-4000-8000-000000000000')
    expect(await limited.get(`/api/v1/workspaces/${other}`)).toMatchObject({ status: 404, text: never.text })
    expect((await limited.put(`/api/v1/workspaces/${other}`, { body: { name: 'No' } })).status).toBe(404)
    expect((await limited.get(`/api/v1/vms?workspace_id=${other}`)).status).toBe(404)
    expect((await limited.put(`/api/v1/workspaces/${one}`, { body: { name: 'Yes' } })).status).toBe(200)
    expect((await limited.post('/api/v1/workspaces', { body: { name: 'No' } })).status).toBe(403)
  })

  it('cannot stay: they make and end no sessions, and change no account', async () => {
    const found = bearer((await tokenOf(alice, { scope: ['write'] })).body.data.token)
    const refused = await Promise.all([
      tokenOf(found),
      found.get('/api/v1/auth/sessions'),
      found.delete('/api/v1/auth/sessions'),
      found.put('/api/v1/users/me', { body: { email: 'mallory@example.com' } }),
      found.put('/api/v1/users/me', { body: { password: 'new password', current_password: alice.password } }),
      found.delete('/api/v1/users/me'),
    ])

    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 403))
    expect((await found.post('/api/v1/auth/logout')).status).toBe(200)
    expect((await found.get('/api/v1/users/me')).status).toBe(401)
  })

  it('of an administrator administer, unless they are held to one workspace', async () => {
    const admin = await installation.admin()
    const whole = bearer((await tokenOf(admin)).body.data.token)
    const limited = bearer((await tokenOf(admin, { workspace_id: await workspaceOf(admin, 'Mine') })).body.data.token)

    expect((await whole.get('/debug/config')).status).toBe(200)
    expect((await limited.get('/debug/config')).status).toBe(403)
    expect((await limited.get('/api/v1/users')).status).toBe(403)
    expect((await limited.get('/api/v1/audit')).status).toBe(403)
  })

  it('end when they were told to, at the latest after a year', async () => {
    const ends = [new Date(Date.now() - 1_000), new Date(Date.now() + 400 * 86_400_000)]
    for (const end of ends) {
      const answer = await tokenOf(alice, { expires_at: end.toISOString() })
      expect(answer.status).toBe(400)
      expect(answer.body.error.details.fields).toHaveProperty('expires_at')
    }
    const soon = await tokenOf(alice, { expires_at: new Date(Date.now() + 10_000).toISOString() })
    const short = bearer(soon.body.data.token)
    expect((await short.get('/api/v1/users/me')).status).toBe(200)
    await until(() => short.get('/api/v1/users/me'), gone, 60_000)
  })

  it('are made once for one Idempotency-Key, on whichever replica, and are the same token', async () => {
    const headers = { 'idempotency-key': crypto.randomUUID() }
    const answers = await Promise.all([tokenOf(alice, {}, headers), tokenOf(alice.at(elsewhere), {}, headers)])
    const again = await tokenOf(alice.at(elsewhere), {}, headers)

    expect(new Set([...answers, again].map(({ body }) => body.data.id)).size).toBe(1)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect((await bearer(again.body.data.token).get('/api/v1/users/me')).status).toBe(200)
    expect((await tokenOf(alice, { name: 'other' }, headers)).status).toBe(409)
  })
})
