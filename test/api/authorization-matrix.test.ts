/**
 * Who may do what: each route of `/openapi.json` × each kind of caller, as a table. A route without a line fails.
 *
 * Whoever may not know of a thing gets, byte for byte, the answer for an id that never existed.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NOBODY } from '../contract/forms.ts'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { type Answer, type Person, person, type Rest, rest, until } from '../contract/rest.ts'
import { made, makeWorkspace, simKeys, vmBody } from '../contract/rows/team.ts'

/** `platform` is an administrator of the installation; `disabled` was a member. */
const table = `
                                              owner admin member viewer outsider platform disabled anonymous
GET    /health                                  200   200    200    200      200      200      200       200
GET    /.well-known/jwks.json                   200   200    200    200      200      200      200       200
GET    /debug/config                            403   403    403    403      403      200      401       401
GET    /api/v1/audit                            403   403    403    403      403      200      401       401

POST   /api/v1/auth/register                    400   400    400    400      400      400      400       400
POST   /api/v1/auth/login                       200   200    200    200      200      200      401       400
POST   /api/v1/auth/logout                      200   200    200    200      200      200      401       401
GET    /api/v1/auth/sessions                    200   200    200    200      200      200      401       401
DELETE /api/v1/auth/sessions                    200   200    200    200      200      200      401       401
GET    /api/v1/auth/sessions/{id}               200   404    404    404      404      404      401       401
DELETE /api/v1/auth/sessions/{id}               200   404    404    404      404      404      401       401
POST   /api/v1/auth/tokens                      201   201    201    201      201      201      401       401
GET    /api/v1/oidc/{provider}/auth             404   404    404    404      404      404      401       404
POST   /api/v1/oidc/{provider}/callback         404   404    404    404      404      404      401       404

GET    /api/v1/users                            403   403    403    403      403      200      401       401
GET    /api/v1/users/{id}                       200   200    200    200      404      200      401       401
PUT    /api/v1/users/{id}                       403   403    200    403      404      200      401       401
PATCH  /api/v1/users/{id}                       403   403    200    403      404      200      401       401
DELETE /api/v1/users/{id}                       403   403    403    403      404      200      401       401

POST   /api/v1/workspaces                       201   201    201    201      201      201      401       401
GET    /api/v1/workspaces                       200   200    200    200      200      200      401       401
GET    /api/v1/workspaces/{id}                  200   200    200    200      404      200      401       401
PUT    /api/v1/workspaces/{id}                  200   200    403    403      404      200      401       401
PATCH  /api/v1/workspaces/{id}                  200   200    403    403      404      200      401       401
DELETE /api/v1/workspaces/{id}                  200   403    403    403      404      200      401       401
GET    /api/v1/workspaces/{id}/watch            200   200    200    200      404      200      401       401
GET    /api/v1/workspaces/{id}/members          200   200    200    200      404      200      401       401
POST   /api/v1/workspaces/{id}/members          200   200    403    403      404      200      401       401
DELETE /api/v1/workspaces/{id}/members/{userID} 200   200    403    403      404      200      401       401

POST   /api/v1/credentials                      201   201    403    403      404      201      401       401
GET    /api/v1/credentials                      200   200    200    200      404      200      401       401
GET    /api/v1/credentials/{id}                 200   200    200    200      404      200      401       401
PUT    /api/v1/credentials/{id}                 200   200    403    403      404      200      401       401
PATCH  /api/v1/credentials/{id}                 200   200    403    403      404      200      401       401
DELETE /api/v1/credentials/{id}                 200   200    403    403      404      200      401       401

POST   /api/v1/vms                              201   201    201    403      404      201      401       401
GET    /api/v1/vms                              200   200    200    200      404      200      401       401
GET    /api/v1/vms/watch                        200   200    200    200      200      200      401       401
GET    /api/v1/vms/{id}                         200   200    200    200      404      200      401       401
PATCH  /api/v1/vms/{id}                         200   200    200    403      404      200      401       401
POST   /api/v1/vms/{id}/start                   200   200    200    403      404      200      401       401
POST   /api/v1/vms/{id}/stop                    200   200    200    403      404      200      401       401
DELETE /api/v1/vms/{id}                         200   200    200    403      404      200      401       401

GET    /api/v1/providers                        200   200    200    200      200      200      401       401
GET    /api/v1/providers/{name}                 200   200    200    200      200      200      401       401
GET    /api/v1/providers/{name}/regions         200   200    200    200      200      200      401       401
GET    /api/v1/providers/{name}/instances       200   200    200    200      404      200      401       401
GET    /api/v1/providers/{name}/instances/{instanceID}
                                                404   404    404    404      404      404      401       401
POST   /api/v1/providers/{name}/cost-estimates  201   201    201    201      201      201      401       401
GET    /api/v1/providers/{name}/cost-estimates  200   200    200    200      200      200      401       401
DELETE /api/v1/providers/{name}/cost-estimates/{id}
                                                200   404    404    404      404      404      401       401

POST   /api/v1/iac/plan                         201   201    201    403      404      201      401       401
POST   /api/v1/iac/apply                        201   201    201    403      404      201      401       401
POST   /api/v1/iac/destroy                      201   201    201    403      404      201      401       401
GET    /api/v1/iac/executions                   200   200    200    200      404      200      401       401
GET    /api/v1/iac/executions/{id}              200   200    200    200      404      200      401       401
GET    /api/v1/iac/executions/{id}/output       200   200    200    200      404      200      401       401
GET    /api/v1/iac/executions/{id}/plan         200   200    200    200      404      200      401       401
POST   /api/v1/iac/executions/{id}/approve      409   409    409    403      404      409      401       401
POST   /api/v1/iac/executions/{id}/cancel       200   200    200    403      404      200      401       401
`

