import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { type Answer, type Person, type Rest, rest, until } from '../contract/rest.ts'

let installation: Installation
let elsewhere: string
let alice: Person
let workspace: string
beforeAll(async () => {
  installation = await startInstallation({ replicas: 2 })
  elsewhere = installation.urls[1] ?? ''
  alice = await installation.newcomer('Alice')
  workspace = (await alice.post('/api/v1/workspaces', { body: { name: 'Consistency' } })).body.data.id
  await alice.post('/api/v1/credentials', { body: credential() })
})
afterAll(() => installation[Symbol.asyncDispose]())

const credential = (more: object = {}) => ({
  workspace_id: workspace,
  provider: 'sim',
  credentials: { access_key: 'a', secret_key: 's', region: 'sim-1', ...more },
})

let vms = 0
function vm(more: object = {}) {
  vms += 1
  const what = { provider: 'sim', instance_type: 'small', region: 'sim-1', image_id: 'ubuntu' }
  return { workspace_id: workspace, name: `vm-${vms}`, ...what, ...more }
}

const key = () => ({ 'idempotency-key': crypto.randomUUID() })
const now = { prefer: 'respond-async' }
const match = (answer: Answer) => ({ 'if-match': answer.headers.get('etag') ?? '' })

describe('Changes of one workspace by many at once', () => {
  it('all count, on every replica', async () => {
    const { body } = await alice.post('/api/v1/workspaces', { body: { name: 'Crowded' } })
    const members = `/api/v1/workspaces/${body.data.id}/members`
    const people = await Promise.all(Array.from({ length: 24 }, (_, index) => register(`Member ${index}`)))
    const seenEverywhere = (count: number) =>
      Promise.all(
        [alice, alice.at(elsewhere)].map((who) =>
          until(
            () => who.get(members),
            (answer) => answer.body.data.length === count,
          ),
        ),
      )
    const byTurns = <T>(change: (who: Rest, id: string) => Promise<T>) =>
      Promise.all(people.map((id, index) => change(index % 2 ? alice : alice.at(elsewhere), id)))

    const added = await byTurns((who, user_id) => who.post(members, { body: { user_id, role: 'viewer' } }))
    expect(added.map(({ status }) => status)).toEqual(people.map(() => 200))
    await seenEverywhere(people.length + 1)

    const removed = await byTurns((who, id) => who.delete(`${members}/${id}`))
    expect(removed.map(({ status }) => status)).toEqual(people.map(() => 200))
    await seenEverywhere(1)
  })
})

/** @returns the id of the new user, who does not log in */
async function register(name: string): Promise<string> {
  const body = { email: `crowd-${crypto.randomUUID()}@example.com`, password: 'correct horse', name }
  const { body: made } = await rest(installation.url).post('/api/v1/auth/register', { body })
  return made.data.id
}

