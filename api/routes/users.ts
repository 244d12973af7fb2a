/** Users: oneself, and those one shares a workspace with. */
import { createRoute, z } from '@hono/zod-openapi'
import type { User } from '../../crds/user.ts'
import { requireLogin } from '../auth/api-tokens.ts'
import { requireAdmin, requireSelfOrAdmin } from '../auth/authorization.ts'
import type { Caller } from '../auth/caller.ts'
import type { Facade } from '../facade.ts'
import { ApiError, invalidField, notFound } from '../http/api-error.ts'
import { type ApiContext, callerIn } from '../http/call.ts'
import { requireMatch, tag, unchanged } from '../http/conditional.ts'
import {
  type ApiApp,
  apiApp,
  data,
  failures,
  jsonBody,
  list,
  message,
  notModified,
  serve,
} from '../http/define-route.ts'
import { ifMatch, ifNoneMatch } from '../http/documented-headers.ts'
import { dataAnswer, listAnswer, messageAnswer } from '../http/envelope.ts'
import { oldestFirst, pageOf, pageQuery } from '../http/pagination.ts'
import { email, notEmpty, password, pathName, time, title } from '../http/schemas.ts'
import { done, refused } from '../language/messages.ts'
import { userData, userSchema, userSummary, userSummarySchema } from '../shapes/user.ts'

const tags = ['Users']
const params = z.object({ id: pathName('me').openapi({ description: 'A user id, or `me`.' }) })

const listUsers = createRoute({
  tags,
  method: 'get',
  path: '/users',
  summary: 'All users, for administrators',
  request: { query: z.strictObject(pageQuery) },
  responses: { 200: list('Oldest first.', userSchema), ...failures },
})

const getUser = createRoute({
  tags,
  method: 'get',
  path: '/users/{id}',
  summary: 'A user: oneself, or somebody with whom one shares a workspace',
  request: { params, headers: ifNoneMatch },
  responses: { 200: data('The user.', userSchema), ...notModified, ...failures },
})

function changeRoute(method: 'put' | 'patch') {
  return createRoute({
    tags,
    method,
    path: '/users/{id}',
    summary: 'Change a user',
    description:
      'Only oneself or an administrator. A new password ends all other sessions of the user; to set one’s own, `current_password` is needed.',
    request: {
      params,
      headers: ifMatch,
      body: jsonBody(
        notEmpty({
          name: title(128).optional(),
          email: email.optional(),
          password: password.optional(),
          current_password: z.string().max(1024).optional(),
        }),
      ),
    },
    responses: { 200: data('The user.', userSummarySchema.extend({ updated_at: time })), ...failures },
  })
}

const deleteUser = createRoute({
  tags,
  method: 'delete',
  path: '/users/{id}',
  summary: 'Delete a user who owns no workspace',
  request: { params, headers: ifMatch },
  responses: { 200: message('The user is gone.'), ...failures },
})

export function userRoutes(facade: Pick<Facade, 'store' | 'access' | 'accounts' | 'login' | 'sessions'>): ApiApp {
  const { store, access, accounts, login, sessions } = facade
  const app = apiApp()

  /** The user an id stands for, if the caller may know of them. */
  async function userIn(context: ApiContext, caller: Caller): Promise<User> {
    const id = context.req.param('id') ?? ''
    const user = id === 'me' ? caller.user : await store.userById(id)
    if (user === undefined || user.metadata.deletionTimestamp !== undefined || !maySee(caller, user)) throw notFound()
    context.env.call.object = { resource: 'users', id: user.metadata.uid, name: user.metadata.name }
    return user
  }

  function maySee(caller: Caller, user: User): boolean {
    if (caller.isAdmin || caller.id === user.metadata.uid) return true
    const theirs = new Set(store.workspacesNaming(user.metadata.name))
    return store.workspacesOf(caller).some((workspace) => theirs.has(workspace))
  }

  async function requirePassword(
    caller: Caller,
    user: User,
    current: string | undefined,
    address: string,
  ): Promise<void> {
    if (caller.isAdmin && caller.id !== user.metadata.uid) return // a reset
    if (current === undefined) {
      throw invalidField('current_password', {
        ko: '현재 비밀번호가 필요합니다.',
        en: 'is missing: give the current password',
      })
    }
    if (!(await login.isPasswordOf(user, current, address))) {
      throw new ApiError('FORBIDDEN', refused.badCurrentPassword)
    }
  }

  serve(app, listUsers, (context) => {
    requireAdmin(callerIn(context))
    const { items, total } = pageOf(store.users.list().toSorted(oldestFirst), context.req.valid('query'))
    return listAnswer<z.output<typeof userSchema>>(context, {
      items: items.map((user) => JSON.stringify(userData(user))),
      total,
    })
  })

  serve(app, getUser, async (context) => {
    const user = await userIn(context, callerIn(context))
    return unchanged(context, user) ?? dataAnswer(context, userData(user))
  })

  for (const method of ['put', 'patch'] as const)
    serve(app, changeRoute(method), async (context) => {
      const caller = callerIn(context)
      requireLogin(caller)
      const { password: wanted, current_password: current, ...fields } = context.req.valid('json')
      let user = await userIn(context, caller)
      requireSelfOrAdmin(caller, user, true)
      requireMatch(context, user)
      if (wanted !== undefined) await requirePassword(caller, user, current, context.env.call.sourceAddress)
      if (fields.name !== undefined || fields.email !== undefined) {
        user = await accounts.change(user, fields, (current) => requireMatch(context, current))
      }
      if (wanted !== undefined) {
        await accounts.setPassword(user, wanted)
        await sessions.endAll(user, caller.id === user.metadata.uid ? caller.session : undefined)
      }
      tag(context, user)
      return dataAnswer(context, { ...userSummary(user), updated_at: userData(user).updated_at })
    })

  serve(app, deleteUser, async (context) => {
    const caller = callerIn(context)
    requireLogin(caller)
    const user = await userIn(context, caller)
    requireSelfOrAdmin(caller, user, true)
    const owned = await access.workspacesOwnedBy(user.metadata.name)
    if (owned.length > 0) {
      const names = owned.map(({ spec, metadata }) => spec.displayName ?? metadata.name).slice(0, 10)
      throw new ApiError('CONFLICT', refused.ownsWorkspaces(names.join(', ')))
    }
    requireMatch(context, user)
    await accounts.remove(user)
    return messageAnswer(context, done.userDeleted)
  })

  return app
}