type Statuses = Readonly<Record<string, number>>

/** By route: what each kind of caller gets. */
function parsed(text: string): ReadonlyMap<string, Statuses> {
  const [head = '', ...lines] = text.replaceAll('}\n  ', '} ').split('\n').filter(Boolean)
  const names = head.trim().split(/ +/)
  return new Map(
    lines.map((line) => {
      const [method = '', path = '', ...statuses] = line.trim().split(/ +/)
      return [`${method} ${path}`, Object.fromEntries(names.map((name, at) => [name, Number(statuses[at])]))]
    }),
  )
}

const matrix = parsed(table)
const everybody = Object.keys([...matrix.values()][0] ?? {})

/** What paths and bodies name. */
const nowhere = {
  workspace: NOBODY,
  credential: NOBODY,
  vm: NOBODY,
  run: NOBODY,
  /** Of the member among the callers. */
  user: NOBODY,
  /** Of a viewer who is none of the callers. */
  bystander: NOBODY,
  /** Of the owner. */
  session: NOBODY,
  /** Of the owner. */
  estimate: NOBODY,
}
type Ids = Readonly<typeof nowhere>

interface Request {
  readonly path: (ids: Ids) => string
  readonly body?: (ids: Ids) => object
  /** For what can be done once only: made anew for each who may. */
  readonly fresh?: () => Promise<Partial<Ids>>
}

const at = (path: string, more: Omit<Request, 'path'> = {}): Request => ({ path: () => path, ...more })
const workspaceAt = (rest: string, more: Omit<Request, 'path'> = {}): Request => ({
  path: ({ workspace }) => `/api/v1/workspaces/${workspace}${rest}`,
  ...more,
})
const userAt = (more: Omit<Request, 'path'> = {}): Request => ({ path: ({ user }) => `/api/v1/users/${user}`, ...more })
const sessionAt = (more: Omit<Request, 'path'> = {}): Request => ({
  path: ({ session }) => `/api/v1/auth/sessions/${session}`,
  ...more,
})
const credentialAt = (more: Omit<Request, 'path'> = {}): Request => ({
  path: ({ credential }) => `/api/v1/credentials/${credential}`,
  ...more,
})
const vmAt = (rest: string, more: Omit<Request, 'path'> = {}): Request => ({
  path: ({ vm }) => `/api/v1/vms/${vm}${rest}`,
  ...more,
})
const runAt = (rest: string, more: Omit<Request, 'path'> = {}): Request => ({
  path: ({ run }) => `/api/v1/iac/executions/${run}${rest}`,
  ...more,
})
const ofWorkspace = (path: string): Request => ({ path: ({ workspace }) => `${path}?workspace_id=${workspace}` })

