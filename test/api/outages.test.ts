/** The API server goes away and comes back; the facade stays, says so, and goes on by itself. And its own end. */
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { failure } from '../contract/forms.ts'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { type Person, rest, until } from '../contract/rest.ts'
import { made, makeWorkspace, simKeys, vmBody } from '../contract/rows/team.ts'
import { underWay } from './under-way.ts'

let installation: Installation
let kim: Person
let workspace: string
let probes: string
beforeAll(async () => {
  installation = await startInstallation()
  kim = await installation.newcomer('Kim')
  workspace = await makeWorkspace(kim)
  probes = String((await installation.facades[0]?.logged(({ msg }) => msg === 'listening'))?.metrics)
})
afterAll(() => installation?.[Symbol.asyncDispose]())

const isReady = async () => (await fetch(`${probes}/readyz`)).status

describe('a facade that is told to stop', () => {
  it('answers what is under way, takes nothing new, and ends with 0', async () => {
    const { program, url } = await installation.startFacade()
    // Nobody is at the endpoint of aws: the VM stays without an instance for as long as somebody waits.
    const keys = { access_key: 'a', secret_key: 's', region: 'us-east-1' }
    await made(
      kim.post('/api/v1/credentials', { body: { workspace_id: workspace, provider: 'aws', credentials: keys } }),
    )
    const body = { ...vmBody(workspace), provider: 'aws', region: 'us-east-1' }
    const waiting = kim.at(url).post('/api/v1/vms', { body, headers: { prefer: 'wait=60' } })
    await until(
      () => kim.get(`/api/v1/vms?workspace_id=${workspace}&name=${body.name}`),
      (answer) => answer.body.data.length === 1,
    )
    const exit = program.stop()
    const answer = await waiting

    expect(answer.status).toBe(201)
    expect(answer.body.data).toMatchObject({ name: body.name, instance_id: '' })
    expect(await exit).toEqual({ code: 0, signal: null })
    await expect(rest(url).get('/health')).rejects.toThrow('fetch failed')
  })

  it('answers also what an API server that hangs has not answered', async () => {
    const { program, url } = await installation.startFacade()
    const pid = Number(installation.cluster.apiserver.pid())
    process.kill(pid, 'SIGSTOP')
    try {
      const change = await underWay(kim, url, { method: 'PUT', path: '/api/v1/users/me', body: { name: 'Kim' } })
      const exit = program.stop()

      expect(await change.answered).toMatchObject({ status: 503, body: failure('SERVICE_UNAVAILABLE') })
      expect(await exit).toEqual({ code: 0, signal: null })
    } finally {
      process.kill(pid, 'SIGCONT')
    }
  })
})

describe('while the controller is away for as long as its Lease lasts', () => {
  it('a new workspace can be filled at once: the Credential waits for whoever makes its namespace', async () => {
    const { controller } = installation
    controller?.kill('SIGSTOP')
    try {
      const workspace_id = await makeWorkspace(kim, 'meanwhile')
      const filled = kim.post('/api/v1/credentials', { body: { workspace_id, provider: 'sim', credentials: simKeys } })
      const answeredEarly = await Promise.race([filled.then(({ text }) => text), setTimeout(11_000)])
      controller?.kill('SIGCONT')

      expect(answeredEarly).toBeUndefined()
      expect((await filled).status).toBe(201)
    } finally {
      controller?.kill('SIGCONT')
    }
  })
})

describe('while no controller looks at a new workspace', () => {
  const credential = () => ({ workspace_id: fresh, provider: 'sim', credentials: simKeys })
  let fresh: string
  beforeAll(async () => {
    installation.controller?.kill('SIGSTOP')
    fresh = await makeWorkspace(kim, 'unseen')
  })
  afterAll(() => installation.controller?.kill('SIGCONT'))

  it('a facade that is told to stop answers at once whoever waits for the controller: another one takes it up', async () => {
    const { program, url } = await installation.startFacade()
    const waiting = [
      await underWay(kim, url, { method: 'POST', path: '/api/v1/credentials', body: credential() }),
      await underWay(kim, url, { method: 'DELETE', path: `/api/v1/workspaces/${fresh}` }),
    ]
    const exit = program.stop()

    for (const { answered } of waiting) {
      const answer = await answered
      expect(answer).toMatchObject({ status: 503, body: failure('SERVICE_UNAVAILABLE') })
      expect(answer.headers['retry-after']).toBe('1')
    }
    expect(await exit).toEqual({ code: 0, signal: null })
  })

  it('deleting it is 503 and says that the controller is missing; once that is there, it is deleted', async () => {
    const english = kim.at(installation.url, { 'accept-language': 'en' })
    const refused = await english.delete(`/api/v1/workspaces/${fresh}`)
    expect(refused).toMatchObject({
      status: 503,
      body: failure('SERVICE_UNAVAILABLE', expect.stringContaining('controller')),
    })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect((await kim.get(`/api/v1/workspaces/${fresh}`)).status).toBe(200)

    installation.controller?.kill('SIGCONT')
    const deleted = await until(
      () => kim.delete(`/api/v1/workspaces/${fresh}`),
      ({ status }) => status !== 503,
    )
    expect(deleted.status).toBe(200)
  })
})

describe('while the API server is away', () => {
  beforeAll(() => installation.cluster.apiserver.stop(0))
  afterAll(() => installation.cluster.apiserver.start())

  it('the facade is alive and not ready', async () => {
    await expect.poll(isReady).toBe(503)
    expect((await fetch(`${probes}/healthz`)).status).toBe(200)
    expect((await rest(installation.url).get('/health')).status).toBe(200)
  })

  it('reads go on from what is known', async () => {
    expect((await kim.get(`/api/v1/workspaces/${workspace}`)).status).toBe(200)
    expect((await kim.get('/api/v1/vms')).status).toBe(200)
  })

  it('what needs it is 503 with Retry-After, never 500', async () => {
    const unknown = '11111111-1111-4111-8111-111111111111'
    const answers = await Promise.all([
      kim.post('/api/v1/workspaces', { body: { name: 'x' } }),
      kim.put(`/api/v1/workspaces/${workspace}`, { body: { name: 'x' } }),
      kim.delete(`/api/v1/workspaces/${workspace}`),
      kim.post('/api/v1/credentials', {
        body: { workspace_id: workspace, provider: 'sim', credentials: simKeys },
      }),
      kim.put('/api/v1/users/me', { body: { name: 'x' } }),
      kim.get(`/api/v1/vms/${unknown}`),
      kim.post('/api/v1/auth/tokens', { body: { name: 'x' } }),
      rest(installation.url).post('/api/v1/auth/login', { body: { email: kim.email, password: kim.password } }),
      rest(installation.url).post('/api/v1/auth/register', {
        body: { email: 'new@example.com', password: '12345678', name: 'x' },
      }),
    ])

    for (const answer of answers) {
      expect(answer.status, answer.text).toBe(503)
      expect(answer.body).toEqual(failure('SERVICE_UNAVAILABLE'))
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
  })
})

describe('once it is back', () => {
  it('the facade goes on by itself', { timeout: 240_000 }, async () => {
    await expect.poll(isReady).toBe(200)
    const changed = await kim.put('/api/v1/users/me', { body: { name: 'Kim Minji' } })

    expect(changed.status).toBe(200)
    expect((await kim.get('/api/v1/users/me')).body.data.name).toBe('Kim Minji')
    await makeWorkspace(kim, 'after')
    const failures = installation.facades.flatMap(({ records }) => records).filter(({ level }) => Number(level) >= 50)
    expect(failures).toEqual([])
  })
})
