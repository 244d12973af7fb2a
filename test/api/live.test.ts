import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { type Person, rest } from '../contract/rest.ts'
import { followEvents } from './event-source.ts'

let installation: Installation
let elsewhere: string
beforeAll(async () => {
  installation = await startInstallation({ replicas: 2 })
  elsewhere = installation.urls[1] ?? ''
})
afterAll(() => installation[Symbol.asyncDispose]())

interface Team {
  readonly owner: Person
  readonly workspace: string
  makeVm(name: string): Promise<string>
}

async function team(name: string): Promise<Team> {
  const owner = await installation.newcomer(name)
  const workspace = (await owner.post('/api/v1/workspaces', { body: { name } })).body.data.id
  const credentials = { access_key: 'a', secret_key: 's', region: 'sim-1' }
  await owner.post('/api/v1/credentials', { body: { workspace_id: workspace, provider: 'sim', credentials } })
  return {
    owner,
    workspace,
    async makeVm(vm) {
      const what = { provider: 'sim', instance_type: 'small', region: 'sim-1', image_id: 'ubuntu' }
      const body = { workspace_id: workspace, name: vm, ...what }
      const made = await owner.post('/api/v1/vms', { body, headers: { prefer: 'respond-async' } })
      if (made.status !== 201) throw new Error(made.text)
      return made.body.data.id
    },
  }
}

const watchOf = (workspace: string) => `/api/v1/workspaces/${workspace}/watch`

