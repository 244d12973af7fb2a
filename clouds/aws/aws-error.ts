/**
 * Turns whatever the SDK throws into a `CloudError`: AWS's own code and words, the class that follows from them, and
 * whether the call may have taken effect all the same. The SDK's error itself is not kept: it holds the answer and
 * what it was an answer to, and errors are logged.
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
    return new CloudError(error.message ?? '', { class: 'unauthorized', code: error.name, action })
  }
  if (status === undefined) return noAnswer(error, { action, mutation })
  const code = codeOf(error, status)
  // A proxy's page, or nothing at all: what the SDK says then is about its parser.
  const message = code && error.message ? error.message : `AWS answered HTTP ${status} in no form of its own`
  const errorClass = error.$metadata?.clockSkewCorrected ? 'transient' : awsErrorClass({ code, message, status })
  return new CloudError(message, {
    class: errorClass,
    code,
    action,
    requestId: error.$metadata?.requestId ?? '',
    outcomeUnknown: mutation && errorClass === 'transient' && (status >= 500 || status < 400),
  })
}

/** EC2 prefixes some codes with whose fault it is; the SDK names an answer that it cannot read `Error` or by its status. */
function codeOf({ name = '' }: SdkError, status: number): string {
  const code = name.replace(/^(Client|Server)\./, '')
  return code === 'Error' || code === 'Unknown' || code === 'UnknownError' || code === String(status) ? '' : code
}

/** After a refused connection nothing was done; after any other silence nobody can say. */
function noAnswer(error: SdkError, { action, mutation }: FailedCall): CloudError {
  const unconnected = /did not establish a connection/.test(error.message ?? '')
  const sent = !unconnected && !neverSent.has(error.code ?? '')
  return new CloudError(`No answer from AWS: ${error.message || error.code || 'the connection failed'}`, {
    class: 'transient',
    code: error.code ?? '',
    action,
    unanswered: true,
    outcomeUnknown: mutation && sent,
  })
}
