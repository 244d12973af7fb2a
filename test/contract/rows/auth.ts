import { expect, it } from 'vitest'
import { anId, aText, aTime, failure, invalid } from '../forms.ts'
import { person, rest } from '../rest.ts'
import type { Subject } from '../subject.ts'

export function authRows(installation: () => Subject): void {
  const anonymous = () => rest(installation().url)

  it('POST auth/register {email, password, name} → 201 {id, email, name, created_at}', async () => {
    const answer = await anonymous().post('/api/v1/auth/register', {
      body: { email: 'Kim@example.com', password: '12345678', name: '김' },
    })

    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({
      success: true,
      data: { id: anId, email: 'Kim@example.com', name: '김', created_at: aTime },
    })
  })

  it('an e-mail address is taken whatever its case → 409', async () => {
    const body = { email: 'kim@EXAMPLE.com', password: '12345678', name: 'Another Kim' }
    const answer = await anonymous().post('/api/v1/auth/register', { body })

    expect(answer.status).toBe(409)
    expect(answer.body).toEqual(failure('CONFLICT', '이미 사용 중인 이메일입니다.'))
  })

  it('what is missing or wrong is named → 400', async () => {
    const bad = [
      [{}, ['email', 'password', 'name']],
      [{ email: 'kim', password: '12345678', name: 'Kim' }, ['email']],
      [{ email: 'new@example.com', password: '1234567', name: 'Kim' }, ['password']],
      [{ email: 'new@example.com', password: 'x'.repeat(129), name: 'Kim' }, ['password']],
      [{ email: 'new@example.com', password: '12345678', name: ' ' }, ['name']],
      [{ email: 'new@example.com', password: 12345678, name: null }, ['password', 'name']],
      [{ email: 'new@example.com', password: '12345678', name: 'Kim', admin: true }, ['admin']],
    ] as const

    for (const [body, fields] of bad) {
      const answer = await anonymous().post('/api/v1/auth/register', { body })
      expect(answer.status).toBe(400)
      expect(answer.body).toEqual(invalid(...fields))
    }
  })

  it('passwords of 8 and of 128 characters are good', async () => {
    for (const password of ['비밀번호는여덟', '8'.repeat(8), 'x'.repeat(128)].filter((one) => [...one].length >= 8)) {
      const email = `length-${password.length}@example.com`
      const answer = await anonymous().post('/api/v1/auth/register', { body: { email, password, name: 'L' } })
      expect(answer.status).toBe(201)
      await person(installation().url, { email, password, name: 'L' })
    }
  })

  it('POST auth/login {email, password} → 200 {token, expires_at, user: {id, email, name}}', async () => {
    const before = Date.now()
    const answer = await anonymous().post('/api/v1/auth/login', {
      body: { email: 'KIM@example.com', password: '12345678' },
    })

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      success: true,
      data: { token: aText, expires_at: aTime, user: { id: anId, email: 'Kim@example.com', name: '김' } },
    })
    const lifeHours = (Date.parse(answer.body.data.expires_at) - before) / 3_600_000
    expect(lifeHours).toBeGreaterThan(23.9)
    expect(lifeHours).toBeLessThan(24.1)
  })

  it('a wrong password and an unknown address are the same answer → 401', async () => {
    const wrong = await anonymous().post('/api/v1/auth/login', {
      body: { email: 'kim@example.com', password: 'wrong' },
    })
    const unknown = await anonymous().post('/api/v1/auth/login', {
      body: { email: 'no@example.com', password: 'wrong' },
    })

    expect(wrong.status).toBe(401)
    expect(wrong.body).toEqual(failure('UNAUTHORIZED'))
    expect(unknown.text).toBe(wrong.text)
  })

  it('POST auth/logout → 200 message; that token alone is dead', async () => {
    const account = { email: 'kim@example.com', password: '12345678', name: '김' }
    const [one, other] = [await person(installation().url, account), await person(installation().url, account)]

    const answer = await one.post('/api/v1/auth/logout')
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ success: true, message: '로그아웃되었습니다.' })

    expect((await one.get('/api/v1/users/me')).status).toBe(401)
    expect((await other.get('/api/v1/users/me')).status).toBe(200)
  })

  it('without a token, or with a bad one → 401 with a challenge', async () => {
    for (const authorization of [undefined, 'Bearer x', 'Bearer a.b.c', 'Basic Zm9vOmJhcg==', 'Bearer', '']) {
      const answer = await rest(installation().url, authorization === undefined ? {} : { authorization }).get(
        '/api/v1/users/me',
      )
      expect(answer.status).toBe(401)
      expect(answer.body).toEqual(failure('UNAUTHORIZED'))
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer /)
    }
  })
}
