/** One's sessions, and the API tokens among them. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Session } from '../../crds/session.ts'
import { DEFAULT_TOKEN_LIFE_MS, MAX_TOKEN_LIFE_MS, requireLogin } from '../auth/api-tokens.ts'
import type { Caller } from '../auth/caller.ts'
import type { Facade } from '../facade.ts'
import { invalidField, notFound } from '../http/api-error.ts'
import { type ApiContext, callerIn } from '../http/call.ts'
import { type ApiApp, apiApp, data, failures, jsonBody, list, message, serve } from '../http/define-route.ts'
import { idempotencyKey } from '../http/documented-headers.ts'
import { createdAnswer, dataAnswer, listAnswer, messageAnswer } from '../http/envelope.ts'
import { oldestFirst, pageOf, pageQuery } from '../http/pagination.ts'
import { pathId, reference, title } from '../http/schemas.ts'
import { markOf, sayReplayed } from '../idempotency.ts'
import { sessionData, sessionSchema } from '../shapes/session.ts'
import { canonicalId } from '../store/exact-lookup.ts'

const tags = ['Auth']
const params = z.object({ id: pathId })

const listSessions = createRoute({
  tags,
  method: 'get',
  path: '/auth/sessions',
  summary: "The caller's sessions: logins and API tokens",
  request: { query: z.strictObject({ ...pageQuery, kind: z.enum(['login', 'token']).optional() }) },
  responses: { 200: list('Oldest first.', sessionSchema), ...failures },
})

const getSession = createRoute({
  tags,
  method: 'get',
  path: '/auth/sessions/{id}',
  summary: 'A session of the caller',
  request: { params },
  responses: { 200: data('The session.', sessionSchema), ...failures },
})

const endSession = createRoute({
  tags,
  method: 'delete',
  path: '/auth/sessions/{id}',
  summary: 'End a session; its token is dead from then on, on every replica',
  request: { params },
  responses: { 200: message('The session has ended.'), ...failures },
})

const endOthers = createRoute({
  tags,
  method: 'delete',
  path: '/auth/sessions',
  summary: 'End all sessions of the caller but this one, API tokens included',
  responses: { 200: message('The sessions have ended.'), ...failures },
})

const makeToken = createRoute({
  tags,
  method: 'post',
  path: '/auth/tokens',
  summary: 'Make an API token for a script or a pipeline',
  description:
    'The token is shown this once. It may do no more than its user, within its scope, and cannot make or end sessions.',
  request: {
    headers: idempotencyKey,
    body: jsonBody(
      z.strictObject({
        name: title(128),
        scope: z
          .array(z.enum(['read', 'write']))
          .min(1)
          .max(2)
          .default(['read'])
          .openapi({ description: 'write includes read.' }),
        workspace_id: reference.optional().openapi({ description: 'The only workspace it may see.' }),
        expires_at: z.iso
          .datetime()
          .optional()
          .openapi({ description: 'In a year at most; by default in 90 days.', example: '2030-01-01T00:00:00Z' }),
      }),
    ),
  },
  responses: { 201: data('The token.', sessionSchema.extend({ token: z.string() })), ...failures },
})

const lifeWords = {
  ko: '미래의 시각이어야 하며 지금부터 366일을 넘을 수 없습니다.',
  en: 'must be in the future, 366 days from now at most',
}
const ended = { ko: '세션이 종료되었습니다.', en: 'The session has ended.' }
const othersEnded = { ko: '다른 세션이 모두 종료되었습니다.', en: 'All other sessions have ended.' }

/** @param now milliseconds since the epoch */
export function tokenRoutes(
  facade: Pick<Facade, 'store' | 'access' | 'sessions' | 'apiTokens'>,
  now: () => number = Date.now,
): ApiApp {
  const { store, access, sessions, apiTokens } = facade
  const app = apiApp()

  function shown(session: Session, caller: Caller) {
    return sessionData(session, { current: caller.session, workspaces: store.workspaces })
  }

  function ownSessions(caller: Caller): readonly Session[] {
    return store
      .sessionsOfUser(caller.id)
      .filter((session) => isLiving(session, now()))
      .toSorted(oldestFirst)
  }

  function ownSession(context: ApiContext, caller: Caller): Session {
    const id = canonicalId(context.req.param('id') ?? '')
    const session = ownSessions(caller).find(({ metadata }) => metadata.uid === id)
    if (session === undefined) throw notFound()
    context.env.call.object = { resource: 'sessions', id: session.metadata.uid, name: session.metadata.name }
    return session
  }

  serve(app, listSessions, (context) => {
    const caller = callerIn(context)
    requireLogin(caller)
    const { kind, ...page } = context.req.valid('query')
    const all = ownSessions(caller).map((session) => shown(session, caller))
    const { items, total } = pageOf(
      all.filter((session) => kind === undefined || session.kind === kind),
      page,
    )
    return listAnswer<z.output<typeof sessionSchema>>(context, {
      items: items.map((one) => JSON.stringify(one)),
      total,
    })
  })

  serve(app, getSession, (context) => {
    const caller = callerIn(context)
    requireLogin(caller)
    return dataAnswer(context, shown(ownSession(context, caller), caller))
  })

  serve(app, endSession, async (context) => {
    const caller = callerIn(context)
    requireLogin(caller)
    await sessions.end(ownSession(context, caller))
    return messageAnswer(context, ended)
  })

  serve(app, endOthers, async (context) => {
    const caller = callerIn(context)
    requireLogin(caller)
    await sessions.endAll(caller.user, caller.session)
    return messageAnswer(context, othersEnded)
  })

  serve(app, makeToken, async (context) => {
    const caller = callerIn(context)
    requireLogin(caller)
    const { workspace_id, expires_at, ...wanted } = context.req.valid('json')
    const workspace =
      workspace_id === undefined ? undefined : await access.workspace(caller, workspace_id, 'workspace.read')
    const made = await apiTokens.make(
      caller,
      { ...wanted, workspace, expiresAt: endOf(expires_at, now()) },
      {
        origin: { userAgent: context.req.header('user-agent'), sourceAddress: context.env.call.sourceAddress },
        mark: markOf(context, caller.id, { ...wanted, workspace_id, expires_at }),
      },
    )
    const { metadata } = made.session
    context.env.call.object = { resource: 'sessions', id: metadata.uid, name: metadata.name }
    sayReplayed(context, made)
    return createdAnswer(context, { ...shown(made.session, caller), token: made.token })
  })

  return app
}

function isLiving({ metadata, spec }: Session, now: number): boolean {
  return metadata.deletionTimestamp === undefined && Date.parse(spec.expiresAt) > now
}

function endOf(wanted: string | undefined, now: number): number {
  if (wanted === undefined) return now + DEFAULT_TOKEN_LIFE_MS
  const end = Date.parse(wanted)
  if (!(end > now && end <= now + MAX_TOKEN_LIFE_MS)) throw invalidField('expires_at', lifeWords)
  return end
}
