/** Passwords: guessing them is slow, and hurts nobody but whoever guesses; many logins at once hurt nobody at all. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { passwords } from '../../api/auth/password-hash.ts'
import { failure } from '../contract/forms.ts'
import { type Installation, NAMESPACE, startInstallation } from '../contract/installation.ts'
import { type Answer, type Person, person, rest, until } from '../contract/rest.ts'

let installation: Installation
let elsewhere: string
beforeAll(async () => {
  installation = await startInstallation({
    replicas: 2,
    controller: false,
    env: { SKYCLUST_TRUSTED_PROXIES: '127.0.0.1' }, // so that a test can come from several addresses
  })
  elsewhere = installation.urls[1] ?? ''
})
afterAll(() => installation?.[Symbol.asyncDispose]())

const from = (address: string) => ({ 'x-forwarded-for': address })

function logIn(email: string, password: string, address: string, url = installation.url): Promise<Answer> {
  return rest(url).post('/api/v1/auth/login', { body: { email, password }, headers: from(address) })
}

async function secretOf({ id }: Person): Promise<{ name: string; hash: string; attempts: string }> {
  const { kubectl } = installation.cluster
  const users = JSON.parse(await kubectl('get', 'users.skyclust.io', '-o', 'json')).items
  const user = users.find((one: { metadata: { uid: string } }) => one.metadata.uid === id).metadata.name
  const secret = JSON.parse(await kubectl('get', 'secret', `password-${user}`, '-n', NAMESPACE, '-o', 'json'))
  const read = (key: string) => Buffer.from(secret.data[key] ?? '', 'base64').toString()
  return { name: secret.metadata.name, hash: read('hash'), attempts: read('attempts') }
}

describe('failed logins', () => {
  it('make an account’s answers late and then 429, growing, on every replica, as they do where there is none; nobody else notices', async () => {
    const [kim, lee] = [await installation.newcomer('Kim'), await installation.newcomer('Lee')]
    const home = '198.51.100.1'
    expect((await logIn(kim.email, kim.password, home)).status).toBe(200)
    const attacker = '203.0.113.66'

    /** Wrong ones, one after another, on either replica, until one is told to wait. */
    async function guess(email: string, atMost: number) {
      const statuses: number[] = []
      const startedAt = performance.now()
      let failedAfter = startedAt
      for (;;) {
        const askedAt = performance.now()
        const last = await logIn(email, 'wrong', attacker, installation.urls[statuses.length % 2])
        statuses.push(last.status)
        if (last.status === 429 || statuses.length === atMost) {
          return { statuses, tookMs: performance.now() - startedAt, failedAfter, last }
        }
        failedAfter = askedAt
      }
    }
    const unknown = await guess('nobody-at-all@example.com', 12)
    const known = await guess(kim.email, 12)

    // Eight, whether there is such an account or not; what was counted a moment ago on one replica may be one more on the other.
    for (const { statuses, last } of [known, unknown]) {
      expect(statuses.length).toBeGreaterThanOrEqual(9)
      expect(statuses.slice(0, -1)).toEqual(statuses.slice(0, -1).map(() => 401))
      expect(last.status).toBe(429)
      expect(last.body).toEqual(failure('TOO_MANY_REQUESTS'))
      expect(Number(last.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    // 0.5, 1 and 2 s; each may be judged by one failure less, which the other replica was just writing down.
    expect(known.tookMs).toBeGreaterThanOrEqual(0.95 * (500 + 1_000))

    const right = await logIn(kim.email, kim.password, attacker, elsewhere)
    const waitIsOver = performance.now() - known.failedAfter > 4_000 // on a machine that is very busy
    expect(right.status).toBe(waitIsOver && right.status === 200 ? 200 : 429)
    expect((await kim.get('/api/v1/users/me')).status).toBe(200)
    expect((await logIn(lee.email, lee.password, attacker)).status).toBe(200)
    expect((await logIn(kim.email, kim.password, home, elsewhere)).status).toBe(200)
    await until(
      () => logIn(kim.email, kim.password, attacker),
      ({ status }) => status === 200,
    )
  })

  it('at once are no more guesses than one after another', async () => {
    const kim = await installation.newcomer('Kim')
    const guesses = Array.from({ length: 24 }, (_, index) =>
      logIn(kim.email, 'wrong', '203.0.113.67', installation.urls[index % 2]),
    )
    const answers = await Promise.all(guesses)

    // Eight, and on each of two replicas one that was under way when the other counted.
    expect(answers.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(10)
    expect(answers.every(({ status }) => status === 401 || status === 429)).toBe(true)
    expect((await kim.get('/api/v1/users/me')).status).toBe(200)
  })
})

