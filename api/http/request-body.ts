/**
 * Reads the JSON body of a request, before any schema sees it.
 *
 * Guarantees: at most 1 MiB is read, and no more than that is ever held; what comes out is well-formed UTF-8 and
 * JSON, nested no deeper than a schema of ours could want. Everything else is the caller's error, told without
 * repeating a byte of the body, because it may hold a password. The text is left in Hono's body cache, where the
 * validator of the route finds it.
 */
import { isUtf8 } from 'node:buffer'
import type { MiddlewareHandler } from 'hono'
import { refused } from '../language/messages.ts'
import { ApiError, invalidBody } from './api-error.ts'
import type { ApiContext, ApiEnv } from './call.ts'

/** 1 MiB, as the contract says. */
export const MAX_BODY_BYTES = 1_048_576
const MAX_DEPTH = 16

/** `application/json`, with no charset but UTF-8. */
const jsonType = /^application\/json[ \t]*(?:;[ \t]*charset[ \t]*=[ \t]*"?utf-8"?[ \t]*)?;?$/i

export const readJsonBody: MiddlewareHandler<ApiEnv> = async (context, next) => {
  const bytes = await readBytes(context).catch((error: unknown) => {
    // Whatever else ends a body early is the caller's doing, who went away or was too slow.
    throw error instanceof ApiError ? error : invalidBody(refused.malformedRequest)
  })
  if (bytes.byteLength === 0) throw invalidBody(refused.bodyMissing)
  if (!jsonType.test(context.req.header('content-type') ?? '')) {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', refused.mediaType)
  }
  if (!isUtf8(bytes)) throw invalidBody(refused.bodyNotUtf8)

  const text = new TextDecoder().decode(bytes)
  if (depthExceeds(parse(text), MAX_DEPTH)) throw invalidBody(refused.bodyTooDeep(MAX_DEPTH))
  Object.assign(context.req.bodyCache, { text: Promise.resolve(text) })
  await next()
}

/** For routes that take no body as well: what was announced as too large is not waited for. */
export function requireModestBody({ headers }: Request): void {
  if (Number(headers.get('content-length') ?? 0) > MAX_BODY_BYTES) throw tooLarge()
}

async function readBytes(context: ApiContext): Promise<Uint8Array> {
  const { raw } = context.req
  if (raw.headers.has('content-length') && !raw.headers.has('transfer-encoding')) {
    // The gate has seen what was announced, and the HTTP parser lets no more through than that.
    return new Uint8Array(await raw.arrayBuffer())
  }
  return raw.body === null ? new Uint8Array() : readBounded(raw.body)
}

async function readBounded(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  // No `for await`: leaving it would end the connection before the answer is on it.
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(chunks)
    size += value.byteLength
    if (size > MAX_BODY_BYTES) throw tooLarge()
    chunks.push(value)
  }
}

/** `connection: close`, because the rest of the body is not waited for. */
function tooLarge(): ApiError {
  return new ApiError('PAYLOAD_TOO_LARGE', refused.bodyTooLarge(MAX_BODY_BYTES), { headers: { connection: 'close' } })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // V8's message quotes the body: only the place in it is taken.
    const place = /line \d+ column \d+/.exec(String(error))?.[0] ?? /position \d+/.exec(String(error))?.[0]
    throw invalidBody(refused.bodyNotJson(place ?? `position ${text.length}`))
  }
}

function depthExceeds(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => depthExceeds(inner, levels - 1))
}
