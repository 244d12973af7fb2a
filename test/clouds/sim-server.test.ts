/** The simulated cloud as what it is in `make dev`: a process of its own, told by HTTP what to do. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { InstanceSpec } from '../../clouds/cloud.ts'
import { type HttpTransport, httpTransport } from '../../clouds/sim/http-transport.ts'
import { simCloud } from '../../clouds/sim/sim-cloud.ts'
import { type Program, startProgram } from '../cluster/program.ts'

const spec: InstanceSpec = {
  token: 'token',
  tags: { uid: 'u' },
  instanceType: 't3.micro',
  image: 'ami-1',
  marketType: 'OnDemand',
}

describe('clouds/sim/main.ts', () => {
  let directory = ''
  const ends: (() => Promise<unknown>)[] = []
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sim-'))
  })
  afterEach(async () => {
    for (const end of ends.splice(0)) await end()
    rmSync(directory, { recursive: true })
  })

  async function started(env: Record<string, string> = {}) {
    const program: Program = startProgram({ main: 'clouds/sim/main.ts', env })
    const record = await program.logged(({ url }) => url !== undefined)
    const url = String(record.url)
    const transport: HttpTransport = httpTransport(url)
    ends.push(
      () => transport.close(),
      () => program.stop(),
    )
    const ask = async (method: string, path: string, body?: unknown) => {
      const answer = await fetch(`${url}${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
    }
    const cloud = simCloud({ transport, accessKey: 'any', secretKey: 'any', region: 'sim-1', timeoutMs: 500 })
    return { program, ask, cloud }
  }

  it('lists what exists, with tags and the token of each, and what was terminated when asked', async () => {
    const { ask, cloud } = await started()
    await ask('PATCH', '/control', { pendingMs: 0, terminatingMs: 0 })
    const kept = await cloud.create(spec)
    const gone = await cloud.create({ ...spec, token: 'other' })
    await cloud.terminate([gone.id])

    const live = await ask('GET', '/instances')
    const all = await ask('GET', '/instances?state=all')

    expect(live.body).toMatchObject({
      instances: [{ id: kept.id, token: 'token', tags: { uid: 'u' }, state: 'running', account: '123456789012' }],
    })
    expect(all.body).toMatchObject({ instances: [{ id: kept.id }, { id: gone.id, state: 'terminated' }] })
  })

  it.each(['reset', 'never', 'error'] as const)('fails as it is told while it runs: %s', async (answer) => {
    const { ask, cloud } = await started()

    await ask('PATCH', '/control', { faults: [{ action: 'RunInstances', effect: 'done', answer, count: 1 }] })

    await expect(cloud.create(spec)).rejects.toMatchObject({ class: 'transient', outcomeUnknown: true })
    expect((await ask('GET', '/instances')).body).toMatchObject({ instances: [{ token: 'token' }] })
    await cloud.create(spec)
  })

  it('counts calls, counts anew, and forgets everything when it is told to', async () => {
    const { ask, cloud } = await started()
    await cloud.create(spec)
    await cloud.get('i-00000000000000000')

    expect((await ask('GET', '/calls')).body).toMatchObject({ reads: 1, mutations: 1 })
    expect((await ask('DELETE', '/calls')).body).toMatchObject({ reads: 0, mutations: 0 })
    await ask('PATCH', '/control', { latencyMs: 5 })
    expect((await ask('POST', '/reset')).body).toMatchObject({ latencyMs: 0 })
    expect((await ask('GET', '/instances?state=all')).body).toEqual({ instances: [] })
  })

  it('changes instances behind everybody’s back', async () => {
    const { ask, cloud } = await started()
    const launched = await ask('POST', '/outside', { action: 'launch', tags: { Name: 'theirs' } })
    const [{ id }] = launched.body.instances as [{ id: string }]

    await ask('POST', '/outside', { action: 'terminate', ids: [id] })

    expect(await cloud.get(id)).toMatchObject({ state: expect.stringMatching(/^terminat/), tags: { Name: 'theirs' } })
  })

  it.each([
    ['PATCH', '/control', { latencyMs: 'long' }, 400, /latencyMs/],
    ['PATCH', '/control', { latency: 5 }, 400, /latency/],
    ['POST', '/outside', { action: 'explode' }, 400, /action/],
    ['POST', '/outside', { action: 'stop', ids: ['i-00000000000000000'] }, 400, /does not exist/],
    ['POST', '/api/sim-1/RunInstances', { spec: { image: 5 } }, 400, /image/],
    ['POST', '/api/sim-1/Explode', {}, 400, /Explode/],
    ['POST', '/api/sim-9/DescribeInstances', {}, 401, /credentials/],
    ['GET', '/instances?state=dead', undefined, 400, /live/],
    ['GET', '/nowhere', undefined, 404, /nowhere/],
    ['GET', '/%E0%A4%A', undefined, 404, /%E0%A4%A/],
  ] as const)('says what is wrong with %s %s %j', async (method, path, body, status, words) => {
    const { ask } = await started()

    const answer = await ask(method, path, body)

    expect(answer).toMatchObject({ status, body: { error: { message: expect.stringMatching(words) } } })
  })

  it('has its instances and tokens again after it was killed', async () => {
    const env = { SKYCLUST_SIM_STATE: join(directory, 'state') }
    const first = await started(env)
    const made = await first.cloud.create(spec)
    first.program.kill('SIGKILL')
    await first.program.exited

    const second = await started(env)

    expect(await second.cloud.create(spec)).toMatchObject({ id: made.id })
    expect((await second.ask('GET', '/instances')).body).toMatchObject({ instances: [{ id: made.id }] })
  })

  it.each(['-1', 'http', '70000'])('does not start on port %s, and says why in one line', async (port) => {
    const program = startProgram({ main: 'clouds/sim/main.ts', env: { SKYCLUST_SIM_PORT: port } })

    expect(await program.exited).toMatchObject({ code: 1 })
    expect(program.lines).toEqual([`sim: SKYCLUST_SIM_PORT is "${port}"; it is a port from 0 to 65535`])
  })

  it.each([
    ['is in no directory', () => join(directory, 'nowhere', 'state'), 'ENOENT'],
    ['is not its own', () => join(import.meta.dirname, 'sim-server.test.ts'), 'JSON'],
  ])('does not start on a state file that %s, says why in one line, and leaves it alone', async (_, path, words) => {
    const before = existsSync(path()) && readFileSync(path(), 'utf8')
    const program = startProgram({ main: 'clouds/sim/main.ts', env: { SKYCLUST_SIM_STATE: path() } })

    expect(await program.exited).toMatchObject({ code: 1 })
    expect(program.lines).toEqual([expect.stringContaining(words)])
    expect(existsSync(path()) && readFileSync(path(), 'utf8')).toBe(before)
  })

  it('ends on SIGTERM even while it owes an answer', async () => {
    const { program, ask, cloud } = await started()
    await ask('PATCH', '/control', { latencyMs: 60_000 })
    const waiting = cloud.get('i-00000000000000000').catch(() => 'failed')
    await expect.poll(async () => (await ask('GET', '/calls')).body).toMatchObject({ reads: 1 })

    expect(await program.stop(5_000)).toMatchObject({ code: 0 })
    expect(await waiting).toBe('failed')
  })
})
