import { expect, it } from 'vitest'
import { anId, aTime, failure, invalid, NOBODY } from '../forms.ts'
import type { Subject } from '../subject.ts'
import { makeWorkspace } from './team.ts'

export function workspaceRows(installation: () => Subject): void {
  it('POST workspaces {name, description?} → 201 {id, name, description, owner_id, created_at}', async () => {
    const kim = await installation().newcomer('Kim')
    const answer = await kim.post('/api/v1/workspaces', { body: { name: '팀 A', description: 'line 1\nline 2' } })

    expect(answer.status).toBe(201)
    expect(answer.body).toMatchObject({
      success: true,
      data: { id: anId, name: '팀 A', description: 'line 1\nline 2', owner_id: kim.id, created_at: aTime },
    })
    const bare = await kim.post('/api/v1/workspaces', { body: { name: '팀 A' } })
    expect(bare.body.data).toMatchObject({ name: '팀 A', description: '' })
    expect(bare.body.data.id).not.toBe(answer.body.data.id)
  })

  it.each(['Kube', 'kube-system', 'default', 'skyclust-system', '-', '42', '🚀'])(
    'POST workspaces: a name is a title, whatever Kubernetes makes of it: %s',
    async (name) => {
      const kim = await installation().newcomer('Kim')
      const answer = await kim.post('/api/v1/workspaces', { body: { name } })

      expect(answer.status).toBe(201)
      expect(answer.body.data.name).toBe(name)
    },
  )

  it('GET workspaces/:id → 200, the same shape', async () => {
    const kim = await installation().newcomer('Kim')
    const made = await kim.post('/api/v1/workspaces', { body: { name: 'team', description: 'ours' } })
    const answer = await kim.get(`/api/v1/workspaces/${made.body.data.id}`)

    expect(answer.status).toBe(200)
    expect(answer.body.data).toMatchObject({
      id: made.body.data.id,
      name: 'team',
      description: 'ours',
      owner_id: kim.id,
    })
  })

  it('GET workspaces → 200 [ … ], the caller’s, oldest first, with a total and pages', async () => {
    const kim = await installation().newcomer('Kim')
    const ids: string[] = []
    for (const name of ['one', 'two', 'three']) ids.push(await makeWorkspace(kim, name))
    const answer = await kim.get('/api/v1/workspaces')

    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-total-count')).toBe('3')
    const created = answer.body.data.map((one: { created_at: string; id: string }) => [one.created_at, one.id])
    expect(created).toEqual(created.toSorted())
    expect(new Set(answer.body.data.map((one: { id: string }) => one.id))).toEqual(new Set(ids))
    const page = await kim.get('/api/v1/workspaces?limit=1&offset=1')
    expect(page.body.data).toEqual([answer.body.data[1]])
    expect(page.headers.get('x-total-count')).toBe('3')
    expect((await kim.get('/api/v1/workspaces?offset=3')).body.data).toEqual([])
  })

  it('limit 1 to 1000, offset from 0; anything else → 400', async () => {
    const kim = await installation().newcomer('Kim')
    for (const limit of ['0', '1001', '-1', 'ten', '', '1.5', '1e2', '99999999999999999999']) {
      const answer = await kim.get(`/api/v1/workspaces?limit=${limit}`)
      expect(answer.status).toBe(400)
      expect(answer.body).toEqual(invalid('limit'))
      if (limit === 'ten') expect(answer.body.error.details.fields.limit).toBe('0 이상의 정수여야 합니다.')
    }
    expect((await kim.get('/api/v1/workspaces?offset=-1')).body).toEqual(invalid('offset'))
    expect((await kim.get('/api/v1/workspaces?limit=1&limit=2')).body).toEqual(invalid('limit'))
    expect((await kim.get('/api/v1/workspaces?limit=1000&offset=0')).status).toBe(200)
    expect((await kim.get('/api/v1/workspaces?pages=2')).body).toEqual(invalid('pages'))
  })

  it('PUT workspaces/:id {name?, description?} → 200 {id, name, description, updated_at}', async () => {
    const kim = await installation().newcomer('Kim')
    const id = await makeWorkspace(kim)
    const answer = await kim.put(`/api/v1/workspaces/${id}`, { body: { description: 'new words' } })

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      success: true,
      data: { id, name: 'team', description: 'new words', updated_at: aTime },
    })
    expect((await kim.put(`/api/v1/workspaces/${id}`, { body: {} })).body).toEqual(invalid('body'))
    expect((await kim.get(`/api/v1/workspaces/${id}`)).body.data.description).toBe('new words')
  })

  it('POST workspaces/:id/members {user_id, role} → 200 message, again sets the role', async () => {
    const [kim, lee] = [await installation().newcomer('Kim'), await installation().newcomer('Lee')]
    const id = await makeWorkspace(kim)
    const answer = await kim.post(`/api/v1/workspaces/${id}/members`, { body: { user_id: lee.id, role: 'member' } })

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ success: true, message: '멤버가 추가되었습니다.' })
    expect((await lee.get(`/api/v1/workspaces/${id}`)).status).toBe(200)
    await kim.post(`/api/v1/workspaces/${id}/members`, { body: { email: lee.email.toUpperCase(), role: 'viewer' } })
    const members = await kim.get(`/api/v1/workspaces/${id}/members`)
    expect(members.body.data).toEqual([
      { user_id: kim.id, email: kim.email, name: 'Kim', role: 'owner' },
      { user_id: lee.id, email: lee.email, name: 'Lee', role: 'viewer' },
    ])
  })

  it('a member who is nobody → 404; both or neither of user_id and email, another role → 400', async () => {
    const kim = await installation().newcomer('Kim')
    const path = `/api/v1/workspaces/${await makeWorkspace(kim)}/members`

    expect((await kim.post(path, { body: { user_id: NOBODY, role: 'member' } })).status).toBe(404)
    expect((await kim.post(path, { body: { user_id: 'nobody', role: 'member' } })).status).toBe(404)
    expect((await kim.post(path, { body: { email: 'no@example.com', role: 'member' } })).status).toBe(404)
    expect((await kim.post(path, { body: { role: 'member' } })).status).toBe(400)
    expect((await kim.post(path, { body: { user_id: NOBODY, email: 'a@b.co', role: 'member' } })).status).toBe(400)
    expect((await kim.post(path, { body: { user_id: NOBODY, role: 'owner' } })).body).toEqual(invalid('role'))
  })

  it('DELETE workspaces/:id/members/:userID → 200 message; the owner stays → 409', async () => {
    const [kim, lee] = [await installation().newcomer('Kim'), await installation().newcomer('Lee')]
    const id = await makeWorkspace(kim)
    await kim.post(`/api/v1/workspaces/${id}/members`, { body: { user_id: lee.id, role: 'member' } })
    const answer = await kim.delete(`/api/v1/workspaces/${id}/members/${lee.id}`)

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ success: true, message: '멤버가 제거되었습니다.' })
    expect((await lee.get(`/api/v1/workspaces/${id}`)).status).toBe(404)
    expect((await kim.delete(`/api/v1/workspaces/${id}/members/${lee.id}`)).status).toBe(404)
    const owner = await kim.delete(`/api/v1/workspaces/${id}/members/${kim.id}`)
    expect(owner.status).toBe(409)
    expect(owner.body).toEqual(failure('CONFLICT'))
  })

  it('DELETE workspaces/:id → 200 message, then it is 404', async () => {
    const kim = await installation().newcomer('Kim')
    const id = await makeWorkspace(kim)
    const answer = await kim.delete(`/api/v1/workspaces/${id}`)

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ success: true, message: '워크스페이스가 삭제되었습니다.' })
    expect((await kim.get(`/api/v1/workspaces/${id}`)).status).toBe(404)
    expect((await kim.get('/api/v1/workspaces')).body.data).toEqual([])
  })

  it('an id that is no UUID, or of nothing, or of somebody else’s → 404, the same answer', async () => {
    const [kim, lee] = [await installation().newcomer('Kim'), await installation().newcomer('Lee')]
    const id = await makeWorkspace(kim)
    const [nothing, noUuid, foreign] = await Promise.all(
      [NOBODY, 'team', id].map((one) => lee.get(`/api/v1/workspaces/${one}`)),
    )

    expect(nothing?.status).toBe(404)
    expect(nothing?.body).toEqual(failure('NOT_FOUND', '리소스를 찾을 수 없습니다.'))
    expect(noUuid?.text).toBe(nothing?.text)
    expect(foreign?.text).toBe(nothing?.text)
  })
}
