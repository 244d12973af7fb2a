/** What a client may send, how much, how fast and how slowly; and an audit log that cannot be written. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { failure, invalid } from '../contract/forms.ts'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { type Person, rest, until } from '../contract/rest.ts'
import { openRaw, type RawAnswer, raw } from './raw-http.ts'

let installation: Installation
let url: string
let kim: Person
beforeAll(async () => {
  installation = await startInstallation({ controller: false })
  url = installation.url
  kim = await installation.newcomer('Kim')
})
afterAll(() => installation?.[Symbol.asyncDispose]())

/** Nothing of what a client did made the facade fail. */
afterAll(() => {
  const failures = installation?.facades.flatMap(({ records }) => records).filter(({ level }) => Number(level) >= 50)
  expect(failures).toEqual([])
})

const refusal = ({ status, body }: RawAnswer) => ({ status, ...JSON.parse(body) })

describe('what is no HTTP request of ours', () => {
  const host = 'host: facade\r\n'
  const token = () => `authorization: Bearer ${kim.token}\r\n`

  it.each([
    ['headers above 16 KiB', () => `GET /health HTTP/1.1\r\n${host}x: ${'x'.repeat(17_000)}\r\n\r\n`, 431],
    ['a URL as long', () => `GET /${'x'.repeat(17_000)} HTTP/1.1\r\n${host}\r\n`, 431],
    ['no Host', () => 'GET /health HTTP/1.1\r\n\r\n', 400],
    ['a Host that makes no URL', () => 'GET /health HTTP/1.1\r\nhost: a b/c\r\n\r\n', 400],
    ['no protocol', () => 'GET /health\r\n\r\n', 400],
    ['another protocol', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a method that is none', () => `HACK /health HTTP/1.1\r\n${host}\r\n`, 400],
    ['a TLS greeting', () => '\x16\x03\x01\x02\x00\x01', 400],
    ['a line break in a header', () => `GET /health HTTP/1.1\r\n${host}x: a\rb\r\n\r\n`, 400],
    ['two lengths', () => `POST /health HTTP/1.1\r\n${host}content-length: 1\r\ncontent-length: 2\r\n\r\nab`, 400],
    [
      'a length and chunks, which two servers might read differently',
      () => `POST /health HTTP/1.1\r\n${host}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
  ])('is refused in the envelope: %s', async (_, bytes, status) => {
    const answer = await raw(url, bytes())

    expect(refusal(answer)).toMatchObject({
      status,
      ...(status === 431 ? failure('HEADERS_TOO_LARGE') : invalid('request')),
    })
    expect(answer.head).toMatch(/^content-type: application\/json/im)
  })

  it('is recorded', async () => {
    const admin = await installation.admin()
    const { body } = await admin.get('/api/v1/audit?status=431')

    expect(body.data[0]).toMatchObject({ user_id: '', source_ip: '127.0.0.1', status: 431 })
  })

  it.each(['TRACE', 'CONNECT', 'TRACK'])('%s echoes nothing and opens nothing', async (method) => {
    const answer = await raw(url, `${method} /api/v1/vms HTTP/1.1\r\n${host}${token()}connection: close\r\n\r\n`)

    expect([0, 400, 405]).toContain(answer.status)
    expect(answer.body).not.toContain(kim.token)
  })

  it('does not speak another protocol when it is asked to', async () => {
    const upgrade = 'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n'
    const answer = await raw(url, `GET /health HTTP/1.1\r\n${host}${upgrade}\r\n`)

    expect(answer.status).not.toBe(101)
  })

  it('reads no more than 1 MiB of a body, however it is sent', async () => {
    using connection = await openRaw(url)
    const type = 'content-type: application/json\r\ntransfer-encoding: chunked\r\n'
    connection.send(`POST /api/v1/workspaces HTTP/1.1\r\n${host}${token()}${type}\r\n`)
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
    for (let sent = 0; sent < 20; sent++) connection.send(chunk)

    expect(refusal(await connection.answer())).toMatchObject({ status: 413, ...failure('PAYLOAD_TOO_LARGE') })
  })

  it('has nothing put into its headers by what a caller sends', async () => {
    const evil = encodeURIComponent('x\r\nset-cookie: evil=1')
    const asked = await Promise.all([
      kim.get(`/api/v1/vms/${evil}`),
      kim.get(`/api/v1/vms?workspace_id=${evil}`),
      kim.get(`/${evil}`),
      rest(url).get(`/api/v1/oidc/${evil}/auth`),
    ])

    for (const { headers, status } of asked) {
      expect(status).toBeLessThan(500)
      expect(headers.get('set-cookie')).toBeNull()
      expect(headers.get('location')).toBeNull()
    }
  })
})

describe('a client that is slow or goes away', () => {
  it('is given 10 seconds for its headers and 30 for all, while others are served', { timeout: 120_000 }, async () => {
    const crawling = await Promise.all(Array.from({ length: 50 }, () => openRaw(url)))
    for (const one of crawling) one.send('GET /health HTTP/1.1\r\nhost: facade\r\n')
    using dripping = await openRaw(url)
    const head = 'POST /api/v1/auth/login HTTP/1.1\r\nhost: facade\r\ncontent-type: application/json\r\n'
    dripping.send(`${head}content-length: 1000\r\n\r\n{"email": `)
    expect((await kim.get('/api/v1/users/me')).status).toBe(200)

    for (const one of crawling) expect(refusal(await one.answer())).toMatchObject({ status: 408, success: false })
    await Promise.all(crawling.map(({ closed }) => closed))
    expect(refusal(await dripping.answer())).toMatchObject({ status: 408, ...failure('REQUEST_TIMEOUT') })
    expect((await kim.get('/api/v1/users/me')).status).toBe(200)
  })

  it('that goes away in the middle of a request is nobody’s failure', async () => {
    const admin = await installation.admin()
    for (const body of ['{"email": "half', '']) {
      const connection = await openRaw(url)
      const head = 'POST /api/v1/auth/login HTTP/1.1\r\nhost: facade\r\ncontent-type: application/json\r\n'
      connection.send(`${head}content-length: 1000\r\n\r\n${body}`)
      connection[Symbol.dispose]()
    }
    await until(
      () => admin.get('/api/v1/audit?path=/api/v1/auth/login&status=400&limit=1'),
      ({ body }) => body.data.length === 1,
    )
    expect((await admin.get('/api/v1/audit?status=500')).body.data).toEqual([])
  })
})

describe('rates', () => {
  const atOnce = (count: number, ask: () => Promise<{ status: number; headers: Headers; body: unknown }>) =>
    Promise.all(Array.from({ length: count }, ask))

  it('of a user past the limit → 429 with Retry-After; other users and /health notice nothing', async () => {
    const strict = await installation.startFacade({ SKYCLUST_USER_RATE: '2', SKYCLUST_USER_BURST: '10' })
    const lee = await installation.newcomer('Lee')
    const answers = await atOnce(40, () => kim.at(strict.url).get('/api/v1/users/me'))
    const refused = answers.filter(({ status }) => status === 429)

    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(10)
    expect(refused.length).toBeGreaterThan(0)
    for (const { headers, body } of refused) {
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
      expect(headers.get('ratelimit-policy')).toBe('"user";q=10;w=5')
      expect(headers.get('ratelimit')).toMatch(/^"user";r=0;t=\d+$/)
      expect(body).toEqual(failure('TOO_MANY_REQUESTS'))
    }
    expect((await lee.at(strict.url).get('/api/v1/users/me')).status).toBe(200)
    const health = await atOnce(40, () => rest(strict.url).get('/health'))
    expect(health.every(({ status }) => status === 200)).toBe(true)
    await until(
      () => kim.at(strict.url).get('/api/v1/users/me'),
      ({ status }) => status === 200,
    )
  })

  it('of an address without a good token past the limit → 429, guessed tokens too; who has one notices nothing', async () => {
    const strict = await installation.startFacade({ SKYCLUST_ADDRESS_RATE: '1', SKYCLUST_ADDRESS_BURST: '10' })
    const stranger = rest(strict.url, { authorization: 'Bearer guessed' })
    const answers = await atOnce(40, () => stranger.get('/api/v1/users/me'))

    expect(answers.filter(({ status }) => status === 401).length).toBeGreaterThanOrEqual(10)
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(0)
    expect((await rest(strict.url).post('/api/v1/auth/login', { body: {} })).status).toBe(429)
    expect((await kim.at(strict.url).get('/api/v1/users/me')).status).toBe(200)
    const limited = (await (await installation.admin()).get('/api/v1/audit?status=429&limit=1')).body.data
    expect(limited[0]).toMatchObject({ status: 429, source_ip: '127.0.0.1' })
  })
})

describe('an audit log on a disk that is full', () => {
  const metric = async (metricsUrl: string, name: string) => {
    const text = await (await fetch(`${metricsUrl}/metrics`)).text()
    return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1])
  }

  async function startOnFullDisk(env: Readonly<Record<string, string>> = {}) {
    const started = await installation.startFacade({ SKYCLUST_AUDIT_LOG: '/dev/full', ...env })
    await kim.at(started.url).get('/api/v1/users/me')
    const said = await started.program.logged(({ msg }) => msg === 'the audit log cannot be written')
    expect(JSON.stringify(said)).toContain('ENOSPC')
    const { metrics } = await started.program.logged(({ msg }) => msg === 'listening')
    return { ...started, metrics: String(metrics) }
  }

  it('holds up nobody; what waits to be written is counted', async () => {
    const { url: full, metrics } = await startOnFullDisk()

    expect((await kim.at(full).put('/api/v1/users/me', { body: { name: 'Kim' } })).status).toBe(200)
    expect(await metric(metrics, 'skyclust_api_audit_pending')).toBeGreaterThanOrEqual(2)
    expect(await metric(metrics, 'skyclust_api_audit_dropped')).toBe(0)
  })

  it('stops changes, and no reads, where SKYCLUST_AUDIT_WAIT says so', async () => {
    const { url: full, program } = await startOnFullDisk({ SKYCLUST_AUDIT_WAIT: 'true' })
    const refused = await kim.at(full).put('/api/v1/users/me', { body: { name: 'Unrecorded' } })

    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('5')
    expect(refused.body).toEqual(failure('SERVICE_UNAVAILABLE'))
    expect((await kim.at(full).get('/api/v1/users/me')).body.data.name).toBe('Kim')
    expect(await program.stop()).toEqual({ code: 0, signal: null })
  })
})

describe('the start', () => {
  it.each([
    [{ SKYCLUST_AUDIT_LOG: '/nowhere/audit.log' }, 'SKYCLUST_AUDIT_LOG'],
    [{ SKYCLUST_API_PORT: 'http' }, 'SKYCLUST_API_PORT'],
    [{ SKYCLUST_LOCALE: 'de' }, 'SKYCLUST_LOCALE'],
    [{ SKYCLUST_TOKEN_TTL: '5' }, 'SKYCLUST_TOKEN_TTL'],
    [{ SKYCLUST_ADMIN_PASSWORD: 'short' }, 'SKYCLUST_ADMIN_PASSWORD'],
    [{ SKYCLUST_API_PORT: 'taken' }, 'SKYCLUST_API_PORT'],
  ])('stops with one line that names what is wrong: %o', async (env: Record<string, string>, named) => {
    const taken = env.SKYCLUST_API_PORT === 'taken' ? { SKYCLUST_API_PORT: new URL(url).port } : {}
    const outcome = await installation.startFacade({ ...env, ...taken }).then(
      () => '',
      (error: Error) => error.message,
    )
    const said = outcome.split('\n').filter((line) => line.startsWith('api: '))

    expect(said).toHaveLength(1)
    expect(said[0]).toContain(named)
    expect(said[0]).not.toContain('short')
  })
})
