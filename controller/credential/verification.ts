/**
 * Asks the cloud who a Credential is, and says what came of it in the cloud's own words.
 *
 * Guarantees: nothing thrown but the reason of an aborted signal; no value of a Secret in what it says, only names of keys.
 */
import type { Cloud } from '../../clouds/cloud.ts'
import { type CloudError, isCloudError } from '../../clouds/cloud-error.ts'
import { errorClasses } from '../../clouds/error-classes.ts'
import type { Identity } from '../../clouds/provider.ts'
import type { Providers } from '../../clouds/providers.ts'
import type { Credential } from '../../crds/credential.ts'
import type { Readiness } from '../report.ts'
import { silenceWords } from '../silence-words.ts'

export type Finding =
  /** The cloud knows who it is. */
  | { readonly kind: 'accepted'; readonly account: string; readonly identity: string }
  /** It cannot be used; the readiness says why. */
  | { readonly kind: 'refused'; readonly readiness: Readiness }
  /** The cloud did not say. `silentSince`: nothing at all came back, from then on; milliseconds since 1970. */
  | { readonly kind: 'unanswered'; readonly readiness: Readiness; readonly silentSince?: number }

export interface VerificationOptions {
  readonly providers: Providers
  /** Whether a Credential may use the controller's own identity. */
  readonly ambientAllowed: boolean
}

/** What can be said without asking; `undefined` when the cloud has to be asked. */
export function refusalOf(
  { metadata, spec }: Credential,
  { providers, ambientAllowed, secretFound }: VerificationOptions & { readonly secretFound: boolean },
): Finding | undefined {
  if (!providers.named(spec.provider)) {
    const message = `Provider ${spec.provider} is not on in this installation; its operator says which are (SKYCLUST_PROVIDERS).`
    return refused('ProviderDisabled', message)
  }
  if (spec.source === 'Ambient') {
    const message =
      "spec.source: the operator of this installation does not let Credentials use the controller's own identity (SKYCLUST_AMBIENT_CREDENTIALS); use a Secret."
    return ambientAllowed ? undefined : refused('AmbientNotAllowed', message)
  }
  if (!secretFound) {
    const message = `spec.secretRef: there is no Secret ${spec.secretRef?.name} in namespace ${metadata.namespace}; make it, it is looked for again.`
    // Not stalled: when both are applied together, the Secret is only a moment late.
    return { kind: 'refused', readiness: { phase: 'progressing', reason: 'SecretMissing', message } }
  }
  return undefined
}

/** The region in which a Credential is verified: its own, or any, since the answer is the same everywhere. */
export function verificationRegion({ spec }: Credential, providers: Providers): string {
  const known = providers.named(spec.provider)?.regions ?? []
  const usual = known.find(({ name }) => name === 'us-east-1') ?? known[0]
  return spec.region ?? usual?.name ?? ''
}

export interface Question {
  readonly credential: Credential
  readonly identity: Identity
  readonly region: string
  /** When it was asked first without an answer, or is asked now. */
  readonly silentSince: number
}

export async function askCloud(
  { credential, identity, region, silentSince }: Question,
  { providers }: Pick<VerificationOptions, 'providers'>,
  signal: AbortSignal,
): Promise<Finding> {
  try {
    const cloud = providers.named(credential.spec.provider)?.connect(identity, region) as Cloud
    const { account, identity: who } = await cloud.verify(signal)
    return { kind: 'accepted', account, identity: who }
  } catch (error) {
    signal.throwIfAborted()
    if (!isCloudError(error)) return unanswered('Failed', String(error))
    return error.unanswered ? silent(silentSince, error) : findingOf(error, credential)
  }
}

/** Nothing has come back, so far. */
export function silent(since: number, error?: CloudError): Finding {
  const words = error ? `${sentence(error.message)} ${error.remedy}` : 'It is asked until it does.'
  const message = `${silenceWords(since)} ${words}`
  return { ...unanswered(errorClasses.transient.reason, message), silentSince: since }
}

function findingOf(error: CloudError, { spec }: Credential): Finding {
  const { reason, stalled } = errorClasses[error.class]
  const { remedy } = error
  if (error.code === 'MissingKey') {
    return refused('SecretIncomplete', `Secret ${spec.secretRef?.name}: ${error.message} Put in what it lacks.`)
  }
  if (error.code === 'InvalidKey') {
    return refused('SecretInvalid', `Secret ${spec.secretRef?.name}: ${error.message} ${remedy}`)
  }
  if (error.class === 'unauthorized' || error.class === 'forbidden') {
    return refused('Rejected', `The cloud says: ${sentence(error.message)} ${remedy}`)
  }
  return stalled
    ? refused(reason, `${sentence(error.message)} ${remedy}`)
    : unanswered(reason, `${sentence(error.message)} ${remedy}`)
}

function refused(reason: string, message: string): Finding {
  return { kind: 'refused', readiness: { phase: 'stalled', reason, message } }
}

function unanswered(reason: string, message: string): Finding & { readonly kind: 'unanswered' } {
  return { kind: 'unanswered', readiness: { phase: 'progressing', reason, message } }
}

function sentence(text: string): string {
  return /[.!?]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`
}
