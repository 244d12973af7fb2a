/** Workspaces. */
import { createRoute, z } from '@hono/zod-openapi'
import type { User } from '../../crds/user.ts'
import { type Workspace, workspaceKind } from '../../crds/workspace.ts'
import { getCondition } from '../../kube/conditions.ts'
import { keyOf } from '../../kube/resource.ts'
import { requireWholeAccount } from '../auth/api-tokens.ts'
import type { Facade } from '../facade.ts'
import { ApiError, notFound } from '../http/api-error.ts'
import { type ApiContext, callerIn } from '../http/call.ts'
import { deleteSeen, requireMatch, tag, unchanged } from '../http/conditional.ts'
import {
  type ApiApp,
  apiApp,
  created,
  data,
  failures,
  jsonBody,
  list,
  message,
  notModified,
  serve,
} from '../http/define-route.ts'
import { idempotencyKey, ifMatch, ifNoneMatch } from '../http/documented-headers.ts'
import { createdAnswer, dataAnswer, listAnswer, messageAnswer } from '../http/envelope.ts'
import { pageOf, pageQuery } from '../http/pagination.ts'
import { notEmpty, pathId, reference, text, title } from '../http/schemas.ts'
import { createOnce, markedMetadata, markedName, markOf, sayReplayed } from '../idempotency.ts'
import { done, refused } from '../language/messages.ts'
import { generatedName } from '../names.ts'
import { type WorkspaceEstimate, workspaceEstimate, workspaceEstimateMark } from '../shapes/hourly-estimate.ts'
import { workspaceData, workspaceSchema } from '../shapes/workspace.ts'
import { change } from '../writes/change.ts'

const tags = ['Workspaces']
const params = z.object({ id: pathId })
const name = title(128)
const description = text({ max: 2048, multiline: true })

const createWorkspace = createRoute({
  tags,
  method: 'post',
  path: '/workspaces',
  summary: 'Make a workspace; the caller owns it',
  request: { headers: idempotencyKey, body: jsonBody(z.strictObject({ name, description: description.optional() })) },
  responses: { 201: created('The new workspace.', workspaceSchema), ...failures },
})

const listWorkspaces = createRoute({
  tags,
  method: 'get',
  path: '/workspaces',
  summary: "The caller's workspaces",
  request: { query: z.strictObject(pageQuery) },
  responses: { 200: list('Oldest first.', workspaceSchema), ...failures },
})

const getWorkspace = createRoute({
  tags,
  method: 'get',
  path: '/workspaces/{id}',
  summary: 'A workspace',
  request: { params, headers: ifNoneMatch },
  responses: { 200: data('The workspace.', workspaceSchema), ...notModified, ...failures },
})

function changeRoute(method: 'put' | 'patch') {
  return createRoute({
    tags,
    method,
    path: '/workspaces/{id}',
    summary: 'Change a workspace',
    request: {
      params,
      headers: ifMatch,
      body: jsonBody(
        notEmpty({
          name: name.optional(),
          description: description.optional(),
          owner_id: reference.optional().openapi({
            description: 'Hands the workspace over to a member; the owner so far becomes an admin of it.',
          }),
        }),
      ),
    },
    responses: {
      200: data('The workspace.', workspaceSchema.pick({ id: true, name: true, description: true, updated_at: true })),
      ...failures,
    },
  })
}

const deleteWorkspace = createRoute({
  tags,
  method: 'delete',
  path: '/workspaces/{id}',
  summary: 'Delete a workspace and all that is in it',
  request: { params, headers: ifMatch },
  responses: { 200: message('It is no longer there; what was in it is being wound down.'), ...failures },
})

/** How long a POST waits for the controller to make the namespace, so that what follows need not. */
const READY_WITHIN_MS = 3_000
const SEEN_WITHIN_MS = 2_000

