/** What the contract says of every route, and where the commissioned page is silent. */
import { expect, it } from 'vitest'
import { failure, invalid, NOBODY } from '../forms.ts'
import { person, rest } from '../rest.ts'
import type { Subject } from '../subject.ts'
import { made, makeTeam, makeWorkspace } from './team.ts'

export function languageRows(installation: () => Subject): void {
  /** Every message of the contract, asked for in one language. */
  async function messages(headers: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const { owner, workspace, credential, makeVm } = await makeTeam(installation())
    const lee = await installation().newcomer('Lee')
    const vm = await made(makeVm())
    const speaking = owner.at(installation().url, headers)
    const said: Record<string, string> = {}
    const ask = async (method: string, path: string, body?: object) => {
      const answer = await speaking.call(method, `/api/v1/${path}`, body ? { body } : {})
      said[`${method} ${path.replaceAll(/[0-9a-f-]{36}/g, ':id')}`] = answer.body.message
      expect(answer.body).toEqual({ success: true, message: expect.any(String) })
      expect(answer.headers.get('content-language')).toBe(headers['accept-language'] ?? 'ko')
    }
    await ask('POST', `vms/${vm}/start`)
    await ask('POST', `vms/${vm}/stop`)
    await ask('DELETE', `vms/${vm}`)
    await ask('POST', `workspaces/${workspace}/members`, { user_id: lee.id, role: 'member' })
    await ask('DELETE', `workspaces/${workspace}/members/${lee.id}`)
    const unused = await made(
      owner.post('/api/v1/credentials', {
        body: { workspace_id: workspace, provider: 'aws', credentials: { access_key: 'a', secret_key: 's' } },
      }),
    )
    expect(unused).not.toBe(credential)
    await ask('DELETE', `credentials/${unused}`)
    await ask('DELETE', `workspaces/${workspace}`)
    const again = (await person(installation().url, owner)).at(installation().url, headers)
    said['POST auth/logout'] = (await again.post('/api/v1/auth/logout')).body.message
    const leaving = lee.at(installation().url, headers)
    said['DELETE users/:id'] = (await leaving.delete(`/api/v1/users/${lee.id}`)).body.message
    return said
  }

  it('messages are Korean by default, to the letter', async () => {
    expect(await messages({})).toEqual({
      'POST auth/logout': '로그아웃되었습니다.',
      'DELETE users/:id': '사용자가 삭제되었습니다.',
      'DELETE workspaces/:id': '워크스페이스가 삭제되었습니다.',
      'POST workspaces/:id/members': '멤버가 추가되었습니다.',
      'DELETE workspaces/:id/members/:id': '멤버가 제거되었습니다.',
      'DELETE credentials/:id': '자격증명이 삭제되었습니다.',
      'POST vms/:id/start': 'VM이 시작되었습니다.',
      'POST vms/:id/stop': 'VM이 중지되었습니다.',
      'DELETE vms/:id': 'VM이 삭제되었습니다.',
    })
  })

  it('Accept-Language: en gets English, to the letter', async () => {
    expect(await messages({ 'accept-language': 'en' })).toEqual({
      'POST auth/logout': 'Logged out.',
      'DELETE users/:id': 'User deleted.',
      'DELETE workspaces/:id': 'Workspace deleted.',
      'POST workspaces/:id/members': 'Member added.',
      'DELETE workspaces/:id/members/:id': 'Member removed.',
      'DELETE credentials/:id': 'Credential deleted.',
      'POST vms/:id/start': 'VM started.',
      'POST vms/:id/stop': 'VM stopped.',
      'DELETE vms/:id': 'VM deleted.',
    })
  })

  it('errors too, by ordinary content negotiation', async () => {
    const kim = await installation().newcomer('Kim')
    const english = 'There is no such resource.'
    const korean = '리소스를 찾을 수 없습니다.'
    const wishes = [
      ['en', english],
      ['en-GB, en;q=0.9', english],
      ['ko', korean],
      ['ko;q=0.5, en;q=0.6', english],
      ['en;q=0.5, ko', korean],
      ['de, fr', korean],
      ['de, en;q=0.1', english],
      ['*', korean],
      ['nonsense;;;q=', korean],
    ] as const

    for (const [wish, said] of wishes) {
      const headers = { 'accept-language': wish }
      const answer = await kim.get(`/api/v1/vms/${NOBODY}`, { headers })
      expect(answer.body).toEqual(failure('NOT_FOUND', said))
      expect(answer.headers.get('vary')).toContain('Accept-Language')
    }
    const bad = await kim.put('/api/v1/users/me', { body: { name: '' }, headers: { 'accept-language': 'en' } })
    expect(bad.body.error.details.fields).toEqual({ name: 'must not be empty' })
  })
}