describe('ETag and If-Match', () => {
  it('tag what is read, and answer 304 to whoever has it, on every replica', async () => {
    const paths = ['/api/v1/users/me', `/api/v1/workspaces/${workspace}`]
    for (const path of paths) {
      const read = await alice.get(path)
      const headers = { 'if-none-match': read.headers.get('etag') ?? '' }

      expect(read.headers.get('etag')).toMatch(/^"\d+"$/)
      expect(await alice.at(elsewhere).get(path, { headers })).toMatchObject({ status: 304, text: '' })
      expect((await alice.get(path, { headers: { 'if-none-match': '"1"' } })).status).toBe(200)
    }
  })

  it('change what was seen, and nothing that changed since', async () => {
    const path = `/api/v1/workspaces/${workspace}`
    const seen = await alice.get(path)
    const first = await alice.put(path, { body: { description: 'first' }, headers: match(seen) })
    const second = await alice.at(elsewhere).put(path, { body: { description: 'second' }, headers: match(seen) })

    expect(first.status).toBe(200)
    expect(second.body.error.code).toBe('PRECONDITION_FAILED')
    expect((await alice.get(path)).body.data.description).toBe('first')
    expect(
      (await alice.call('PATCH', path, { body: { description: 'third' }, headers: { 'if-match': '*' } })).status,
    ).toBe(200)
  })

  it('let one of many who saw the same win', async () => {
    const path = '/api/v1/users/me'
    const seen = await alice.get(path)
    const tries = Array.from({ length: 8 }, (_, index) => {
      const who = index % 2 ? alice : alice.at(elsewhere)
      return who.call('PATCH', path, { body: { name: `Alice ${index}` }, headers: match(seen) })
    })
    const statuses = (await Promise.all(tries)).map(({ status }) => status).sort()

    expect(statuses).toEqual([200, 412, 412, 412, 412, 412, 412, 412])
  })

  it('delete only what was seen', async () => {
    const made = await alice.post('/api/v1/workspaces', { body: { name: 'Short-lived' } })
    const path = `/api/v1/workspaces/${made.body.data.id}`
    const seen = await alice.get(path)
    await alice.put(path, { body: { description: 'changed' } })

    expect((await alice.delete(path, { headers: match(seen) })).status).toBe(412)
    expect((await alice.delete(path, { headers: { 'if-match': 'nonsense' } })).status).toBe(412)
    const stable = await until(
      async () => alice.delete(path, { headers: match(await alice.get(path)) }),
      ({ status }) => status !== 412,
    )
    expect(stable.status).toBe(200)
  })

  it('hold start, stop and change of a VM to the version that was seen', async () => {
    const made = await alice.post('/api/v1/vms', { body: vm() })
    const path = `/api/v1/vms/${made.body.data.id}`

    expect((await alice.post(`${path}/stop`, { headers: { 'if-match': '"1"' } })).status).toBe(412)
    expect(
      (await alice.call('PATCH', path, { body: { power: 'stopped' }, headers: { 'if-match': '"1"' } })).status,
    ).toBe(412)
    expect((await alice.delete(path, { headers: { 'if-match': '"1"' } })).status).toBe(412)
    expect((await alice.call('PATCH', path, { body: { instance_type: 'large' } })).body.data.instance_type).toBe(
      'large',
    )
  })
})