describe('GET /api/v1/workspaces/:id/watch', () => {
  it('tells what there is, and then every change, as GET shows it', async () => {
    const { owner, workspace, makeVm } = await team('Alpha')
    const first = await makeVm('first')
    await using events = await followEvents(installation.url + watchOf(workspace), owner.token)

    expect(events.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    await events.until('ready')
    expect(events.seen.map(({ event }) => event)).toEqual(['reset', 'vm', 'ready'])
    expect(events.vms.get(first)).toMatchObject({ id: first, name: 'first', workspace_id: workspace })

    const second = await makeVm('second')
    await events.when(() => events.vms.get(second)?.status === 'running' && events.vms.get(first)?.status === 'running')
    expect(events.vms.get(second)).toEqual((await owner.get(`/api/v1/vms/${second}`)).body.data)

    await owner.delete(`/api/v1/vms/${first}`)
    await events.when(() => !events.vms.has(first))
    expect(events.vms.has(second)).toBe(true)
  })

  it('goes on at another replica where it was cut off, without telling everything anew', async () => {
    const { owner, workspace, makeVm } = await team('Beta')
    const [kept, changed, deleted] = [await makeVm('kept'), await makeVm('changed'), await makeVm('deleted')]
    let lastEventId: string | undefined
    {
      await using events = await followEvents(installation.url + watchOf(workspace), owner.token)
      await events.when(() => [...events.vms.values()].filter((vm) => vm.status === 'running').length === 3)
      lastEventId = events.lastEventId
    }
    await owner.post(`/api/v1/vms/${changed}/stop`)
    await owner.delete(`/api/v1/vms/${deleted}`)

    await using events = await followEvents(elsewhere + watchOf(workspace), owner.token, { lastEventId })
    await events.when(() => events.gone.has(deleted) && events.vms.get(changed)?.status === 'stopped')
    expect(events.seen.map(({ event }) => event)).not.toContain('reset')
    expect(events.vms.has(kept)).toBe(false)
  })

  it('is for those who may see the workspace, and looks to others as if there were none', async () => {
    const { workspace } = await team('Gamma')
    const outsider = await installation.newcomer('Outsider')
    const never = await outsider.get('/api/v1/workspaces/00000000-0000-4000-8000-000000000000/watch')

    expect(await outsider.get(watchOf(workspace))).toMatchObject({ status: 404, text: never.text })
    expect((await rest(installation.url).get(watchOf(workspace))).status).toBe(401)
  })

  it('ends when the membership does, on every replica', async () => {
    const { owner, workspace } = await team('Delta')
    const guest = await installation.newcomer('Guest')
    await owner.post(`/api/v1/workspaces/${workspace}/members`, { body: { user_id: guest.id, role: 'viewer' } })
    await using events = await followEvents(elsewhere + watchOf(workspace), guest.token)
    await using still = await followEvents(elsewhere + watchOf(workspace), owner.token)
    await Promise.all([events.until('ready'), still.until('ready')])
    await owner.delete(`/api/v1/workspaces/${workspace}/members/${guest.id}`)

    expect(await events.until('end')).toMatchObject({ code: 'NOT_FOUND' })
    await events.closed
    expect(still.seen.map(({ event }) => event)).not.toContain('end')
  })

  it('ends when the session does: by logout, disabling, and its time', async () => {
    const { owner, workspace } = await team('Epsilon')
    const url = elsewhere + watchOf(workspace)
    const again = await rest(installation.url).post('/api/v1/auth/login', {
      body: { email: owner.email, password: owner.password },
    })
    const end = new Date(Date.now() + 15_000).toISOString()
    const short = await owner.post('/api/v1/auth/tokens', { body: { name: 'short', expires_at: end } })
    await using loggedOut = await followEvents(url, again.body.data.token)
    await using expiring = await followEvents(url, short.body.data.token)
    await using disabled = await followEvents(url, owner.token, { language: 'en' })
    await Promise.all([loggedOut, expiring, disabled].map((events) => events.until('ready')))

    await rest(installation.url, { authorization: `Bearer ${again.body.data.token}` }).post('/api/v1/auth/logout')
    expect(await loggedOut.until('end')).toMatchObject({ code: 'UNAUTHORIZED' })
    expect(await expiring.until('end')).toMatchObject({ code: 'UNAUTHORIZED' })
    expect(disabled.seen.map(({ event }) => event)).not.toContain('end')

    const users = JSON.parse(await installation.cluster.kubectl('get', 'users', '-o', 'json')).items
    const { name } = users.find((user: { metadata: { uid: string } }) => user.metadata.uid === owner.id).metadata
    await installation.cluster.kubectl('patch', 'user', name, '--type=merge', '-p', '{"spec":{"disabled":true}}')
    expect(await disabled.until('end')).toEqual({
      code: 'UNAUTHORIZED',
      message: 'The token is not valid, has expired or was revoked: log in again.',
    })
  })
})

describe('GET /api/v1/vms/watch', () => {
  it('follows all workspaces of the caller, those that come and those that go', async () => {
    const one = await team('Zeta')
    const other = await team('Eta')
    const mine = await one.makeVm('mine')
    const theirs = await other.makeVm('theirs')
    await using events = await followEvents(`${elsewhere}/api/v1/vms/watch`, one.owner.token)
    await events.until('ready')
    expect([...events.vms.keys()]).toEqual([mine])

    const members = `/api/v1/workspaces/${other.workspace}/members`
    await other.owner.post(members, { body: { user_id: one.owner.id, role: 'viewer' } })
    await events.when(() => events.vms.has(theirs))
    await other.owner.delete(`${members}/${one.owner.id}`)
    await events.when(() => !events.vms.has(theirs))
    expect(events.seen.map(({ event }) => event)).toContain('workspace_removed')
    expect(events.vms.has(mine)).toBe(true)
  })

  it('shows an administrator everything, for as long as they are one', async () => {
    const { owner, makeVm } = await team('Theta')
    const vm = await makeVm('anywhere')
    const admin = await installation.admin()
    await using events = await followEvents(`${installation.url}/api/v1/vms/watch`, admin.token)
    await events.until('ready')
    expect(events.vms.has(vm)).toBe(true)

    await using own = await followEvents(`${installation.url}/api/v1/vms/watch`, owner.token)
    await own.until('ready')
    expect([...own.vms.keys()]).toEqual([vm])
  })

  it('answers HEAD without a stream, and limits how many one user may have', async () => {
    const { owner } = await team('Iota')
    const path = '/api/v1/vms/watch'
    const head = await fetch(installation.url + path, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${owner.token}` },
    })
    expect(head.status).toBe(200)
    expect(await head.text()).toBe('')

    const streams = await Promise.all(
      Array.from({ length: 100 }, () => followEvents(installation.url + path, owner.token)),
    )
    expect((await owner.get(path)).status).toBe(429)
    for (const stream of streams) await stream[Symbol.asyncDispose]()
    await expect
      .poll(async () => {
        const events = await followEvents(installation.url + path, owner.token).catch(() => undefined)
        await events?.[Symbol.asyncDispose]()
        return events !== undefined
      })
      .toBe(true)
  })

  it('says why it ends when the replica stops, and lets it stop at once', async () => {
    const { owner } = await team('Kappa')
    const { program, url } = await installation.startFacade()
    await using events = await followEvents(`${url}/api/v1/vms/watch`, owner.token)
    await events.until('ready')
    const exit = program.stop()

    expect(await events.until('end')).toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    expect(await exit).toEqual({ code: 0, signal: null })
    expect(program.lines.filter((line) => line.includes('cut off'))).toEqual([])
  })
})
