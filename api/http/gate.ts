/**
 * The gate that every request passes, before any route and after it: a request id, the language, the rate, the token, and
 * at the end the audit line and the metrics. One middleware, because each one more costs every read.
 *
 * Guarantees: every call of the API is recorded, refused ones too; a call without a good token gets no further than the
 * routes that need none, and counts against its address; a mutation is refused while the audit log could not take it.
 */
import { randomUUID } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import type { AuditLog } from '../audit/audit-log.ts'
import { auditEvent } from '../audit/audit-event.ts'
import type { Authenticate } from '../auth/authenticate.ts'
import { requireWriteScope } from '../auth/authorization.ts'
import type { Caller } from '../auth/caller.ts'
import { refused } from '../language/messages.ts'
import type { Negotiate } from '../language/negotiation.ts'
import { ApiError } from './api-error.ts'
import type { ApiContext, ApiEnv, Call } from './call.ts'
import { errorAnswer } from './envelope.ts'
import type { RateLimit } from './rate-limit.ts'
import { rateKey, type SourceAddress } from './source-address.ts'

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

export function gate(options: GateOptions): MiddlewareHandler<ApiEnv> {
  const { authenticate, userLimit, addressLimit, audit } = options

  function openCall(context: ApiContext): Call {
    const { headers } = context.req.raw
    const wanted = headers.get('x-request-id')
    const requestId = wanted !== null && requestIdForm.test(wanted) ? wanted : randomUUID()
    return {
      requestId,
      receivedAt: Date.now(),
      startedAt: performance.now(),
      sourceAddress: options.sourceAddress(
        context.env?.incoming?.socket.remoteAddress,
        headers.get('x-forwarded-for'),
      ),
      locale: options.negotiate(headers.get('accept-language')),
      headers: { 'x-request-id': requestId, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
      caller: undefined,
      object: undefined,
    }
  }

  function limit(call: Call, bucket: RateLimit, key: string): void {
    const verdict = bucket.take(key)
    call.headers['ratelimit-policy'] = verdict.policy
    call.headers['ratelimit'] = verdict.standing
    if (!verdict.allowed) {
      const { retryAfterSeconds } = verdict
      throw new ApiError('TOO_MANY_REQUESTS', refused.tooManyRequests(retryAfterSeconds), { retryAfterSeconds })
    }
  }

  function admitAnonymous(call: Call): void {
    limit(call, addressLimit, rateKey(call.sourceAddress))
  }

  /** Who has no good token counts against the address, or guessing tokens would be free. */
  async function authenticated(call: Call, authorization: string | undefined): Promise<Caller> {
    try {
      return await authenticate(authorization)
    } catch (error) {
      if (error instanceof ApiError && error.code === 'UNAUTHORIZED') admitAnonymous(call)
      throw error
    }
  }

  async function admit(context: ApiContext, call: Call, admission: Admission, mutates: boolean): Promise<void> {
    const authorization = context.req.raw.headers.get('authorization') ?? undefined
    if (admission === 'anonymous' || (admission === 'optional' && authorization === undefined)) {
      admitAnonymous(call)
    } else {
      call.caller = await authenticated(call, authorization)
      limit(call, userLimit, call.caller.id)
      if (mutates) requireWriteScope(call.caller)
    }
    if (mutates && !audit.accepts()) {
      throw new ApiError('SERVICE_UNAVAILABLE', refused.auditFull, { retryAfterSeconds: 5 })
    }
  }

  function record(context: ApiContext, call: Call, status: number): void {
    const { method, raw, url } = context.req
    const userAgent = raw.headers.get('user-agent') ?? undefined
    const line = JSON.stringify(auditEvent({ call, method, url, status, userAgent, endedAt: performance.now() }))
    audit.write(line)
    options.onAuditLine?.(line)
  }

  return async (context, next) => {
    const call = openCall(context)
    context.set('call', call)
    const { method, path } = context.req
    const admission = admissionOf(path)
    if (admission === 'open') return next()

    const mutates = !readingMethods.has(method)
    try {
      await admit(context, call, admission, mutates)
      await next()
    } catch (error) {
      context.res = errorAnswer(call, options.toApiError(error, call))
    }
    const { status } = context.res
    record(context, call, status)
    options.onAnswer(method, path, status, performance.now() - call.startedAt)
    if (mutates && options.auditWaits) await audit.written()
  }
}
