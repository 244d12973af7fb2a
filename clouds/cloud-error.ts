import { type ErrorClass, errorClasses } from './error-classes.ts'

/** What every cloud throws: the cloud's own words and code, and the class that says what follows. */
export class CloudError extends Error {
  override readonly name = 'CloudError'
  /** See {@link ErrorClass}. */
  readonly class: ErrorClass
  /** The cloud's own code, such as `InsufficientInstanceCapacity`; "" when there was none. */
  readonly code: string
  /** The API action that failed, such as `RunInstances`. */
  readonly action: string
  /** The cloud's request id, for a support case; "" when there was none. */
  readonly requestId: string
  /**
   * Whether the action may have taken effect all the same: a lost answer, a time-out, a 5xx.
   * `false` means that the cloud said no and nothing was done.
   */
  readonly outcomeUnknown: boolean
  /** Nothing came back at all: a refused connection, a silence. */
  readonly unanswered: boolean
  /** Another zone may do what this one refused; `capacity` says so as well. */
  readonly zonal: boolean
  /** What to do about it, where the cloud's error says more than its class; see `errorClasses`. */
  readonly remedy: string

  constructor(
    message: string,
    options: {
      readonly class: ErrorClass
      readonly code?: string
      readonly action: string
      readonly requestId?: string
      readonly outcomeUnknown?: boolean
      readonly unanswered?: boolean
      readonly zonal?: boolean
      readonly remedy?: string
      readonly cause?: unknown
    },
  ) {
    super(message, { cause: options.cause })
    this.class = options.class
    this.code = options.code ?? ''
    this.action = options.action
    this.requestId = options.requestId ?? ''
    this.outcomeUnknown = options.outcomeUnknown ?? false
    this.unanswered = options.unanswered ?? false
    this.zonal = options.zonal ?? options.class === 'capacity'
    this.remedy = options.remedy ?? errorClasses[options.class].remedy
  }
}

export function isCloudError(error: unknown): error is CloudError {
  return error instanceof CloudError
}
