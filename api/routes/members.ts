/** Members of a workspace. */
import { createRoute, z } from '@hono/zod-openapi'
import type { User } from '../../crds/user.ts'
import { type Workspace, workspaceKind, workspaceRoles } from '../../crds/workspace.ts'
import type { Facade } from '../facade.ts'
import { ApiError, notFound } from '../http/api-error.ts'
import { callerIn } from '../http/call.ts'
import { type ApiApp, apiApp, failures, jsonBody, list, message, serve } from '../http/define-route.ts'
import { listAnswer, messageAnswer } from '../http/envelope.ts'
import { pageOf, pageQuery } from '../http/pagination.ts'
import { email, pathId, reference } from '../http/schemas.ts'
import { check } from '../http/validation.ts'
import { done, refused } from '../language/messages.ts'
import { memberSchema, membersData } from '../shapes/workspace.ts'
import { type Change, change } from '../writes/change.ts'

const tags = ['Workspaces']

const newMember = z
  .strictObject({ user_id: reference.optional(), email: email.optional(), role: z.enum(workspaceRoles) })
  .refine(
    (body) => (body.user_id === undefined) !== (body.email === undefined),
    check({ ko: 'user_id와 email 중 하나가 필요합니다.', en: 'give either user_id or email' }),
  )

const listMembers = createRoute({
  tags,
  method: 'get',
  path: '/workspaces/{id}/members',
  summary: 'Who is in the workspace, the owner first',
  request: { params: z.object({ id: pathId }), query: z.strictObject(pageQuery) },
  responses: { 200: list('The members.', memberSchema), ...failures },
})

const addMember = createRoute({
  tags,
  method: 'post',
  path: '/workspaces/{id}/members',
  summary: 'Add a member, or give one another role',
  request: { params: z.object({ id: pathId }), body: jsonBody(newMember) },
  responses: { 200: message('The user has the role.'), ...failures },
})

const removeMember = createRoute({
  tags,
  method: 'delete',
  path: '/workspaces/{id}/members/{userID}',
  summary: 'Remove a member',
  request: { params: z.object({ id: pathId, userID: pathId }) },
  responses: { 200: message('The user is no member any more.'), ...failures },
})

const SEEN_WITHIN_MS = 2_000

export function memberRoutes({ store, access, asCaller }: Pick<Facade, 'store' | 'access' | 'asCaller'>): ApiApp {
  const app = apiApp()

  /** A workspace admin may add anybody whose id or address they know. */
  async function userOf(given: z.output<typeof newMember>): Promise<User> {
    const user =
      given.email === undefined ? await store.userById(given.user_id ?? '') : store.usersByEmail(given.email)[0]
    if (user === undefined || user.metadata.deletionTimestamp !== undefined) throw notFound()
    return user
  }

  serve(app, listMembers, async (context) => {
    const workspace = await access.workspace(callerIn(context), context.req.param('id'), 'workspace.read')
    const { items, total } = pageOf(membersData(workspace, store.users), context.req.valid('query'))
    return listAnswer<z.output<typeof memberSchema>>(context, { items: items.map((one) => JSON.stringify(one)), total })
  })

  serve(app, addMember, async (context) => {
    const caller = callerIn(context)
    const workspace = await access.workspace(caller, context.req.param('id'), 'members.edit')
    const given = context.req.valid('json')
    const user = await userOf(given)
    context.env.call.object = { resource: 'workspaces', id: workspace.metadata.uid, name: workspace.metadata.name }
    const changed = await asCaller.toWorkspace(caller, workspace, (client) =>
      change(client, workspaceKind, workspace, (current) => withMember(current, user, given.role)),
    )
    await store.workspaces.seen(changed, { timeoutMs: SEEN_WITHIN_MS })
    return messageAnswer(context, done.memberAdded)
  })

  serve(app, removeMember, async (context) => {
    const caller = callerIn(context)
    const workspace = await access.workspace(caller, context.req.param('id'), 'members.edit')
    const user = await store.userById(context.req.param('userID'))
    if (user === undefined) throw notFound()
    context.env.call.object = { resource: 'workspaces', id: workspace.metadata.uid, name: workspace.metadata.name }
    const changed = await asCaller.toWorkspace(caller, workspace, (client) =>
      change(client, workspaceKind, workspace, (current) => withoutMember(current, user)),
    )
    await store.workspaces.seen(changed, { timeoutMs: SEEN_WITHIN_MS })
    return messageAnswer(context, done.memberRemoved)
  })

  return app
}

function withMember(
  { spec }: Workspace,
  { metadata }: User,
  role: (typeof workspaceRoles)[number],
): Change | undefined {
  const user = metadata.name
  if (spec.owner === user) throw new ApiError('CONFLICT', refused.ownerStays)
  const members = spec.members ?? []
  const known = members.find((member) => member.user === user)
  if (known === undefined) return { spec: { members: [...members, { user, role }] }, fields: [] }
  if (known.role === role) return undefined
  const next = members.map((member) => (member.user === user ? { ...member, role } : member))
  return { spec: { members: next }, fields: [declaration(user)] }
}

function withoutMember({ spec }: Workspace, { metadata }: User): Change {
  const user = metadata.name
  if (spec.owner === user) throw new ApiError('CONFLICT', refused.ownerStays)
  const members = spec.members ?? []
  if (!members.some((member) => member.user === user)) throw notFound()
  return { spec: { members: members.filter((member) => member.user !== user) }, fields: [declaration(user)] }
}

/** How an entry of the list is named in `managedFields`. */
function declaration(user: string): readonly string[] {
  return ['spec', 'members', `k:{"user":"${user}"}`]
}