describe('Idempotency-Key', () => {
  it('makes one workspace, however often and wherever it is asked', async () => {
    const headers = key()
    const body = { name: 'Once' }
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        (index % 2 ? alice : alice.at(elsewhere)).post('/api/v1/workspaces', { body, headers }),
      ),
    )
    const later = await alice.post('/api/v1/workspaces', { body, headers })

    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201, 201])
    expect(new Set([...answers, later].map((answer) => answer.body.data.id)).size).toBe(1)
    expect(later.headers.get('idempotent-replayed')).toBe('true')
    const all = (await alice.get('/api/v1/workspaces?limit=1000')).body.data
    expect(all.filter((one: { name: string }) => one.name === 'Once')).toHaveLength(1)
    expect((await alice.post('/api/v1/workspaces', { body: { name: 'Twice' }, headers })).body.error.code).toBe(
      'CONFLICT',
    )
  })

  it('makes one VM, also of a name that is then taken for everybody else', async () => {
    const headers = { ...key(), ...now }
    const body = vm()
    const [first, second] = await Promise.all([
      alice.post('/api/v1/vms', { body, headers }),
      alice.at(elsewhere).post('/api/v1/vms', { body, headers }),
    ])

    expect([first.status, second.status]).toEqual([201, 201])
    expect(first.body.data.id).toBe(second.body.data.id)
    expect((await alice.post('/api/v1/vms', { body, headers: { ...key(), ...now } })).status).toBe(409)
    expect((await alice.post('/api/v1/vms', { body, headers: now })).status).toBe(409)
    expect((await alice.post('/api/v1/vms', { body: vm(), headers })).status).toBe(409)
  })

  it('makes one credential, whole, and keeps nothing of its secret', async () => {
    const headers = key()
    const other = await alice.post('/api/v1/workspaces', { body: { name: 'Credentials' } })
    const body = { ...credential({ secret_key: 'the-very-secret' }), workspace_id: other.body.data.id }
    const answers = await Promise.all([
      alice.post('/api/v1/credentials', { body, headers }),
      alice.at(elsewhere).post('/api/v1/credentials', { body, headers }),
    ])

    expect(answers.map(({ status }) => status)).toEqual([201, 201])
    const [id] = [...new Set(answers.map((answer) => answer.body.data.id))]
    expect((await alice.post('/api/v1/credentials', { body: credential({ secret_key: 'x' }), headers })).status).toBe(
      409,
    )
    const shown = await installation.cluster.kubectl('get', 'credentials', '-A', '-o', 'json')
    expect(shown).not.toContain('the-very-secret')
    const { metadata, spec } = JSON.parse(shown).items.find(
      (one: { metadata: { uid: string } }) => one.metadata.uid === id,
    )
    const secret = await installation.cluster.kubectl(
      'get',
      'secret',
      spec.secretRef.name,
      '-n',
      metadata.namespace,
      '-o',
      'json',
    )
    expect(Buffer.from(JSON.parse(secret).data.secret_key, 'base64').toString()).toBe('the-very-secret')
  })

  it('makes one account, also for those who ask twice at once', async () => {
    const headers = key()
    const body = { email: `once-${crypto.randomUUID()}@example.com`, password: 'correct horse', name: 'Once' }
    const register = (url: string, more = {}) =>
      rest(url).post('/api/v1/auth/register', { body: { ...body, ...more }, headers })
    const answers = await Promise.all(installation.urls.map((url) => register(url)))
    const later = await register(elsewhere)

    expect([...answers, later].map(({ status }) => status)).toEqual([201, 201, 201])
    expect(new Set([...answers, later].map((answer) => answer.body.data.id)).size).toBe(1)
    expect((await register(elsewhere, { name: 'Other' })).status).toBe(409)
    expect((await rest(installation.url).post('/api/v1/auth/register', { body })).status).toBe(409)
    const { email, password } = body
    expect((await rest(elsewhere).post('/api/v1/auth/login', { body: { email, password } })).status).toBe(200)
  })

  it('makes one execution', async () => {
    const headers = key()
    const body = { workspace_id: workspace, config: 'output "a" { value = 1 }' }
    const answers = await Promise.all(
      [alice, alice.at(elsewhere)].map((who) => who.post('/api/v1/iac/plan', { body, headers })),
    )

    expect(answers.map(({ status }) => status)).toEqual([201, 201])
    expect(answers[0]?.body.data.id).toBe(answers[1]?.body.data.id)
    expect((await alice.post('/api/v1/iac/plan', { body: { ...body, config: '' }, headers })).status).toBe(400)
    expect((await alice.post('/api/v1/iac/plan', { body: { ...body, config: '# other' }, headers })).status).toBe(409)
  })

  it('is one caller’s own: another with the same key makes another thing', async () => {
    const bob = await installation.newcomer('Bob')
    const headers = key()
    const answers = [
      await alice.post('/api/v1/workspaces', { body: { name: 'Shared key' }, headers }),
      await bob.post('/api/v1/workspaces', { body: { name: 'Shared key' }, headers }),
    ]

    expect(answers.map(({ status }) => status)).toEqual([201, 201])
    expect(answers[0]?.body.data.id).not.toBe(answers[1]?.body.data.id)
  })

  it('refuses a key that is none', async () => {
    const answer = await alice.post('/api/v1/workspaces', {
      body: { name: 'x' },
      headers: { 'idempotency-key': 'a b' },
    })

    expect(answer.status).toBe(400)
    expect(answer.body.error.details.fields).toHaveProperty('Idempotency-Key')
  })

  it('survives a replica that dies after it has written and before it has answered', async () => {
    const { program, url } = await installation.startFacade()
    const headers = key()
    const body = vm()
    const lost = alice
      .at(url)
      .post('/api/v1/vms', { body, headers: { ...headers, prefer: 'wait=60' } })
      .catch(() => undefined)
    await until(
      () => alice.get(`/api/v1/vms?workspace_id=${workspace}&name=${body.name}`),
      (answer) => answer.body.data.length === 1,
    )
    program.kill('SIGKILL')
    await lost

    const again = await alice.post('/api/v1/vms', { body, headers: { ...headers, ...now } })
    expect(again.status).toBe(201)
    expect((await alice.get(`/api/v1/vms?workspace_id=${workspace}&name=${body.name}`)).body.data).toHaveLength(1)
  })
})
