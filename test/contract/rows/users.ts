import { expect, it } from 'vitest'
import { aTime, failure, invalid, NOBODY } from '../forms.ts'
import { person, rest } from '../rest.ts'
import type { Subject } from '../subject.ts'

export function userRows(installation: () => Subject): void {
  it('GET users/:id → 200 {id, email, name, created_at, updated_at}, also as users/me', async () => {
    const kim = await installation().newcomer('Kim')
    const answer = await kim.get(`/api/v1/users/${kim.id}`)

    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({
      success: true,
      data: { id: kim.id, email: kim.email, name: 'Kim', created_at: aTime, updated_at: aTime },
    })
    expect((await kim.get('/api/v1/users/me')).text).toBe(answer.text)
  })

  it('somebody else is 404, unless one shares a workspace with them', async () => {
    const [kim, lee] = [await installation().newcomer('Kim'), await installation().newcomer('Lee')]
    const stranger = await kim.get(`/api/v1/users/${lee.id}`)
    expect(stranger.status).toBe(404)
    expect(stranger.text).toBe((await kim.get(`/api/v1/users/${NOBODY}`)).text)

    const workspace = await kim.post('/api/v1/workspaces', { body: { name: 'shared' } })
    await kim.post(`/api/v1/workspaces/${workspace.body.data.id}/members`, {
      body: { email: lee.email, role: 'viewer' },
    })
    expect((await kim.get(`/api/v1/users/${lee.id}`)).status).toBe(200)
    expect((await lee.get(`/api/v1/users/${kim.id}`)).status).toBe(200)
  })

  it('PUT users/:id {name?, email?} → 200 {id, email, name, updated_at}', async () => {
    const kim = await installation().newcomer('Kim')
    const renamed = await kim.put(`/api/v1/users/${kim.id}`, { body: { name: 'Kim Minji' } })
    expect(renamed.status).toBe(200)
    expect(renamed.body).toEqual({
      success: true,
      data: { id: kim.id, email: kim.email, name: 'Kim Minji', updated_at: aTime },
    })

    const email = `minji-${kim.email}`
    const moved = await kim.put('/api/v1/users/me', { body: { email } })
    expect(moved.body.data).toMatchObject({ email, name: 'Kim Minji' })
    await person(installation().url, { ...kim, email })
    const old = await rest(installation().url).post('/api/v1/auth/register', {
      body: { email: kim.email, password: '12345678', name: 'The next' },
    })
    expect(old.status).toBe(201)
  })

  it('an address that somebody has → 409; an empty PUT → 400', async () => {
    const [kim, lee] = [await installation().newcomer('Kim'), await installation().newcomer('Lee')]

    const taken = await kim.put('/api/v1/users/me', { body: { email: lee.email.toUpperCase() } })
    expect(taken.status).toBe(409)
    expect(taken.body).toEqual(failure('CONFLICT'))
    const same = await kim.put('/api/v1/users/me', { body: { email: kim.email.toUpperCase() } })
    expect(same.status).toBe(200)
    const empty = await kim.put('/api/v1/users/me', { body: {} })
    expect(empty.status).toBe(400)
    expect(empty.body).toEqual(invalid('body'))
  })

  it('a new password needs the old one, and ends all other sessions', async () => {
    const kim = await installation().newcomer('Kim')
    const other = await person(installation().url, kim)

    const without = await kim.put('/api/v1/users/me', { body: { password: 'another one' } })
    expect(without.body).toEqual(invalid('current_password'))
    const wrong = await kim.put('/api/v1/users/me', { body: { password: 'another one', current_password: 'no' } })
    expect(wrong.status).toBe(403)
    const right = await kim.put('/api/v1/users/me', {
      body: { password: 'another one', current_password: kim.password },
    })
    expect(right.status).toBe(200)

    expect((await kim.get('/api/v1/users/me')).status).toBe(200)
    expect((await other.get('/api/v1/users/me')).status).toBe(401)
    await person(installation().url, { ...kim, password: 'another one' })
    await expect(person(installation().url, kim)).rejects.toThrow('UNAUTHORIZED')
  })

  it('an administrator resets a password without knowing it', async () => {
    const [kim, admin] = [await installation().newcomer('Kim'), await installation().admin()]

    const reset = await admin.put(`/api/v1/users/${kim.id}`, { body: { password: 'reset by admin' } })
    expect(reset.status).toBe(200)
    expect((await kim.get('/api/v1/users/me')).status).toBe(401)
    await person(installation().url, { ...kim, password: 'reset by admin' })
  })

  it('DELETE users/:id → 200 message; sessions are dead, the address is free', async () => {
    const kim = await installation().newcomer('Kim')
    const answer = await kim.delete(`/api/v1/users/${kim.id}`)

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ success: true, message: '사용자가 삭제되었습니다.' })
    expect((await kim.get('/api/v1/users/me')).status).toBe(401)
    const again = await rest(installation().url).post('/api/v1/auth/register', {
      body: { email: kim.email, password: '12345678', name: 'Kim again' },
    })
    expect(again.status).toBe(201)
    expect(again.body.data.id).not.toBe(kim.id)
  })

  it('deleting one who owns a workspace → 409, naming it', async () => {
    const kim = await installation().newcomer('Kim')
    await kim.post('/api/v1/workspaces', { body: { name: 'Kim’s own' } })
    const answer = await kim.delete('/api/v1/users/me')

    expect(answer.status).toBe(409)
    expect(answer.body.error.message).toContain('Kim’s own')
  })

  it('only oneself or an administrator may change or delete', async () => {
    const [kim, lee, admin] = await Promise.all([
      installation().newcomer('Kim'),
      installation().newcomer('Lee'),
      installation().admin(),
    ])

    expect((await kim.put(`/api/v1/users/${lee.id}`, { body: { name: 'Mine' } })).status).toBe(404)
    expect((await kim.delete(`/api/v1/users/${lee.id}`)).status).toBe(404)
    expect((await admin.put(`/api/v1/users/${lee.id}`, { body: { name: 'Lee by admin' } })).status).toBe(200)
    expect((await admin.delete(`/api/v1/users/${lee.id}`)).status).toBe(200)
    expect((await kim.get('/api/v1/users')).status).toBe(403)
    expect((await admin.get('/api/v1/users?limit=1')).body.data).toHaveLength(1)
  })

  it('disabling or deleting a User with kubectl counts at once', async () => {
    const { cluster, url } = installation()
    const [kim, lee] = [await installation().newcomer('Kim'), await installation().newcomer('Lee')]
    const users = JSON.parse(await cluster.kubectl('get', 'users.skyclust.io', '-o', 'json')).items
    const nameOf = (id: string) =>
      users.find((user: { metadata: { uid: string } }) => user.metadata.uid === id).metadata.name

    await cluster.kubectl(
      'patch',
      'users.skyclust.io',
      nameOf(kim.id),
      '--type=merge',
      '-p',
      '{"spec":{"disabled":true}}',
    )
    await cluster.kubectl('delete', 'users.skyclust.io', nameOf(lee.id))
    await expect.poll(async () => (await kim.get('/api/v1/users/me')).status).toBe(401)
    await expect.poll(async () => (await lee.get('/api/v1/users/me')).status).toBe(401)
    await expect(person(url, kim)).rejects.toThrow('UNAUTHORIZED')
    await cluster.kubectl(
      'patch',
      'users.skyclust.io',
      nameOf(kim.id),
      '--type=merge',
      '-p',
      '{"spec":{"disabled":false}}',
    )
    await expect.poll(async () => (await kim.get('/api/v1/users/me')).status).toBe(200)
  })

  it('a User made with kubectl is respected: the address is taken, and an administrator gives a password', async () => {
    const { cluster, url } = installation()
    await cluster.kubectlWith(
      JSON.stringify({
        apiVersion: 'skyclust.io/v1alpha1',
        kind: 'User',
        metadata: { name: 'made-by-kubectl' },
        spec: { email: 'By.Kubectl@example.com', displayName: 'Made by kubectl' },
      }),
      'apply',
      '-f',
      '-',
    )
    const admin = await installation().admin()
    const found = await expect
      .poll(async () =>
        (await admin.get('/api/v1/users?limit=1000')).body.data.find(
          (user: { name: string }) => user.name === 'Made by kubectl',
        ),
      )
      .toBeTruthy()
      .then(async () =>
        (await admin.get('/api/v1/users?limit=1000')).body.data.find(
          (user: { name: string }) => user.name === 'Made by kubectl',
        ),
      )
    const register = { email: 'by.kubectl@example.com', password: '12345678', name: 'Another' }
    expect((await rest(url).post('/api/v1/auth/register', { body: register })).status).toBe(409)
    expect((await admin.put(`/api/v1/users/${found.id}`, { body: { password: 'given by admin' } })).status).toBe(200)
    await person(url, { email: 'by.kubectl@example.com', password: 'given by admin', name: 'Made by kubectl' })
  })
}
