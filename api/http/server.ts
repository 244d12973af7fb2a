/**
 * The HTTP server: limits on what a client may send and how long it may take, and an end that finishes what runs.
 *
 * Guarantees: headers have 16 KiB at most and 10 s to arrive, a whole request 30 s; what is no HTTP is answered in the
 * envelope all the same, and told to `onMalformed`; `close` takes no new connection, lets every request finish
 * within the time it is given, and tells keep-alive clients to go.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { listening } from '../../config/listening.ts'
import { type Message, refused } from '../language/messages.ts'
import type { Locale } from '../language/negotiation.ts'
import { type ErrorCode, errorCodes } from './api-error.ts'
import type { ApiFetch } from './gate.ts'

export interface HttpServer {
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string
  /** Resolves with whether every request was answered within the time. */
  close(graceMs: number): Promise<boolean>
}

export interface HttpServerOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Of those who could not say what language they want. */
  readonly locale: Locale
  /** Something that is no HTTP request was answered with this status. */
  readonly onMalformed?: (status: number, sourceAddress: string) => void
  readonly onError: (error: unknown) => void
}

const MAX_HEADER_BYTES = 16 * 1024
const HEADERS_WITHIN_MS = 10_000
const REQUEST_WITHIN_MS = 30_000
/** Longer than proxies keep theirs, so that it is they who close (65 s is nginx's and AWS's usual bound). */
const KEEP_ALIVE_MS = 70_000

/** Rejects when the port cannot be had. */
export async function httpServer(app: { readonly fetch: ApiFetch }, options: HttpServerOptions): Promise<HttpServer> {
  const listener = getRequestListener(app.fetch, { errorHandler: (error) => malformedResponse(error) })
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_WITHIN_MS,
      requestTimeout: REQUEST_WITHIN_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 5_000,
      insecureHTTPParser: false,
      requireHostHeader: false, // without one there is no URL, which is answered in the envelope
    },
    (request: IncomingMessage, response: ServerResponse) => {
      if (stopping) response.setHeader('connection', 'close')
      void listener(request, response)
    },
  )
  let stopping = false
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => answerMalformed(error, socket))

  function malformedResponse(error: unknown): Response {
    const status = isRequestError(error) ? 400 : 500
    if (status === 500) options.onError(error)
    const [code, said] = status === 400 ? malformed.other : (['INTERNAL_ERROR', refused.internal('-')] as const)
    options.onMalformed?.(status, '')
    return new Response(errorBody(code, said, options.locale), {
      status,
      headers: { 'content-type': 'application/json' },
    })
  }

  function answerMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
    const [code, said] = malformed[error.code as keyof typeof malformed] ?? malformed.other
    const body = errorBody(code, said, options.locale)
    const status = errorCodes[code]
    options.onMalformed?.(status, socket.remoteAddress ?? '')
    socket.end(
      `HTTP/1.1 ${status} ${code}\r\ncontent-type: application/json; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    )
  }

  await listening(server, {
    ...{ host: options.host, port: options.port },
    variables: { host: 'SKYCLUST_API_HOST', port: 'SKYCLUST_API_PORT' },
  })
  const { port } = server.address() as AddressInfo
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    url: `http://${host}:${port}`,
    async close(graceMs) {
      stopping = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // Again and again: what answered before the stop has promised its client to keep the connection.
      const idle = setInterval(() => server.closeIdleConnections(), 50)
      let isDrained = true
      const timer = setTimeout(() => {
        isDrained = false
        server.closeAllConnections()
      }, graceMs)
      await closed
      clearInterval(idle)
      clearTimeout(timer)
      return isDrained
    },
  }
}

const malformed = {
  HPE_HEADER_OVERFLOW: ['HEADERS_TOO_LARGE', refused.headersTooLarge],
  ERR_HTTP_REQUEST_TIMEOUT: ['REQUEST_TIMEOUT', refused.bodyTooSlow],
  other: ['VALIDATION_ERROR', refused.malformedRequest],
} as const satisfies Record<string, readonly [ErrorCode, Message]>

function errorBody(code: ErrorCode, said: Message, locale: Locale): string {
  const message = said[locale]
  const details = code === 'VALIDATION_ERROR' ? { details: { fields: { request: message } } } : {}
  return JSON.stringify({ success: false, error: { code, message, ...details } })
}

/** What `@hono/node-server` throws for a target or a `Host` that makes no URL. */
function isRequestError(error: unknown): boolean {
  return error instanceof Error && error.name === 'RequestError'
}