const keys = { access_key: 'a', secret_key: 's' }
const credentialBody = ({ workspace: workspace_id }: Ids) => ({ workspace_id, provider: 'aws', credentials: keys })
const estimateBody = { instance_type: 'small', region: 'sim-1', duration_hours: 1 }
const runBody = ({ workspace: workspace_id }: Ids) => ({ workspace_id, config: 'output "a" { value = 1 }' })

const requests: Readonly<Record<string, Request>> = {
  'POST /api/v1/auth/register': at('/api/v1/auth/register', { body: () => ({}) }),
  'DELETE /api/v1/auth/sessions/{id}': sessionAt({
    fresh: async () => ({ session: await anotherSession(), estimate: await anEstimate() }),
  }),
  'GET /api/v1/auth/sessions/{id}': sessionAt({ fresh: async () => ({ session: await anotherSession() }) }),
  'POST /api/v1/auth/tokens': at('/api/v1/auth/tokens', { body: () => ({ name: 'ci' }) }),
  'GET /api/v1/oidc/{provider}/auth': at('/api/v1/oidc/none/auth'),
  'POST /api/v1/oidc/{provider}/callback': at('/api/v1/oidc/none/callback', {
    body: () => ({ code: 'c', state: 's' }),
  }),

  'GET /api/v1/users/{id}': userAt(),
  'PUT /api/v1/users/{id}': userAt({ body: () => ({ name: 'Renamed' }) }),
  'PATCH /api/v1/users/{id}': userAt({ body: () => ({ name: 'Renamed' }) }),
  'DELETE /api/v1/users/{id}': {
    path: ({ bystander }) => `/api/v1/users/${bystander}`,
    fresh: async () => ({ bystander: (await joined('viewer')).id }),
  },

  'POST /api/v1/workspaces': at('/api/v1/workspaces', { body: () => ({ name: 'Another' }) }),
  'GET /api/v1/workspaces/{id}': workspaceAt(''),
  'PUT /api/v1/workspaces/{id}': workspaceAt('', { body: () => ({ description: 'changed' }) }),
  'PATCH /api/v1/workspaces/{id}': workspaceAt('', { body: () => ({ description: 'changed' }) }),
  'DELETE /api/v1/workspaces/{id}': workspaceAt('', { fresh: async () => ({ workspace: await makeWorkspace(owner) }) }),
  'GET /api/v1/workspaces/{id}/watch': workspaceAt('/watch'),
  'GET /api/v1/workspaces/{id}/members': workspaceAt('/members'),
  'POST /api/v1/workspaces/{id}/members': workspaceAt('/members', {
    body: ({ bystander }) => ({ user_id: bystander, role: 'viewer' }),
  }),
  'DELETE /api/v1/workspaces/{id}/members/{userID}': {
    path: ({ workspace, bystander }) => `/api/v1/workspaces/${workspace}/members/${bystander}`,
    fresh: async () => ({ bystander: (await joined('viewer')).id }),
  },

  'POST /api/v1/credentials': at('/api/v1/credentials', { body: credentialBody }),
  'GET /api/v1/credentials': ofWorkspace('/api/v1/credentials'),
  'GET /api/v1/credentials/{id}': credentialAt(),
  'PUT /api/v1/credentials/{id}': credentialAt({ body: () => ({ credentials: simKeys }) }),
  'PATCH /api/v1/credentials/{id}': credentialAt({ body: () => ({ credentials: simKeys }) }),
  'DELETE /api/v1/credentials/{id}': credentialAt({
    fresh: async () => ({ credential: await made(owner.post('/api/v1/credentials', { body: credentialBody(ids) })) }),
  }),

  'POST /api/v1/vms': at('/api/v1/vms', { body: ({ workspace }) => vmBody(workspace) }),
  'GET /api/v1/vms': ofWorkspace('/api/v1/vms'),
  'GET /api/v1/vms/{id}': vmAt(''),
  'PATCH /api/v1/vms/{id}': vmAt('', { body: () => ({ instance_type: 'large' }) }),
  'POST /api/v1/vms/{id}/start': vmAt('/start'),
  'POST /api/v1/vms/{id}/stop': vmAt('/stop'),
  'DELETE /api/v1/vms/{id}': vmAt('', { fresh: async () => ({ vm: await makeVm() }) }),

  'GET /api/v1/providers/{name}': at('/api/v1/providers/sim'),
  'GET /api/v1/providers/{name}/regions': at('/api/v1/providers/sim/regions'),
  'GET /api/v1/providers/{name}/instances': ofWorkspace('/api/v1/providers/sim/instances'),
  'GET /api/v1/providers/{name}/instances/{instanceID}': ofWorkspace('/api/v1/providers/sim/instances/i-0'),

  'GET /api/v1/providers/{name}/cost-estimates': at('/api/v1/providers/sim/cost-estimates'),
  'POST /api/v1/providers/{name}/cost-estimates': at('/api/v1/providers/sim/cost-estimates', {
    body: () => estimateBody,
  }),
  'DELETE /api/v1/providers/{name}/cost-estimates/{id}': {
    path: ({ estimate }) => `/api/v1/providers/sim/cost-estimates/${estimate}`,
    fresh: async () => ({ estimate: await anEstimate() }),
  },

  'POST /api/v1/iac/plan': at('/api/v1/iac/plan', { body: runBody }),
  'POST /api/v1/iac/apply': at('/api/v1/iac/apply', { body: runBody }),
  'POST /api/v1/iac/destroy': at('/api/v1/iac/destroy', { body: runBody }),
  'GET /api/v1/iac/executions': ofWorkspace('/api/v1/iac/executions'),
  'GET /api/v1/iac/executions/{id}': runAt(''),
  'GET /api/v1/iac/executions/{id}/output': runAt('/output'),
  'GET /api/v1/iac/executions/{id}/plan': runAt('/plan', {
    fresh: async () => {
      await until(
        () => owner.get(`/api/v1/iac/executions/${ids.run}/plan`),
        ({ status }) => status === 200,
        60_000,
      )
      return {}
    },
  }),
  'POST /api/v1/iac/executions/{id}/approve': runAt('/approve', {
    body: () => ({ digest: `sha256:${'0'.repeat(64)}` }),
  }),
  'POST /api/v1/iac/executions/{id}/cancel': runAt('/cancel'),
}

