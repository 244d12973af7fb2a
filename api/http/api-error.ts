/**
 * The one error the facade answers with, and the table of codes from which the statuses follow.
 *
 * The first six codes and their statuses are the contract's; the others tell a client cases apart that it
 * must treat differently. Whatever else is thrown is turned into an `ApiError` in `error-mapping.ts`.
 */
import { type Message, refused } from '../language/messages.ts'

export const errorCodes = {
  VALIDATION_ERROR: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  INTERNAL_ERROR: 500,

  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  PRECONDITION_FAILED: 412,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  PRECONDITION_REQUIRED: 428,
  TOO_MANY_REQUESTS: 429,
  HEADERS_TOO_LARGE: 431,
  BAD_GATEWAY: 502,
  SERVICE_UNAVAILABLE: 503,
  GATEWAY_TIMEOUT: 504,
} as const

export type ErrorCode = keyof typeof errorCodes
export type ErrorStatus = (typeof errorCodes)[ErrorCode]

export interface ApiErrorOptions {
  /** By field path: what is wrong and what would be right. */
  readonly fields?: Readonly<Record<string, Message>>
  /** Whole seconds; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ErrorCode
  readonly said: Message
  readonly fields: Readonly<Record<string, Message>> | undefined
  readonly headers: Readonly<Record<string, string>> | undefined

  constructor(code: ErrorCode, said: Message, options: ApiErrorOptions = {}) {
    super(said.en, { cause: options.cause })
    this.code = code
    this.said = said
    this.fields = options.fields
    this.headers =
      options.retryAfterSeconds === undefined
        ? options.headers
        : { ...options.headers, 'retry-after': String(Math.max(1, Math.ceil(options.retryAfterSeconds))) }
  }

  get status(): ErrorStatus {
    return errorCodes[this.code]
  }
}

/** Not there and not allowed to know are the same answer, byte for byte: there is only this one. */
export function notFound(): ApiError {
  return new ApiError('NOT_FOUND', refused.notFound)
}

/** What came is no JSON object of ours at all. Said twice, because who reads `details.fields` need not read sentences. */
export function invalidBody(said: Message): ApiError {
  return new ApiError('VALIDATION_ERROR', said, { fields: { body: said } })
}

/** One field that did not validate for a reason that no schema can know. */
export function invalidField(path: string, said: Message): ApiError {
  return new ApiError('VALIDATION_ERROR', refused.validation, { fields: { [path]: said } })
}
