/**
 * VMs as they change, as server-sent events (`text/event-stream`).
 *
 * `reset` (forget all), `vm` (a VM as `GET /vms/:id` shows it), `vm_deleted`, `workspace_removed`, `ready` (you know everything
 * now), `end` (with the reason). Come back with `Last-Event-ID`, at any replica.
 */
import { createRoute, z } from '@hono/zod-openapi'
import type { Workspace } from '../../crds/workspace.ts'
import { keyOf } from '../../kube/resource.ts'
import { mayIn } from '../auth/authorization.ts'
import { type Caller, callerOf } from '../auth/caller.ts'
import type { Facade } from '../facade.ts'
import { ApiError, type ErrorCode } from '../http/api-error.ts'
import { type ApiContext, callerIn } from '../http/call.ts'
import { type ApiApp, apiApp, failures, serve } from '../http/define-route.ts'
import { lastEventId } from '../http/documented-headers.ts'
import { pathId } from '../http/schemas.ts'
import { type Message, refused } from '../language/messages.ts'
import { eventStream, retryBytes } from '../live/event-stream.ts'
import { type Ending, type LiveListener, positionOf, type Scope, type Watcher } from '../live/hub.ts'
import type { Store } from '../store/store.ts'

const tags = ['VMs']
const stream = {
  description:
    'Events `reset`, `vm`, `vm_deleted`, `workspace_removed`, `ready` and `end`. Comments keep the connection alive.',
  content: { 'text/event-stream': { schema: z.string() } },
}

const watchVms = createRoute({
  tags,
  method: 'get',
  path: '/vms/watch',
  summary: 'The VMs of all workspaces of the caller, and every change of them',
  request: { headers: lastEventId },
  responses: { 200: stream, ...failures },
})

const watchWorkspace = createRoute({
  tags,
  method: 'get',
  path: '/workspaces/{id}/watch',
  summary: 'The VMs of a workspace, and every change of them',
  request: { params: z.object({ id: pathId }), headers: lastEventId },
  responses: { 200: stream, ...failures },
})

/** A replica that is behind the one that the listener came from is waited for so long; then everything is told anew. */
const CATCH_UP_MS = 2_000
/** Spread, so that those whom a replica sent away do not all come back at once. */
const RETRY_MS = { least: 500, spread: 2_500 }

/** To be mounted before `/vms/{id}`. */
export function watchRoutes(facade: Pick<Facade, 'store' | 'access' | 'live'>): ApiApp {
  const { store, access, live } = facade
  const app = apiApp()

  /** Until this replica knows the caller, who may have logged in elsewhere a moment ago, and all that they know. */
  async function caughtUp(caller: Caller, position: string | undefined, signal: AbortSignal): Promise<void> {
    const { users, sessions, vms } = store
    const options = { timeoutMs: CATCH_UP_MS, signal }
    const isThere = (object: unknown) => object !== undefined
    await Promise.all([
      users.until(keyOf(caller.user), isThere, options),
      sessions.until(keyOf(caller.session), isThere, options),
      position !== undefined && vms.seen({ metadata: { resourceVersion: position } }, options),
    ]).catch(() => undefined) // the caller went away, or we are stopping: either ends the stream
  }

  async function answer(context: ApiContext, scope: (caller: Caller) => Scope | Ending): Promise<Response> {
    const caller = callerIn(context)
    const { call, req } = { call: context.env.call, req: context.req }
    const room = live.room(caller.name)
    if (room === 'userFull') throw new ApiError('TOO_MANY_REQUESTS', watchWords.userFull, { retryAfterSeconds: 30 })
    if (room === 'full') throw new ApiError('SERVICE_UNAVAILABLE', refused.busy, { retryAfterSeconds: 10 })

    const headers = {
      ...call.headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    }
    if (req.raw.method === 'HEAD') return new Response(null, { headers })

    const cutOffAt = req.header('last-event-id')
    await caughtUp(caller, positionOf(cutOffAt), req.raw.signal)
    let listening: LiveListener | undefined
    const { sink, body } = eventStream({
      onReady: () => listening?.resume(),
      onGone: () => listening?.close(),
    })
    sink.write(retryBytes(Math.round(RETRY_MS.least + Math.random() * RETRY_MS.spread)))
    listening = live.open({ watcher: watcherOf(store, caller, scope, call.locale), sink, lastEventId: cutOffAt })
    return new Response(body, { headers })
  }

  serve(app, watchVms, (context) => answer(context, (caller) => scopeOf(store.workspacesOf(caller))) as never)

  serve(app, watchWorkspace, async (context) => {
    const { metadata } = await access.workspace(callerIn(context), context.req.param('id'), 'vm.read')
    return answer(context, (caller) => {
      const current = store.workspaces.byUid(metadata.uid)
      const isThere = current !== undefined && current.metadata.deletionTimestamp === undefined
      return isThere && mayIn(current, caller, 'vm.read') ? scopeOf([current]) : 'notFound'
    }) as never
  })

  return app
}

function watcherOf(
  { users, sessions }: Pick<Store, 'users' | 'sessions'>,
  caller: Caller,
  scope: (caller: Caller) => Scope | Ending,
  locale: keyof Message,
): Watcher {
  const { metadata, spec } = caller.session
  return {
    user: caller.name,
    session: { name: metadata.name, groups: caller.groups },
    expiresAt: Date.parse(spec.expiresAt),
    scope() {
      const user = users.byUid(caller.id)
      const session = sessions.byUid(metadata.uid)
      const gone = [user, session].some((one) => one === undefined || one.metadata.deletionTimestamp !== undefined)
      if (gone || !user || !session || user.spec.disabled) return 'revoked'
      return scope(callerOf(user, session))
    },
    words(ending) {
      const [code, said] = endings[ending]
      return JSON.stringify({ code, message: said[locale] })
    },
  }
}

function scopeOf(workspaces: readonly Workspace[]): Scope {
  const scope = new Map<string, string>()
  for (const { metadata, status } of workspaces) if (status?.namespace) scope.set(status.namespace, metadata.uid)
  return scope
}

const watchWords = {
  userFull: {
    ko: '이 사용자가 연 스트림이 너무 많습니다. 일부를 닫은 뒤 다시 시도하십시오.',
    en: 'This user has too many streams open: close some first.',
  },
} as const satisfies Record<string, Message>

const endings = {
  expired: ['UNAUTHORIZED', refused.badToken],
  revoked: ['UNAUTHORIZED', refused.badToken],
  notFound: ['NOT_FOUND', refused.notFound],
  stale: ['SERVICE_UNAVAILABLE', refused.stale],
  draining: ['SERVICE_UNAVAILABLE', refused.stopping],
  stalled: ['REQUEST_TIMEOUT', refused.busy],
} as const satisfies Record<Ending, readonly [ErrorCode, Message]>
