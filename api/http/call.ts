/**
 * What one call carries from the gate to the audit log: `context.env.call`.
 *
 * `headers` are those of the answer, as a plain object, because a `Headers` object costs more than the rest of a
 * small answer; whoever writes the answer copies them in.
 */
import type { Context } from 'hono'
import type { Caller } from '../auth/caller.ts'
import type { Locale } from '../language/negotiation.ts'

export interface Call {
  /** Ours, or the caller's `X-Request-Id` where that is sane. */
  readonly requestId: string
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  /** Monotonic milliseconds. */
  readonly startedAt: number
  readonly sourceAddress: string
  readonly locale: Locale
  readonly headers: Record<string, string>
  /** Once the token was found good. */
  caller: Caller | undefined
  /** The object the call is about, as soon as that is known. */
  object: AuditObject | undefined
}

/** What the audit log says a call was about. Never holds anything the caller wrote but a name the cluster accepted. */
export interface AuditObject {
  readonly resource: string
  readonly id: string
  readonly namespace?: string
  readonly name?: string
}

export interface ApiEnv {
  /** `call` is put there by the gate. */
  Bindings: Connection & { call: Call }
}

/** As much as we use of what the server gives; a test that calls the app itself has none of it. */
export interface Connection {
  readonly incoming?: { readonly socket: { readonly remoteAddress?: string | undefined } }
}

export type ApiContext = Context<ApiEnv>

/** Aborts when the caller goes away. */
export function callerGone(context: ApiContext): AbortSignal {
  return context.req.raw.signal
}

/** Of a route that needs a token; the gate has seen to it that there is one. */
export function callerIn(context: ApiContext): Caller {
  const { caller } = context.env.call
  if (caller === undefined) throw new Error('a route that needs a token was reached without one')
  return caller
}
