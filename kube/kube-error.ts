/**
 * What the Kubernetes API refuses, and what it does not answer, as one error type.
 *
 * Everything that `client.ts` throws is a `KubeError`, but for the caller's own abort, which is thrown
 * as the reason that the caller gave. Errors are asked (`isNotFound(error)`), never compared as strings.
 *
 * @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
 */

export interface StatusCause {
  /** `FieldValueInvalid`, `FieldManagerConflict`, … */
  readonly reason?: string
  readonly message?: string
  /** `spec.region`, `.spec.replicas`. */
  readonly field?: string
}

export interface StatusDetails {
  readonly name?: string
  readonly group?: string
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly StatusCause[]
  readonly retryAfterSeconds?: number
}

export interface KubeErrorOptions {
  readonly status: number
  readonly reason?: string
  readonly details?: StatusDetails
  readonly retryAfterMs?: number | undefined
  /** `PATCH /api/v1/…`; no query, no body. */
  readonly request?: string
  readonly cause?: unknown
}

export class KubeError extends Error {
  override readonly name = 'KubeError'
  /** The HTTP status; 0 when there was no answer, or none that could be read. */
  readonly status: number
  /** As in `Status`: `NotFound`, `AlreadyExists`, `Conflict`, …; for status 0 `ConnectionFailed`, `Timeout`, `BadAnswer`, `NoCredentials` or `Closed`. */
  readonly reason: string
  readonly details: StatusDetails
  /** How long the server asked to wait before the next try. */
  readonly retryAfterMs: number | undefined
  readonly request: string

  constructor(message: string, options: KubeErrorOptions) {
    super(message, { cause: options.cause })
    this.status = options.status
    this.reason = options.reason ?? ''
    this.details = options.details ?? {}
    this.retryAfterMs = options.retryAfterMs
    this.request = options.request ?? ''
  }
}

export function isKubeError(error: unknown): error is KubeError {
  return error instanceof KubeError
}

export function isNotFound(error: unknown): error is KubeError {
  return isKubeError(error) && error.status === 404
}

/** Somebody else changed the object, or a precondition did not hold. Not `AlreadyExists`, which is 409 as well. */
export function isConflict(error: unknown): error is KubeError {
  return isKubeError(error) && error.status === 409 && error.reason !== 'AlreadyExists'
}

export function isAlreadyExists(error: unknown): error is KubeError {
  return isKubeError(error) && error.status === 409 && error.reason === 'AlreadyExists'
}

export function isUnauthorized(error: unknown): error is KubeError {
  return isKubeError(error) && error.status === 401
}

export function isForbidden(error: unknown): error is KubeError {
  return isKubeError(error) && error.status === 403
}

/** Refused by validation or admission: 422, or 400 for what could not be decoded (an unknown field). */
export function isInvalid(error: unknown): error is KubeError {
  return isKubeError(error) && (error.status === 422 || error.status === 400)
}

/** The resource version or continue token is too old. */
export function isGone(error: unknown): error is KubeError {
  return isKubeError(error) && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone')
}

export function isThrottled(error: unknown): error is KubeError {
  return isKubeError(error) && error.status === 429
}

/** Nothing came in time. What was asked may have taken effect. */
export function isTimeout(error: unknown): error is KubeError {
  return isKubeError(error) && error.status === 0 && error.reason === 'Timeout'
}

/** The server is not there, not well, or did not answer in time. What was asked may have taken effect. */
export function isUnavailable(error: unknown): error is KubeError {
  return isKubeError(error) && (error.status === 0 || error.status >= 500)
}

/**
 * The error that an answer's body tells. A body that is no `Status` (a proxy's page, the API server's plain
 * text) is quoted, shortened.
 *
 * @param retryAfter the `Retry-After` header, in seconds
 */
export function errorFromAnswer(status: number, body: string, retryAfter?: string, request = ''): KubeError {
  const answer = parseStatus(body)
  const seconds = Number(retryAfter ?? answer?.details?.retryAfterSeconds)
  return new KubeError(answer?.message || body.trim().slice(0, 300) || `HTTP ${status}`, {
    status: answer?.code || status,
    reason: answer?.reason ?? '',
    details: answer?.details ?? {},
    retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined,
    request,
  })
}

interface Status {
  readonly kind?: string
  readonly code?: number
  readonly reason?: string
  readonly message?: string
  readonly details?: StatusDetails
}

function parseStatus(body: string): Status | undefined {
  try {
    const parsed = JSON.parse(body) as Status | null
    return parsed?.kind === 'Status' ? parsed : undefined
  } catch {
    return undefined
  }
}
