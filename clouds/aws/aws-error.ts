/**
 * Turns whatever the SDK throws into a `CloudError`: AWS's own code and words, the class that follows from them, and
 * whether the call may have taken effect all the same.
 */
import { CloudError } from '../cloud-error.ts'
import { awsErrorClass } from './error-codes.ts'

/** What an SDK error has; every field may be missing, as it may come from a socket. */
interface SdkError {
  readonly name?: string
  readonly message?: string
  readonly code?: string
  readonly $metadata?: {
    readonly httpStatusCode?: number
    readonly requestId?: string
    /** The SDK found our clock wrong, and will allow for that from now on. */
    readonly clockSkewCorrected?: boolean
  }
}

/** Failures before a byte of the request was on its way: nobody can have acted on it. */
const neverSent: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

export interface FailedCall {
  readonly action: string
  readonly mutation: boolean
}

export function awsError(thrown: unknown, { action, mutation }: FailedCall): CloudError {
  if (thrown instanceof CloudError) return thrown // of the call that was made for this one
  const error = (thrown ?? {}) as SdkError
  const status = error.$metadata?.httpStatusCode
  if (error.name === 'CredentialsProviderError') {
    return new CloudError(error.message ?? '', { class: 'unauthorized', code: error.name, action, cause: thrown })
  }
  if (status === undefined || status < 300) return noAnswer(error, { action, mutation, thrown })
  const code = codeOf(error, status)
  // A proxy's page, or nothing at all: what the SDK says then is about its parser.
  const message = code && error.message ? error.message : `AWS answered HTTP ${status} without saying why`
  const errorClass = error.$metadata?.clockSkewCorrected ? 'transient' : awsErrorClass({ code, message, status })
  return new CloudError(message, {
    class: errorClass,
    code,
    action,
    requestId: error.$metadata?.requestId ?? '',
    outcomeUnknown: mutation && errorClass === 'transient' && status >= 500,
    cause: thrown,
  })
}

/** EC2 prefixes some codes with whose fault it is; the SDK names an answer that it cannot read `Error` or by its status. */
function codeOf({ name = '' }: SdkError, status: number): string {
  const code = name.replace(/^(Client|Server)\./, '')
  return code === 'Error' || code === 'Unknown' || code === 'UnknownError' || code === String(status) ? '' : code
}

/** No answer, or one that cannot be read: after a refused connection nothing was done, otherwise nobody can say. */
function noAnswer(error: SdkError, call: FailedCall & { readonly thrown: unknown }): CloudError {
  const unconnected = /did not establish a connection/.test(error.message ?? '')
  const sent = !unconnected && !neverSent.has(error.code ?? '')
  return new CloudError(`No answer from AWS: ${error.message || error.code || String(call.thrown)}`, {
    class: 'transient',
    code: error.code ?? '',
    action: call.action,
    outcomeUnknown: call.mutation && sent,
    cause: call.thrown,
  })
}
