/** Registering, logging in and out. */
import { createRoute, z } from '@hono/zod-openapi'
import { wholeSeconds } from '../../kube/conditions.ts'
import type { Facade } from '../facade.ts'
import { ApiError } from '../http/api-error.ts'
import { callerIn } from '../http/call.ts'
import { type ApiApp, apiApp, created, data, failures, jsonBody, message, serve } from '../http/define-route.ts'
import { idempotencyKey } from '../http/documented-headers.ts'
import { createdAnswer, dataAnswer, messageAnswer } from '../http/envelope.ts'
import { email, password, time, title } from '../http/schemas.ts'
import { createOnce, markedMetadata, markedName, markOf, sayReplayed } from '../idempotency.ts'
import { done, refused } from '../language/messages.ts'
import { userSummary, userSummarySchema } from '../shapes/user.ts'

const tags = ['Auth']
const open = { security: [] }

const register = createRoute({
  ...open,
  tags,
  method: 'post',
  path: '/auth/register',
  summary: 'Make an account',
  request: { headers: idempotencyKey, body: jsonBody(z.strictObject({ email, password, name: title(128) })) },
  responses: { 201: created('The new user.', userSummarySchema.extend({ created_at: time })), ...failures },
})

const login = createRoute({
  ...open,
  tags,
  method: 'post',
  path: '/auth/login',
  summary: 'Log in: a token for 24 hours',
  // What was good enough to register with may be longer or shorter than today's rule.
  request: { body: jsonBody(z.strictObject({ email: z.string().max(254), password: z.string().max(1024) })) },
  responses: {
    200: data(
      'A token, to be sent as `Authorization: Bearer`.',
      z.object({ token: z.string(), expires_at: time, user: userSummarySchema }),
    ),
    ...failures,
  },
})

const logout = createRoute({
  tags,
  method: 'post',
  path: '/auth/logout',
  summary: 'End this session; the token is dead from then on, on every replica',
  responses: { 200: message('The session has ended.'), ...failures },
})

export function authRoutes(facade: Pick<Facade, 'registration' | 'accounts' | 'login' | 'sessions'>): ApiApp {
  const app = apiApp()

  serve(app, register, async (context) => {
    if (facade.registration === 'closed') throw new ApiError('FORBIDDEN', refused.registrationClosed)
    const account = context.req.valid('json')
    const { accounts } = facade
    // Without the password: no digest of one is kept anywhere but by Argon2.
    const mark = markOf(context, 'nobody', { email: account.email, name: account.name })
    const userName = markedName(mark, 'u', accounts.newUserName)
    const made = await createOnce({
      mark,
      find: () => accounts.named(userName),
      create: () => accounts.register({ ...account, metadata: markedMetadata(mark) }, userName),
    })
    sayReplayed(context, made)
    const user = made.object
    const call = context.env.call
    call.object = { resource: 'users', id: user.metadata.uid, name: user.metadata.name }
    return createdAnswer(
      context,
      { ...userSummary(user), created_at: user.metadata.creationTimestamp },
      `/api/v1/users/${user.metadata.uid}`,
    )
  })

  serve(app, login, async (context) => {
    const { call, req } = { call: context.env.call, req: context.req }
    const given = req.valid('json')
    const user = await facade.login.byPassword(given.email, given.password, call.sourceAddress)
    call.object = { resource: 'users', id: user.metadata.uid, name: user.metadata.name }
    const origin = { userAgent: req.header('user-agent'), sourceAddress: call.sourceAddress }
    const { token, session } = await facade.sessions.begin(user, origin)
    const expires_at = wholeSeconds(new Date(session.spec.expiresAt))
    return dataAnswer(context, { token, expires_at, user: userSummary(user) })
  })

  serve(app, logout, async (context) => {
    const { session } = callerIn(context)
    context.env.call.object = { resource: 'sessions', id: session.metadata.uid, name: session.metadata.name }
    await facade.sessions.end(session)
    return messageAnswer(context, done.loggedOut)
  })

  return app
}
