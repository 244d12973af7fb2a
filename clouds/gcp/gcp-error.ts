/**
 * Turns what Google answers, and what a connection throws, into a `CloudError`: Google's own code and words, the class
 * that follows from them, and whether the call may have taken effect all the same.
 */
import { CloudError } from '../cloud-error.ts'
import type { GceOperation } from './compute-types.ts'
import { judge } from './error-codes.ts'

export interface FailedCall {
  /** As Google names it: `instances.insert`. */
  readonly action: string
  readonly mutation: boolean
}

/** The form of every refusal of Google's REST APIs. @see https://cloud.google.com/apis/design/errors#http_mapping */
interface RefusalBody {
  readonly error?:
    | string
    | {
        readonly message?: string
        readonly status?: string
        readonly errors?: readonly { readonly reason?: string }[]
        readonly details?: readonly { readonly '@type'?: string; readonly reason?: string }[]
      }
  /** Of the token endpoint, whose `error` is a word (RFC 6749). */
  readonly error_description?: string
}

/** Google said no, or something in its place did. */
export function refusal(status: number, body: unknown, { action, mutation }: FailedCall): CloudError {
  const { codes, message } = readRefusal(body)
  const words = message || `Google answered HTTP ${status} in no form of its own`
  const { class: errorClass, code, remedy, zonal } = judge({ codes, message, status })
  // Whoever stands in Google's place knows nothing of what there is: "not found" would be believed.
  const isForeign = codes.length === 0 && message === ''
  return new CloudError(words, {
    class: isForeign ? 'transient' : errorClass,
    code,
    action,
    ...(remedy && { remedy }),
    ...(zonal && { zonal }),
    outcomeUnknown: mutation && (status >= 500 || status < 400 || status === 408),
  })
}

function readRefusal(body: unknown): { readonly codes: readonly string[]; readonly message: string } {
  const { error, error_description: description = '' } = (body ?? {}) as RefusalBody
  if (typeof error === 'string') return { codes: [error], message: description ? `${error}: ${description}` : error }
  const info = error?.details?.find((detail) => detail['@type']?.endsWith('ErrorInfo'))
  const codes = [info?.reason, error?.errors?.[0]?.reason, error?.status]
  return { codes: codes.filter((code) => code !== undefined), message: error?.message ?? '' }
}

/** An operation that ended in failure: nothing was done, and Google says so. */
export function operationFailure(operation: GceOperation, action: string): CloudError {
  const { code = '', message = '' } = operation.error?.errors?.[0] ?? {}
  const words = message || operation.httpErrorMessage || `the operation failed with ${code || 'no reason given'}`
  const judged = judge({ codes: [code], message: words, status: operation.httpErrorStatusCode ?? 0 })
  return new CloudError(words, {
    class: judged.class,
    code: judged.code,
    action,
    ...(judged.remedy && { remedy: judged.remedy }),
  })
}

/** Failures before a byte of the request was on its way: nobody can have acted on it. */
const neverSent: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** After a refused connection nothing was done; after any other silence nobody can say. */
export function noAnswer(thrown: unknown, { action, mutation }: FailedCall): CloudError {
  const cause = (thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown) as Error & {
    readonly code?: string
  }
  const code = cause?.code ?? ''
  return new CloudError(`No answer from Google: ${cause?.message || code || 'the connection failed'}`, {
    class: 'transient',
    code,
    action,
    unanswered: true,
    outcomeUnknown: mutation && !neverSent.has(code),
  })
}