let installation: Installation
let ids: Ids
let owner: Person
const callers = new Map<string, Rest & { readonly account: Person | undefined }>()

async function join(who: Person, role: string): Promise<Person> {
  const path = `/api/v1/workspaces/${ids.workspace}/members`
  const answer = await owner.post(path, { body: { user_id: who.id, role } })
  if (answer.status !== 200) throw new Error(answer.text)
  return who
}

const joined = async (role: string) => join(await installation.newcomer(role), role)

const makeVm = () =>
  made(owner.post('/api/v1/vms', { body: vmBody(ids.workspace), headers: { prefer: 'respond-async' } }))

const anEstimate = () => made(owner.post('/api/v1/providers/sim/cost-estimates', { body: estimateBody }))

async function anotherSession(): Promise<string> {
  const again = await person(installation.url, owner)
  const { data } = (await again.get('/api/v1/auth/sessions')).body
  return data.find(({ current }: { current: boolean }) => current).id
}

beforeAll(async () => {
  installation = await startInstallation()
  owner = await installation.newcomer('Owner')
  ids = { ...nowhere, workspace: await makeWorkspace(owner) }
  const { workspace: workspace_id } = ids
  const credential = await made(
    owner.post('/api/v1/credentials', { body: { workspace_id, provider: 'sim', credentials: simKeys } }),
  )
  const [admin, member, viewer, disabled] = [
    await joined('admin'),
    await joined('member'),
    await joined('viewer'),
    await joined('member'),
  ]
  const bystander = await joined('viewer')
  const run = await made(owner.post('/api/v1/iac/plan', { body: runBody(ids) }))
  ids = {
    ...ids,
    credential,
    vm: await makeVm(),
    run,
    user: member.id,
    bystander: bystander.id,
    session: await anotherSession(),
  }

  const { kubectl } = installation.cluster
  const users = JSON.parse(await kubectl('get', 'users.skyclust.io', '-o', 'json')).items
  const { name } = users.find((one: { metadata: { uid: string } }) => one.metadata.uid === disabled.id).metadata
  await kubectl('patch', 'users.skyclust.io', name, '--type=merge', '-p', '{"spec":{"disabled":true}}')
  await until(
    () => disabled.get('/api/v1/users/me'),
    ({ status }) => status === 401,
  )
  const outsider = await installation.newcomer('Outsider')
  const platform = await installation.admin()
  const all = { owner, admin, member, viewer, outsider, platform, disabled }
  for (const [kind, who] of Object.entries(all)) callers.set(kind, { ...who, account: who })
  callers.set('anonymous', { ...rest(installation.url), account: undefined })
})
afterAll(() => installation?.[Symbol.asyncDispose]())

