/**
 * What follows from a failure, in one place: by the class of the error, how soon it is tried again, what the condition
 * says and whether an event is told. See `clouds/error-classes.ts`.
 */
import { isCloudError } from '../../clouds/cloud-error.ts'
import { type ErrorClass, errorClasses } from '../../clouds/error-classes.ts'
import { isConflict, isKubeError, isNotFound } from '../../kube/kube-error.ts'

export type Failure =
  /** The object was read too early, or is not ours any more: what comes next wakes it. */
  | { readonly kind: 'outdated' }
  /** The API server's, or a defect: it goes to the log, and is tried again with backoff. */
  | { readonly kind: 'internal' }
  /** The cloud's. `slowly`: only a person can mend it. */
  | {
      readonly kind: 'cloud'
      readonly class: ErrorClass
      readonly message: string
      readonly remedy: string
      readonly slowly: boolean
      /** Another zone may do it. */
      readonly zonal: boolean
    }

export type CloudFailure = Extract<Failure, { kind: 'cloud' }>

/** A failure of the cloud's that the status says already. */
export class ToldFailure extends Error {
  override readonly name = 'ToldFailure'
  readonly failure: CloudFailure

  constructor(failure: CloudFailure) {
    super(failure.message)
    this.failure = failure
  }
}

/** Thrown where a side effect was about to happen and this replica does not own the VM any more. */
export class NotOwner extends Error {
  override readonly name = 'NotOwner'
}

/** Fast retries are not worth a write until so many have failed in a row. */
export const toldFromFailure = 3
/** About how long until what a person has to mend is tried again. */
export const slowRetryMs = 5 * 60_000

export function failureOf(error: unknown): Failure {
  if (error instanceof ToldFailure) return error.failure
  if (error instanceof NotOwner || isConflict(error) || isNotFound(error)) return { kind: 'outdated' }
  if (isKubeError(error) || !isCloudError(error)) return { kind: 'internal' }
  return cloudFailure(error.class, error)
}

export function cloudFailure(
  errorClass: ErrorClass,
  { message, remedy, zonal }: { readonly message: string; readonly remedy: string; readonly zonal?: boolean },
): CloudFailure {
  const slowly = errorClasses[errorClass].retry === 'slow'
  const words = stableWords(message)
  return { kind: 'cloud', class: errorClass, message: words, remedy, slowly, zonal: zonal ?? errorClass === 'capacity' }
}

/**
 * Whether a create that failed so may have made an instance all the same. Only the cloud's own refusal says that it did
 * not; a token that was used with other parameters (`conflict`) says that an earlier attempt did.
 */
export function mayHaveTakenEffect(error: unknown): boolean {
  if (error instanceof NotOwner) return false
  return !isCloudError(error) || error.outcomeUnknown || error.class === 'conflict'
}

/** The cloud's words without what is another each time, so that the same failure is not written again and again. */
function stableWords(message: string): string {
  const words = message
    .replace(/\s*Encoded authorization failure message: \S+/g, '')
    .replace(/\s*\(?Request ?ID: [\w-]+\)?/gi, '')
    .trim()
  return /[.!?]$/.test(words) ? words : `${words}.`
}