describe('200 logins at once', () => {
  it('are all answered, in bounded memory, and starve no other route', { timeout: 300_000 }, async () => {
    const kim = await installation.newcomer('Kim')
    const [facade] = installation.facades
    const metrics = (await facade?.logged(({ msg }) => msg === 'listening'))?.metrics
    const residentMiB = async () => {
      const text = await (await fetch(`${metrics}/metrics`)).text()
      return Number(/^process_resident_memory_bytes (\d+)/m.exec(text)?.[1]) / 2 ** 20
    }
    const before = await residentMiB()
    let isOver = false
    const flood = Promise.all(
      Array.from({ length: 200 }, (_, index) => logIn(kim.email, kim.password, `192.0.2.${index}`)),
    ).finally(() => {
      isOver = true
    })
    let reads = 0
    let peak = before
    while (!isOver) {
      expect((await kim.get('/api/v1/users/me')).status).toBe(200)
      reads += 1
      if (reads % 20 === 0) peak = Math.max(peak, await residentMiB())
    }
    const answers = await flood

    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(new Set(answers.map(({ body }) => body.data.token)).size).toBe(200)
    expect(reads).toBeGreaterThan(10)
    // All at once would be 200 times 19 MiB.
    expect(peak - before).toBeLessThan(500)
  })
})

describe('a password', () => {
  it('that was changed on one replica ends the sessions on all others a moment later', async () => {
    const kim = await installation.newcomer('Kim')
    const other = await person(elsewhere, kim)
    const changed = await kim.put('/api/v1/users/me', {
      body: { password: 'another password', current_password: kim.password },
    })

    expect(changed.status).toBe(200)
    await until(
      () => other.get('/api/v1/users/me'),
      ({ status }) => status === 401,
      10_000,
    )
    expect((await kim.at(elsewhere).get('/api/v1/users/me')).status).toBe(200)
    expect((await logIn(kim.email, kim.password, '198.51.100.2', elsewhere)).status).toBe(401)
  })

  it('that was hashed with lesser parameters is hashed anew at the next login', async () => {
    const kim = await installation.newcomer('Kim')
    const weak = await passwords({ memory: 1_024, passes: 1 }).hash(kim.password)
    const { name } = await secretOf(kim)
    const data = { hash: Buffer.from(weak).toString('base64') }
    await installation.cluster.kubectl(
      ...['patch', 'secret', name, '-n', NAMESPACE, '--type=merge', '-p', JSON.stringify({ data })],
    )

    expect((await logIn(kim.email, kim.password, '198.51.100.3')).status).toBe(200)
    await expect.poll(async () => (await secretOf(kim)).hash).toContain('m=19456,t=2,p=1')
    expect((await logIn(kim.email, kim.password, '198.51.100.3')).status).toBe(200)
  })

  it('is never in a log, the audit log or an object, right or wrong', async () => {
    const kim = await installation.newcomer('Kim')
    await logIn(kim.email, 'a-wrong-password-of-mine', '198.51.100.4')
    await logIn('a-wrong-password-of-mine', kim.email, '198.51.100.4')
    await kim.put('/api/v1/users/me', { body: { password: 'a-wrong-password-of-mine' } })
    const seen = [
      await readFile(installation.auditFile, 'utf8'),
      await installation.cluster.kubectl('get', 'users,sessions,events', '-A', '-o', 'yaml'),
      ...installation.facades.flatMap(({ lines }) => lines),
    ].join('\n')

    expect(seen).toContain('/api/v1/auth/login')
    expect(seen).not.toContain('a-wrong-password-of-mine')
    expect(seen).not.toContain(kim.password)
  })
})

describe('a facade of an operator who wants it otherwise', () => {
  it('registers nobody, speaks English first, and gives short tokens', async () => {
    const { url } = await installation.startFacade({
      SKYCLUST_REGISTRATION: 'closed',
      SKYCLUST_LOCALE: 'en',
      SKYCLUST_TOKEN_TTL: '1h',
    })
    const body = { email: 'late@example.com', password: '12345678', name: 'Late' }
    const refused = await rest(url).post('/api/v1/auth/register', { body })
    expect(refused.status).toBe(403)
    expect(refused.body).toEqual(failure('FORBIDDEN', 'Registration is closed: ask an administrator.'))

    const kim = await installation.newcomer('Kim')
    const { data } = (await logIn(kim.email, kim.password, '198.51.100.5', url)).body
    expect(Date.parse(data.expires_at) - Date.now()).toBeLessThanOrEqual(3_600_000)
    const korean = { 'accept-language': 'ko' }
    expect((await rest(url).get('/api/v1/users/me', { headers: korean })).body.error.message).toMatch(/^인증이 필요/)
    expect((await rest(url).get('/api/v1/users/me')).body.error.message).toMatch(/^Authentication is needed/)
  })
})
