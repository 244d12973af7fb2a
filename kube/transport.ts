/**
 * HTTP to one API server: one undici Agent (HTTP/1.1, keep-alive, no pipelining), credentials for each request
 * anew, flow control, and retries of what may be retried.
 *
 * Guarantees:
 * - what is thrown is a `KubeError`, or the caller's own abort reason;
 * - a write is sent again only when the server surely did not take it: 429, 403 while it is not ready, or once after
 *   401, with credentials that were read anew. A read is also sent again after a connection that broke and after a 5xx that names a
 *   `Retry-After`. Both at most {@link MAX_RETRIES} times;
 * - `guard` runs right before each write is handed to the connection, after every wait;
 * - when client certificates rotate, new requests use new connections, and the old ones end when idle;
 * - after `close()` there is no socket and no timer left.
 */
import type { Dispatcher } from 'undici'
import { type Clock, sleep, systemClock } from './clock.ts'
import type { Cluster, Credentials } from './cluster.ts'
import { connections } from './connections.ts'
import { withDeadline, withSilenceBound } from './deadlines.ts'
import { flowControl } from './flow-control.ts'
import { errorFromAnswer, isForbidden, isKubeError, isUnauthorized, KubeError } from './kube-error.ts'
import { isPremature, weighed } from './premature-refusal.ts'

export interface TransportOptions {
  readonly cluster: Cluster
  readonly userAgent?: string
  /** Requests a second, and how many at once. */
  readonly qps?: number
  readonly burst?: number
  /** From handing the request to the connection to the last byte of the answer. Watches have a bound of their own. */
  readonly requestTimeoutMs?: number
  /** Connections to the server, watches included; more requests wait for their turn. */
  readonly maxConnections?: number
  /** Called right before each write is sent; what it throws is thrown to the caller, and nothing is sent. */
  readonly guard?: () => void
  /** Told of each answer, for metrics. `status` 0 means that there was none. */
  readonly onAnswer?: (answer: AnswerRecord) => void
  readonly clock?: Clock
  readonly random?: () => number
}

export interface AnswerRecord {
  readonly method: string
  readonly path: string
  readonly status: number
  /** Until the headers were there. */
  readonly durationMs: number
}

export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
  readonly signal?: AbortSignal | undefined
  /** Instead of `requestTimeoutMs`. */
  readonly timeoutMs?: number | undefined
}

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface Transport {
  /** The body of an answer below 300; anything else is thrown. */
  text(request: TransportRequest): Promise<string>
  /** Any answer, once: no retries, and no status is an error. */
  raw(request: TransportRequest): Promise<RawAnswer>
  /**
   * The chunks of an answer that does not end; the first one is empty, and says that the server began to answer.
   * `silenceMs` without one while the reader waits for it is a `Timeout`. Ends quietly when the signal is aborted.
   * Not retried.
   */
  stream(request: TransportRequest & { readonly silenceMs: number }): AsyncGenerator<Buffer, void, undefined>
  close(): Promise<void>
}

const MAX_RETRIES = 5
const MAX_RETRY_WAIT_MS = 30_000
const FIRST_RETRY_MS = 200

