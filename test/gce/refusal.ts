/** Refusals in the form of Google's REST APIs. @see https://cloud.google.com/apis/design/errors#http_mapping */
export class GceRefusal extends Error {
  override readonly name = 'GceRefusal'
  readonly status: number
  readonly reason: string
  /** Of a `google.rpc.ErrorInfo` beside it. */
  readonly info: string | undefined

  constructor(status: number, reason: string, message: string, info?: string) {
    super(message)
    this.status = status
    this.reason = reason
    this.info = info
  }

  body(): unknown {
    const { status, reason, message, info } = this
    const details = info
      ? [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: info, domain: 'googleapis.com' }]
      : undefined
    const rpc = rpcStatus[status]
    const domain = /rateLimit|quota|accessNotConfigured/i.test(reason) ? 'usageLimits' : 'global'
    const errors = [{ message, domain, reason }]
    return { error: { code: status, message, errors, ...(rpc && { status: rpc }), ...(details && { details }) } }
  }
}

const rpcStatus: Readonly<Record<number, string>> = { 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED' }

export function notFound(link: string): GceRefusal {
  return new GceRefusal(404, 'notFound', `The resource '${link}' was not found`)
}

export function invalidField(field: string, value: string, why: string): GceRefusal {
  return new GceRefusal(400, 'invalid', `Invalid value for field '${field}': '${value}'. ${why}`)
}
