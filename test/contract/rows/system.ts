import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { anId, aText, aTime, failure, invalid, NOBODY } from '../forms.ts'
import { rest, until } from '../rest.ts'
import type { Subject } from '../subject.ts'
import { makeWorkspace } from './team.ts'

export function systemRows(installation: () => Subject): void {
  it('GET /health → 200 {status, timestamp, version}, no envelope, no token; the version is the program’s own', async () => {
    const manifest = await readFile(join(import.meta.dirname, '../../../package.json'), 'utf8')
    const answer = await rest(installation().url).get('/health')

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ status: 'healthy', timestamp: aTime, version: JSON.parse(manifest).version })
  })

  it('GET /debug/config → 200, the configuration in force without secrets, for administrators', async () => {
    const { cluster, admin, newcomer, url } = installation()
    const answer = await (await admin()).get('/debug/config')

    expect(answer.status).toBe(200)
    expect(answer.body.data).toMatchObject({
      database: { host: cluster.server.hostname, port: Number(cluster.server.port), name: 'kubernetes' },
      redis: null,
      locale: 'ko',
      token_ttl: 86_400_000,
    })
    for (const name of Object.keys(answer.body.data)) expect(name).toMatch(/^[a-z0-9]+(_[a-z0-9]+)*$/)
    expect(answer.text).not.toContain('correct horse battery')
    expect((await (await newcomer('Kim')).get('/debug/config')).body).toEqual(failure('FORBIDDEN'))
    expect((await rest(url).get('/debug/config')).status).toBe(401)
  })

  it('GET /openapi.json is OpenAPI 3.1, and /docs a page that needs no other host', async () => {
    const { url } = installation()
    const document = await rest(url).get('/openapi.json')
    const page = await fetch(`${url}/docs`)
    const html = await page.text()

    expect(document.body.openapi).toBe('3.1.0')
    expect(Object.keys(document.body.paths)).toEqual(
      expect.arrayContaining(['/health', '/api/v1/vms/{id}', '/api/v1/workspaces/{id}/members/{userID}']),
    )
    expect(page.headers.get('content-type')).toMatch(/^text\/html/)
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'/)
    expect(html.match(/https?:\/\//g)).toBeNull()
  })

  it('GET /.well-known/jwks.json has public keys, and nothing private', async () => {
    const { body, text } = await rest(installation().url).get('/.well-known/jwks.json')

    expect(body.keys.length).toBeGreaterThan(0)
    for (const key of body.keys) {
      expect(key).toEqual({
        kty: 'EC',
        crv: 'P-256',
        x: aText,
        y: aText,
        kid: aText,
        alg: 'ES256',
        use: 'sig',
      })
    }
    expect(text).not.toContain('"d"')
  })
}

export function auditRows(installation: () => Subject): void {
  it('GET audit → 200 [{id, timestamp, user_id, source_ip, method, path, status, object, duration_ms, request_id}], newest first', async () => {
    const kim = await installation().newcomer('Kim')
    const admin = await installation().admin()
    const workspace = await makeWorkspace(kim)
    await kim.get(`/api/v1/workspaces/${workspace}`, { headers: { 'x-request-id': 'this-very-request' } })
    await kim.get(`/api/v1/workspaces/${NOBODY}`)
    const answer = await admin.get(`/api/v1/audit?user_id=${kim.id}`)

    expect(answer.status).toBe(200)
    expect(answer.body.data).toHaveLength(3)
    const [missing, read, made] = answer.body.data
    expect(read).toEqual({
      id: anId,
      timestamp: aTime,
      user_id: kim.id,
      source_ip: '127.0.0.1',
      method: 'GET',
      path: `/api/v1/workspaces/${workspace}`,
      status: 200,
      object: `workspaces/${workspace}`,
      duration_ms: expect.any(Number),
      request_id: 'this-very-request',
    })
    expect(missing).toMatchObject({ method: 'GET', status: 404, object: '' })
    expect(made).toMatchObject({ method: 'POST', path: '/api/v1/workspaces', status: 201 })
    expect(answer.headers.get('x-total-count')).toBe('3')
  })

  it('filters by method, status, path and time, and takes limit and offset; anything else → 400', async () => {
    const kim = await installation().newcomer('Kim')
    const admin = await installation().admin()
    const mine = (query: string) => admin.get(`/api/v1/audit?user_id=${kim.id}&${query}`)
    await kim.get('/api/v1/users/me')
    await kim.put('/api/v1/users/me', { body: { name: 'Kim Minji' } })
    await kim.put('/api/v1/users/me', { body: {} })
    const all = (await mine('limit=10')).body.data

    expect((await mine('method=put')).body.data).toEqual(all.slice(0, 2))
    expect((await mine('status=400')).body.data).toEqual([all[0]])
    expect((await mine('path=/api/v1/users')).body.data).toEqual(all)
    expect((await mine('path=/api/v1/vms')).body.data).toEqual([])
    expect((await mine('limit=1&offset=1')).body.data).toEqual([all[1]])
    const hour = (offset: number) => new Date(Date.now() + offset * 3_600_000).toISOString()
    expect((await mine(`since=${hour(-1)}&until=${hour(1)}`)).body.data).toEqual(all)
    expect((await mine(`since=${hour(1)}`)).body.data).toEqual([])
    expect((await mine(`until=${hour(-1)}`)).body.data).toEqual([])
    expect((await mine('since=yesterday')).body).toEqual(invalid('since'))
    expect((await mine('status=ok')).body).toEqual(invalid('status'))
    expect((await mine('colour=red')).body).toEqual(invalid('colour'))
  })

  it('is for administrators, and has what was refused, malformed or of nobody', async () => {
    const { newcomer, url } = installation()
    const kim = await newcomer('Kim')
    const admin = await installation().admin()
    const request_id = `refused-${crypto.randomUUID()}`
    const headers = { 'x-request-id': request_id }
    expect((await kim.get('/api/v1/audit', { headers })).body).toEqual(failure('FORBIDDEN'))
    await rest(url).get('/api/v1/users/me', { headers })
    await rest(url).post('/api/v1/auth/login', { raw: '{"email": "a@b.co", "pass', headers })
    await rest(url).post('/api/v1/auth/login', { body: { email: 'a@b.co', password: 'hunter2' }, headers })
    await kim.call('PURGE', '/api/v1/vms', { headers })

    const recorded = await until(
      () => admin.get('/api/v1/audit?limit=100'),
      ({ body }) => body.data.filter((entry: { request_id: string }) => entry.request_id === request_id).length === 5,
    )
    const statuses = recorded.body.data
      .filter((entry: { request_id: string }) => entry.request_id === request_id)
      .map(({ status, user_id }: { status: number; user_id: string }) => [status, user_id])
    expect(statuses).toEqual([
      [405, kim.id],
      [401, ''],
      [400, ''],
      [401, ''],
      [403, kim.id],
    ])
    expect(await readFile(installation().auditFile, 'utf8')).not.toContain('hunter2')
  })
}
