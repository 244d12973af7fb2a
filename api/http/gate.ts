/**
 * The gate that every request passes, before any route and after it: a request id, the language, the rate, the token, and
 * at the end the audit line and the metrics.
 *
 * It stands around Hono's `fetch` and is no middleware, because middleware makes a chain of promises of every call: a read whose
 * token is known and whose object is in the cache is answered without a single one, which is half of what it would cost.
 *
 * Guarantees: every call of the API is recorded, refused ones too; a call without a good token gets no further than the
 * routes that need none, and counts against its address; a mutation is refused while the audit log could not take it.
 */
import { randomUUID } from 'node:crypto'
import { getPath } from 'hono/utils/url'
import { auditLine } from '../audit/audit-event.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Authenticate } from '../auth/authenticate.ts'
import { requireWriteScope } from '../auth/authorization.ts'
import type { Caller } from '../auth/caller.ts'
import { refused } from '../language/messages.ts'
import type { Negotiate } from '../language/negotiation.ts'
import { ApiError } from './api-error.ts'
import type { Call, Connection } from './call.ts'
import type { ApiApp } from './define-route.ts'
import { errorAnswer } from './envelope.ts'
import type { RateLimit } from './rate-limit.ts'
import { requireModestBody } from './request-body.ts'
import { rateKey, type SourceAddress } from './source-address.ts'

/** What a server calls; also for a test, without a socket. */
export type ApiFetch = (request: Request, connection?: Connection) => Response | Promise<Response>

export interface GateOptions {
  readonly negotiate: Negotiate
  readonly sourceAddress: SourceAddress
  readonly authenticate: Authenticate
  readonly userLimit: RateLimit
  readonly addressLimit: RateLimit
  readonly audit: AuditLog
  /** Each line, beside the log. */
  readonly onAuditLine: ((line: string) => void) | undefined
  /** Whether a mutation is answered only once its line is with the operating system. */
  readonly auditWaits: boolean
  readonly toApiError: (error: unknown, call: Call) => ApiError
  readonly onAnswer: (method: string, path: string, status: number, durationMs: number) => void
}

/**
 * `open`: no token, no limit, no record (probes, documents). `anonymous`: a token is not looked at. `optional`: one that
 * is sent must be good. `token`: everything else.
 */
type Admission = 'open' | 'anonymous' | 'optional' | 'token'

const anonymous = new Set(['/api/v1/auth/register', '/api/v1/auth/login'])

function admissionOf(path: string): Admission {
  if (path.startsWith('/api/v1/')) {
    if (anonymous.has(path)) return 'anonymous'
    return path.startsWith('/api/v1/oidc/') ? 'optional' : 'token'
  }
  return path.startsWith('/api/') || path.startsWith('/debug/') ? 'token' : 'open'
}

const readingMethods = new Set(['GET', 'HEAD', 'OPTIONS'])
const requestIdForm = /^[A-Za-z0-9._-]{1,64}$/

export function gate(app: Pick<ApiApp, 'fetch'>, options: GateOptions): ApiFetch {
  const { authenticate, userLimit, addressLimit, audit } = options

  function openCall({ headers }: Request, { incoming }: Connection): Call {
    const wanted = headers.get('x-request-id')
    const requestId = wanted !== null && requestIdForm.test(wanted) ? wanted : randomUUID()
    return {
      requestId,
      receivedAt: Date.now(),
      startedAt: performance.now(),
      sourceAddress: options.sourceAddress(incoming?.socket.remoteAddress, headers.get('x-forwarded-for')),
      locale: options.negotiate(headers.get('accept-language')),
      headers: { 'x-request-id': requestId, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
      caller: undefined,
      object: undefined,
    }
  }

  function limit(call: Call, bucket: RateLimit, key: string): void {
    const verdict = bucket.take(key)
    call.headers['ratelimit-policy'] = verdict.policy
    call.headers.ratelimit = verdict.standing
    if (!verdict.allowed) {
      const { retryAfterSeconds } = verdict
      throw new ApiError('TOO_MANY_REQUESTS', refused.tooManyRequests(retryAfterSeconds), { retryAfterSeconds })
    }
  }

  function admitAnonymous(call: Call): void {
    limit(call, addressLimit, rateKey(call.sourceAddress))
  }

  /** Waits only where the token is new here: a read with a known one is admitted without a promise. */
  function admit(request: Request, call: Call, admission: Admission, mutates: boolean): undefined | Promise<void> {
    const authorization = request.headers.get('authorization') ?? undefined
    if (admission === 'anonymous' || (admission === 'optional' && authorization === undefined)) {
      admitAnonymous(call)
      if (mutates) requireMutable(request)
      return
    }
    try {
      const caller = authenticate(authorization)
      if (!(caller instanceof Promise)) {
        admitCaller(request, call, caller, mutates)
        return
      }
      return caller.then(
        (known) => admitCaller(request, call, known, mutates),
        (error: unknown) => refuse(call, error),
      )
    } catch (error) {
      refuse(call, error)
    }
  }

  function admitCaller(request: Request, call: Call, caller: Caller, mutates: boolean): void {
    call.caller = caller
    limit(call, userLimit, caller.id)
    if (!mutates) return
    requireWriteScope(caller)
    requireMutable(request)
  }

  /** Who has no good token counts against the address, or guessing tokens would be free. */
  function refuse(call: Call, error: unknown): never {
    if (error instanceof ApiError && error.code === 'UNAUTHORIZED' && call.caller === undefined) admitAnonymous(call)
    throw error
  }

  /** A mutation has a body that fits, and an audit log to be written down in. */
  function requireMutable(request: Request): void {
    requireModestBody(request)
    if (!audit.accepts() || (options.auditWaits && audit.isFailing)) {
      throw new ApiError('SERVICE_UNAVAILABLE', refused.auditFull, { retryAfterSeconds: 5 })
    }
  }

  function record({ method, url, headers }: Request, { call, path, mutates }: Passing, status: number): void {
    const userAgent = headers.get('user-agent') ?? undefined
    const endedAt = performance.now()
    const line = auditLine({ call, method, url, status, userAgent, endedAt })
    audit.write(line, mutates ? 'now' : 'soon')
    options.onAuditLine?.(line)
    options.onAnswer(method, path, status, endedAt - call.startedAt)
  }

  function answered(request: Request, passing: Passing, answer: Response): Response | Promise<Response> {
    record(request, passing, answer.status)
    const hasChanged = passing.mutates && answer.status < 400
    return hasChanged && options.auditWaits ? audit.written().then(() => answer) : answer
  }

  return (request, connection = {}) => {
    const call = openCall(request, connection)
    const path = getPath(request) // as Hono reads it: what is admitted is what is routed
    const admission = admissionOf(path)
    const bindings = Object.assign(connection, { call })
    if (admission === 'open') return app.fetch(request, bindings)

    const passing = { call, path, mutates: !readingMethods.has(request.method) }
    const failed = (error: unknown) => answered(request, passing, errorAnswer(call, options.toApiError(error, call)))
    try {
      const admitted = admit(request, call, admission, passing.mutates)
      const answer =
        admitted === undefined ? app.fetch(request, bindings) : admitted.then(() => app.fetch(request, bindings))
      if (!(answer instanceof Promise)) return answered(request, passing, answer)
      return answer.then((response) => answered(request, passing, response), failed)
    } catch (error) {
      return failed(error)
    }
  }
}

interface Passing {
  readonly call: Call
  readonly path: string
  readonly mutates: boolean
}