export function conventionRows(installation: () => Subject): void {
  const anonymous = () => rest(installation().url)

  it('JSON comes out as UTF-8, with a request id, and is not to be cached', async () => {
    const kim = await installation().newcomer('Kim')
    await kim.put('/api/v1/users/me', { body: { name: '김민지' } })
    const answer = await kim.get('/api/v1/users/me')

    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect(answer.body.data.name).toBe('김민지')
    const headers = { 'x-request-id': 'mine.1' }
    expect((await kim.get('/api/v1/users/me', { headers })).headers.get('x-request-id')).toBe('mine.1')
    for (const insane of ['a b', 'x'.repeat(65), '{"a":1}']) {
      const odd = await kim.get('/api/v1/users/me', { headers: { 'x-request-id': insane } })
      expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  it('every route needs a token, but registering, logging in and the two of OIDC', async () => {
    for (const path of ['users/me', 'workspaces', 'vms', 'credentials', 'providers', 'audit', 'nothing']) {
      const answer = await anonymous().get(`/api/v1/${path}`)
      expect(answer.status).toBe(401)
      expect(answer.body).toEqual(failure('UNAUTHORIZED'))
    }
    expect((await anonymous().post('/api/v1/auth/register', { body: {} })).status).toBe(400)
    expect((await anonymous().post('/api/v1/auth/login', { body: {} })).status).toBe(400)
  })

  it('a 201 says in Location where that is to be found, and an id is one in either case', async () => {
    const { owner, workspace, makeVm } = await makeTeam(installation())
    const credentials = { access_key: 'a', secret_key: 's' }
    const answers = [
      await owner.post('/api/v1/workspaces', { body: { name: 'Another' } }),
      await owner.post('/api/v1/credentials', { body: { workspace_id: workspace, provider: 'aws', credentials } }),
      await makeVm(),
      await owner.post('/api/v1/iac/plan', { body: { workspace_id: workspace, config: 'output "a" { value = 1 }' } }),
    ]
    for (const { status, headers, body } of answers) {
      const location = headers.get('location') ?? 'none'
      expect([status, location]).toEqual([201, expect.stringMatching(new RegExp(`^/api/v1/.*/${body.data.id}$`))])
      expect((await owner.get(location)).body.data.id).toBe(body.data.id)
      const shouted = location.replace(body.data.id, body.data.id.toUpperCase())
      expect((await owner.get(shouted)).body.data.id).toBe(body.data.id)
    }
    const vms = await owner.get(`/api/v1/vms?workspace_id=${workspace.toUpperCase()}`)
    expect(vms.body.data).toHaveLength(1)
  })

  it('a path that is none → 404; another method → 405 with Allow; OPTIONS says the same', async () => {
    const kim = await installation().newcomer('Kim')
    const cases = [
      ['/api/v1/workspaces', 'GET, HEAD, OPTIONS, POST'],
      [`/api/v1/vms/${NOBODY}`, 'DELETE, GET, HEAD, OPTIONS, PATCH'],
      [`/api/v1/users/${NOBODY}`, 'DELETE, GET, HEAD, OPTIONS, PATCH, PUT'],
      [`/api/v1/vms/${NOBODY}/start`, 'OPTIONS, POST'],
      ['/api/v1/auth/login', 'OPTIONS, POST'],
    ] as const

    for (const [path, allow] of cases) {
      for (const method of ['PURGE', 'LOCK']) {
        const answer = await kim.call(method, path)
        expect(answer.status).toBe(405)
        expect(answer.headers.get('allow')).toBe(allow)
        expect(answer.body).toEqual(failure('METHOD_NOT_ALLOWED', expect.stringContaining(allow)))
      }
      const options = await kim.call('OPTIONS', path)
      expect([options.status, options.headers.get('allow'), options.text]).toEqual([204, allow, ''])
    }
    expect((await kim.put('/api/v1/workspaces', { body: { name: 'x' } })).status).toBe(405)
    expect((await anonymous().post('/health')).status).toBe(405)
    expect((await kim.get('/api/v1/nothing')).body).toEqual(failure('NOT_FOUND', '해당 경로가 없습니다.'))
    expect((await kim.get('/api/v2/vms')).status).toBe(404)
  })

  it('HEAD is GET without a body', async () => {
    const kim = await installation().newcomer('Kim')
    await makeWorkspace(kim)
    for (const path of ['/api/v1/users/me', '/api/v1/workspaces', '/health']) {
      const [head, get] = [await kim.call('HEAD', path), await kim.get(path)]
      expect(head.status).toBe(200)
      expect(head.text).toBe('')
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'))
      expect(head.headers.get('x-total-count')).toBe(get.headers.get('x-total-count'))
      expect(head.headers.get('etag')).toBe(get.headers.get('etag'))
    }
    expect((await kim.call('HEAD', `/api/v1/vms/${NOBODY}`)).status).toBe(404)
  })

  it('bodies above 1 MiB → 413, on routes that take none as well', async () => {
    const kim = await installation().newcomer('Kim')
    const large = JSON.stringify({ name: 'x'.repeat(1_048_576) })
    const answers = [
      await kim.post('/api/v1/workspaces', { raw: large }),
      await anonymous().post('/api/v1/auth/login', { raw: large }),
      await kim.post('/api/v1/auth/logout', { raw: large }),
    ]

    for (const answer of answers) {
      expect(answer.status).toBe(413)
      expect(answer.body).toEqual(failure('PAYLOAD_TOO_LARGE'))
    }
    const justFits = `{"name":"fits"${' '.repeat(1_048_576 - 15)}}`
    expect((await kim.post('/api/v1/workspaces', { raw: justFits })).status).toBe(201)
  })

  it('another content type → 415', async () => {
    const kim = await installation().newcomer('Kim')
    const raw = '{"name":"x"}'
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=latin1', '']) {
      const answer = await kim.post('/api/v1/workspaces', { raw, headers: { 'content-type': type } })
      expect(answer.status).toBe(415)
      expect(answer.body).toEqual(failure('UNSUPPORTED_MEDIA_TYPE'))
    }
    for (const type of ['application/json', 'application/json; charset=UTF-8', 'Application/JSON;charset="utf-8"']) {
      expect((await kim.post('/api/v1/workspaces', { raw, headers: { 'content-type': type } })).status).toBe(201)
    }
  })

  it('a body that is no JSON, no UTF-8, nested too deep, or none → 400, without repeating it', async () => {
    const kim = await installation().newcomer('Kim')
    const bad = ['{"name": hunter2', '', 'null', '[]', '"hunter2"', '['.repeat(100_000), '{"a":'.repeat(50_000)]
    for (const raw of [...bad, Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])]) {
      const answer = await kim.post('/api/v1/workspaces', { raw })
      expect(answer.status).toBe(400)
      expect(answer.body).toEqual(invalid('body'))
      expect(answer.text).not.toContain('hunter2')
    }
    const lone = await kim.post('/api/v1/workspaces', { raw: '{"name":"\\ud800"}' })
    expect(lone.body).toEqual(invalid('name'))
    const polluting = await kim.post('/api/v1/workspaces', { raw: '{"name":"x","__proto__":{"admin":true}}' })
    expect(polluting.status).toBe(400)
  })

  it('a viewer reads everything; a member also makes VMs; an admin also edits the workspace; the owner also deletes it', async () => {
    const { owner, workspace, credential, makeVm } = await makeTeam(installation())
    const vm = await made(makeVm())
    const guest = await installation().newcomer('Lee')
    const may = async (role: string) => {
      await owner.post(`/api/v1/workspaces/${workspace}/members`, { body: { user_id: guest.id, role } })
      const answers = {
        read: await guest.get(`/api/v1/vms/${vm}`),
        readCredential: await guest.get(`/api/v1/credentials/${credential}`),
        stop: await guest.post(`/api/v1/vms/${vm}/stop`),
        edit: await guest.put(`/api/v1/workspaces/${workspace}`, { body: { description: role } }),
        remove: await guest.delete(`/api/v1/workspaces/${workspace}`),
      }
      return Object.fromEntries(Object.entries(answers).map(([what, { status }]) => [what, status]))
    }

    const reads = { read: 200, readCredential: 200 }
    expect(await may('viewer')).toEqual({ ...reads, stop: 403, edit: 403, remove: 403 })
    expect(await may('member')).toEqual({ ...reads, stop: 200, edit: 403, remove: 403 })
    expect(await may('admin')).toEqual({ ...reads, stop: 200, edit: 200, remove: 403 })
    expect((await owner.delete(`/api/v1/workspaces/${workspace}`)).status).toBe(200)
  })

  it('the owner hands the workspace over', async () => {
    const { owner, workspace } = await makeTeam(installation())
    const guest = await installation().newcomer('Lee')
    await owner.post(`/api/v1/workspaces/${workspace}/members`, { body: { user_id: guest.id, role: 'admin' } })
    const path = `/api/v1/workspaces/${workspace}`

    expect((await guest.patch(path, { body: { owner_id: guest.id } })).status).toBe(403)
    expect((await owner.patch(path, { body: { owner_id: NOBODY } })).status).toBe(404)
    const stranger = await installation().newcomer('Park')
    expect((await owner.patch(path, { body: { owner_id: stranger.id } })).status).toBe(409)
    expect((await owner.patch(path, { body: { owner_id: guest.id } })).status).toBe(200)
    expect((await guest.get(path)).body.data.owner_id).toBe(guest.id)
    expect((await owner.patch(path, { body: { description: 'still an admin' } })).status).toBe(200)
    expect((await owner.delete(path)).status).toBe(403)
    expect((await owner.delete('/api/v1/users/me')).status).toBe(200)
  })
}