export function workspaceRoutes(facade: Pick<Facade, 'store' | 'access' | 'asCaller' | 'prices'>): ApiApp {
  const { store, access, asCaller, prices } = facade
  const { workspaces, users } = store
  const app = apiApp()

  function about(context: ApiContext, { metadata }: Workspace): void {
    context.env.call.object = { resource: 'workspaces', id: metadata.uid, name: metadata.name }
  }

  function estimateOf({ status }: Workspace): WorkspaceEstimate {
    return workspaceEstimate(store.vmsIn(status?.namespace ?? ''), prices.known)
  }

  function shown(workspace: Workspace) {
    return workspaceData(workspace, { users, hourlyEstimate: estimateOf(workspace) })
  }

  async function settled(workspace: Workspace): Promise<void> {
    await workspaces.until(
      keyOf(workspace),
      (current) => getCondition(current?.status?.conditions, 'Ready')?.status === 'True',
      { timeoutMs: READY_WITHIN_MS },
    )
  }

  serve(app, createWorkspace, async (context) => {
    const caller = callerIn(context)
    const wanted = context.req.valid('json')
    requireWholeAccount(caller)
    const mark = markOf(context, caller.id, wanted)
    const name = markedName(mark, 'workspace', () => generatedName(wanted.name, 'workspace'))
    const made = await createOnce({
      mark,
      find: () => access.workspaceNamed(name),
      create: () =>
        asCaller.client(caller).create(workspaceKind, {
          metadata: { name, ...markedMetadata(mark) },
          spec: { displayName: wanted.name, description: wanted.description ?? '', owner: caller.name },
        }),
    })
    const workspace = made.object
    sayReplayed(context, made)
    about(context, workspace)
    await settled(workspace)
    return createdAnswer(context, shown(workspace), `/api/v1/workspaces/${workspace.metadata.uid}`)
  })

  serve(app, listWorkspaces, (context) => {
    const { items, total } = pageOf(store.workspacesOf(callerIn(context)), context.req.valid('query'))
    const texts = items.map((workspace) => JSON.stringify(shown(workspace)))
    return listAnswer<z.output<typeof workspaceSchema>>(context, { items: texts, total })
  })

  serve(app, getWorkspace, async (context) => {
    const workspace = await access.workspace(callerIn(context), context.req.param('id'), 'workspace.read')
    about(context, workspace)
    const known = unchanged(context, workspace, workspaceEstimateMark(estimateOf(workspace)))
    return known ?? dataAnswer(context, shown(workspace))
  })

  for (const method of ['put', 'patch'] as const)
    serve(app, changeRoute(method), async (context) => {
      const caller = callerIn(context)
      const wanted = context.req.valid('json')
      const action = wanted.owner_id === undefined ? 'workspace.edit' : 'workspace.delete'
      const workspace = await access.workspace(caller, context.req.param('id'), action)
      about(context, workspace)
      const heir = wanted.owner_id === undefined ? undefined : await store.userById(wanted.owner_id)
      if (wanted.owner_id !== undefined && heir === undefined) throw notFound()
      const changed = await asCaller.toWorkspace(caller, workspace, (client) =>
        change(client, workspaceKind, workspace, (current) => {
          requireMatch(context, current)
          const spec = {
            ...(wanted.name !== undefined && { displayName: wanted.name }),
            ...(wanted.description !== undefined && { description: wanted.description }),
            ...(heir !== undefined && handedOver(current, heir)),
          }
          return { spec, fields: Object.keys(spec).map((field) => ['spec', field]) }
        }),
      )
      await workspaces.seen(changed, { timeoutMs: SEEN_WITHIN_MS })
      tag(context, changed, workspaceEstimateMark(estimateOf(changed)))
      const { id, name, description, updated_at } = shown(changed)
      return dataAnswer(context, { id, name, description, updated_at })
    })

  serve(app, deleteWorkspace, async (context) => {
    const caller = callerIn(context)
    const workspace = await access.workspace(caller, context.req.param('id'), 'workspace.delete')
    about(context, workspace)
    const { uid } = workspace.metadata
    await asCaller.toWorkspace(caller, workspace, (client) =>
      deleteSeen(context, workspace, (preconditions) =>
        client.delete(workspaceKind, keyOf(workspace), { preconditions }),
      ),
    )
    await workspaces.until(
      keyOf(workspace),
      (current) => current?.metadata.uid !== uid || current.metadata.deletionTimestamp !== undefined,
      { timeoutMs: SEEN_WITHIN_MS },
    )
    return messageAnswer(context, done.workspaceDeleted)
  })

  return app
}

/** Only to somebody who is in the workspace already: nobody is made the owner of what they do not know of. */
function handedOver(
  { spec }: Workspace,
  { metadata: { name: heir } }: User,
): Pick<Workspace['spec'], 'owner' | 'members'> {
  const { owner, members = [] } = spec
  if (owner === heir) return { owner, members }
  if (!members.some(({ user }) => user === heir)) throw new ApiError('CONFLICT', refused.heirIsNoMember)
  const others = members.filter(({ user }) => user !== heir && user !== owner)
  return { owner: heir, members: [...others, { user: owner, role: 'admin' }] }
}