/** `{id}` and the like are answered for by `requests`; paths without them ask for themselves. */
async function ask(route: string, kind: string, about: Ids): Promise<Answer> {
  const [method = '', path = ''] = route.split(' ')
  const { account, ...who } = callers.get(kind) ?? { ...rest(installation.url), account: undefined }
  if (route.endsWith('/auth/login')) {
    const { email, password } = account ?? {}
    return rest(installation.url).post(path, { body: { email, password } })
  }
  if (route.endsWith('/auth/logout') && account && kind !== 'disabled') {
    return (await person(installation.url, account)).post(path)
  }
  const request = requests[route] ?? at(path)
  const body = request.body && { body: request.body(about) }
  const asked = route.endsWith('/watch') ? 'HEAD' : method // a stream does not end
  return who.call(asked, request.path(about), { ...body, headers: { prefer: 'respond-async' } })
}

/** What an answer gives away; ids and times of the request itself apart. */
function given({ status, text, headers }: Answer) {
  const own = new Set(['x-request-id', 'date', 'ratelimit'])
  return { status, text, headers: [...headers].filter(([name]) => !own.has(name)) }
}

describe('the routes of /openapi.json', () => {
  it('are those of the table', async () => {
    const { paths } = (await rest(installation.url).get('/openapi.json')).body
    const documented = Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )

    expect([...matrix.keys()].sort()).toEqual(documented.sort())
  })
})

describe('each kind of caller', () => {
  it.each([...matrix])('%s', async (route, expected) => {
    const answered: Record<string, number> = {}
    for (const kind of everybody) {
      const isAllowed = (expected[kind] ?? 0) < 300
      const fresh = isAllowed ? await requests[route]?.fresh?.() : {}
      answered[kind] = (await ask(route, kind, { ...ids, ...fresh })).status
    }
    expect(answered).toEqual(expected)

    if (expected.outsider === 404) {
      expect(given(await ask(route, 'outsider', ids))).toEqual(given(await ask(route, 'outsider', nowhere)))
    }
  })
})

describe('a RoleBinding that was taken away with kubectl', () => {
  it('stops the writes that it allowed, though REST still shows the role', async () => {
    const { kubectl } = installation.cluster
    const member = await joined('member')
    const workspaces = JSON.parse(await kubectl('get', 'workspaces', '-o', 'json')).items
    const found = workspaces.find((one: { metadata: { uid: string } }) => one.metadata.uid === ids.workspace)
    const { name } = found.metadata
    expect((await member.post(`/api/v1/vms/${ids.vm}/stop`)).status).toBe(200)

    await kubectl('annotate', 'workspace', name, 'skyclust.io/paused=true') // or the controller would put it back
    await kubectl('delete', 'rolebindings', '-n', name, '--all')
    const refused = await until(
      () => member.post(`/api/v1/vms/${ids.vm}/start`),
      ({ status }) => status !== 200,
    )

    expect(refused.status).toBe(403)
    expect(refused.body.error.code).toBe('FORBIDDEN')
    expect((await member.get(`/api/v1/vms/${ids.vm}`)).status).toBe(200)
  })
})
