/**
 * The one place where whatever was thrown becomes an answer.
 *
 * Kubernetes' refusals keep their meaning (what the caller did wrong is 4xx, in the fields of REST); that the API
 * server is away is 503 with `Retry-After`, never 500; a cloud's errors go by the table of error classes and carry
 * the cloud's own words. Only what nobody foresaw is `INTERNAL_ERROR`, and its text stays in the log.
 */
import { HTTPException } from 'hono/http-exception'
import { type CloudError, isCloudError } from '../../clouds/cloud-error.ts'
import { errorClasses } from '../../clouds/error-classes.ts'
import { isAlreadyExists, isKubeError, isUnavailable, type KubeError } from '../../kube/kube-error.ts'
import { type Message, refused } from '../language/messages.ts'
import { ApiError } from './api-error.ts'

/** When the API server does not say. */
const RETRY_AFTER_SECONDS = 2
/** When a cloud throttles and does not say. */
const CLOUD_RETRY_SECONDS = 5

export function toApiError(error: unknown, requestId: string): ApiError {
  if (error instanceof ApiError) return error
  if (isUnavailable(error)) return clusterAway(error)
  if (isKubeError(error)) return fromKubernetes(error)
  if (isCloudError(error)) return fromCloud(error)
  if (error instanceof HTTPException) return fromHono(error, requestId)
  return new ApiError('INTERNAL_ERROR', refused.internal(requestId), { cause: error })
}

/** Whether the operator should see it in the log: nobody outside has caused it. */
export function isOurFault(error: ApiError): boolean {
  return error.code === 'INTERNAL_ERROR'
}

/** A write of which the answer was lost is told apart from one that never left. */
function clusterAway(error: KubeError): ApiError {
  const lost = error.reason === 'Timeout' && !error.request.startsWith('GET ')
  return new ApiError('SERVICE_UNAVAILABLE', lost ? refused.outcomeUnknown : refused.clusterAway, {
    retryAfterSeconds: (error.retryAfterMs ?? RETRY_AFTER_SECONDS * 1000) / 1000,
    cause: error,
  })
}

function fromKubernetes(error: KubeError): ApiError {
  switch (error.status) {
    case 400:
    case 422:
      return invalidInCluster(error)
    case 403:
      return forbiddenInCluster(error)
    case 404:
      return new ApiError('NOT_FOUND', refused.notFound, { cause: error })
    case 409:
      return new ApiError(
        'CONFLICT',
        isAlreadyExists(error) ? refused.clusterRefuses(error.message) : refused.conflict,
        {
          cause: error,
        },
      )
    default: // 401: our own account; 410, 429: we asked too much or too late
      return clusterAway(error)
  }
}

/** Admission names the fields of the custom resource; REST's are the same in `snake_case`, without `spec`. */
function invalidInCluster(error: KubeError): ApiError {
  const fields: Record<string, Message> = {}
  for (const cause of error.details.causes ?? []) {
    const words = cause.message ?? error.message
    fields[restField(cause.field ?? 'body')] ??= { ko: words, en: words }
  }
  if (Object.keys(fields).length === 0) fields.body = { ko: error.message, en: error.message }
  return new ApiError('VALIDATION_ERROR', refused.validation, { fields, cause: error })
}

function restField(path: string): string {
  return path.replace(/^spec\./, '').replaceAll(/[A-Z]+/g, (capitals) => `_${capitals.toLowerCase()}`)
}

/** @see https://kubernetes.io/docs/concepts/policy/resource-quotas/ for the words of a quota */
function forbiddenInCluster(error: KubeError): ApiError {
  if (error.details.causes?.some((cause) => cause.reason === 'NamespaceTerminating')) {
    return new ApiError('CONFLICT', refused.beingDeleted, { cause: error })
  }
  if (error.message.includes('exceeded quota')) {
    return new ApiError('CONFLICT', refused.quotaReached(error.message), { cause: error })
  }
  return new ApiError('FORBIDDEN', refused.clusterForbids, { cause: error })
}

function fromCloud(error: CloudError): ApiError {
  const { code } = errorClasses[error.class]
  const said = refused.cloudSays(error.action, error.message)
  const retryAfterSeconds =
    code === 'TOO_MANY_REQUESTS' || code === 'SERVICE_UNAVAILABLE' ? CLOUD_RETRY_SECONDS : undefined
  const options = { cause: error, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) }
  return new ApiError(code === 'INTERNAL_ERROR' ? 'BAD_GATEWAY' : code, said, options)
}

function fromHono(error: HTTPException, requestId: string): ApiError {
  switch (error.status) {
    case 400:
      return new ApiError('VALIDATION_ERROR', refused.malformedRequest, {
        fields: { request: refused.malformedRequest },
        cause: error,
      })
    case 413:
      return new ApiError('PAYLOAD_TOO_LARGE', refused.malformedRequest, { cause: error })
    case 415:
      return new ApiError('UNSUPPORTED_MEDIA_TYPE', refused.mediaType, { cause: error })
    default:
      return new ApiError('INTERNAL_ERROR', refused.internal(requestId), { cause: error })
  }
}