export function transport(options: TransportOptions): Transport {
  const { cluster, userAgent = 'kube', guard, onAnswer, clock = systemClock, random = Math.random } = options
  const { requestTimeoutMs = 30_000 } = options
  const flow = flowControl({ qps: options.qps ?? 400, burst: options.burst ?? 800, clock })
  const pool = connections(cluster, options.maxConnections ?? 128)
  const prefix = cluster.server.pathname.replace(/\/$/, '')

  /** One try: resolves with the headers. `signal` governs the body as well. */
  async function dispatch(request: TransportRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const credentials = await currentCredentials(request)
    const dispatcher = pool.for(credentials.tls)
    signal.throwIfAborted()
    if (request.method !== 'GET') guard?.()
    const startedAt = clock.now()
    const path = prefix + request.path
    const record = (status: number) =>
      onAnswer?.({ method: request.method, path, status, durationMs: clock.now() - startedAt })
    try {
      const response = await dispatcher.request({
        origin: cluster.server.origin,
        path,
        method: request.method,
        headers: {
          accept: 'application/json',
          'user-agent': userAgent,
          ...credentials.headers,
          ...request.headers,
        } as Record<string, string | string[]>,
        body: request.body ?? null,
        signal,
        headersTimeout: 0, // our own deadline covers connecting, headers and body
        bodyTimeout: 0,
      })
      record(response.statusCode)
      return response
    } catch (error) {
      record(0)
      throw error
    }
  }

  async function currentCredentials(request: TransportRequest): Promise<Credentials> {
    try {
      return await cluster.credentials()
    } catch (error) {
      const message = `no credentials for the API server: ${rootMessage(error)}`
      throw new KubeError(message, { status: 0, reason: 'NoCredentials', request: describe(request), cause: error })
    }
  }

  async function attempt<R>(
    request: TransportRequest,
    read: (response: Dispatcher.ResponseData) => Promise<R>,
  ): Promise<R> {
    await flow.take(request.signal)
    const deadline = withDeadline(request.signal, request.timeoutMs ?? requestTimeoutMs, clock)
    try {
      return await read(await dispatch(request, deadline.signal))
    } catch (error) {
      throw asKubeError(error, request, deadline.signal)
    } finally {
      deadline.release()
    }
  }

  async function readOk(request: TransportRequest, response: Dispatcher.ResponseData): Promise<string> {
    const body = await response.body.text()
    if (response.statusCode === 401) cluster.refused()
    if (response.statusCode < 300) return body
    throw errorFromAnswer(response.statusCode, body, oneHeader(response.headers['retry-after']), describe(request))
  }

  async function raw(request: TransportRequest): Promise<RawAnswer> {
    return attempt(request, async ({ statusCode, headers, body }) => {
      if (statusCode === 401) cluster.refused()
      return { status: statusCode, headers, body: await body.text() }
    })
  }

  return {
    raw,

    async text(request) {
      let wasRefused = false
      for (let retries = 0; ; retries++) {
        try {
          return await attempt(request, (response) => readOk(request, response))
        } catch (thrown) {
          const error = isForbidden(thrown) ? await weighed(thrown, { raw }, request.signal) : thrown
          if (isUnauthorized(error) && !wasRefused) {
            wasRefused = true
            continue
          }
          const waitMs = retries < MAX_RETRIES ? retryDelayMs(request, error, retries, random) : undefined
          if (waitMs === undefined) throw error
          await sleep(clock, waitMs, request.signal)
        }
      }
    },

    async *stream(request) {
      const { signal, silenceMs } = request
      const silence = withSilenceBound(signal, silenceMs, clock)
      try {
        await flow.take(signal)
        silence.listen()
        const response = await dispatch(request, silence.signal)
        if (response.statusCode >= 300) await readOk(request, response)
        yield Buffer.alloc(0)
        const chunks = response.body[Symbol.asyncIterator]() as AsyncIterator<Buffer>
        for (;;) {
          silence.listen()
          const { value, done } = await chunks.next()
          silence.heard()
          if (done) return
          yield value
        }
      } catch (error) {
        if (signal?.aborted) return
        throw asKubeError(error, request, silence.signal)
      } finally {
        silence.release() // aborts: whatever was left of the answer is dropped with its connection
      }
    },

    close: () => pool.close(),
  }
}

/** How long to wait before the next try; `undefined` when there must be none. */
function retryDelayMs(
  request: TransportRequest,
  error: unknown,
  retries: number,
  random: () => number,
): number | undefined {
  if (!isKubeError(error)) return undefined
  const safe = error.status === 429 || isPremature(error) || (request.method === 'GET' && isPassing(error))
  if (!safe) return undefined
  const asked = error.retryAfterMs ?? FIRST_RETRY_MS * 2 ** retries
  return Math.min(asked, MAX_RETRY_WAIT_MS) * (1 + random() / 4)
}

function isPassing(error: KubeError): boolean {
  return error.reason === 'ConnectionFailed' || (error.status >= 500 && error.retryAfterMs !== undefined)
}

function asKubeError(error: unknown, request: TransportRequest, signal: AbortSignal): unknown {
  if (isKubeError(error) || request.signal?.aborted) return request.signal?.aborted ? request.signal.reason : error
  if (isKubeError(signal.reason)) {
    return new KubeError(signal.reason.message, { status: 0, reason: 'Timeout', request: describe(request) })
  }
  if (!isConnectionError(error)) return error // the guard's own, an exec plugin's
  const message = `no answer from the API server: ${rootMessage(error)}`
  return new KubeError(message, { status: 0, reason: 'ConnectionFailed', request: describe(request), cause: error })
}

/** Whatever undici, the socket or TLS throws has a code; a programming error has none. */
function isConnectionError(error: unknown): boolean {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string'
}

function rootMessage(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return rootMessage(error.errors[0])
  const { message, code } = error as { message?: string; code?: string }
  return message || code || String(error)
}

function describe(request: TransportRequest): string {
  return `${request.method} ${request.path.split('?')[0]}`
}

function oneHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
