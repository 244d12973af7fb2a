/**
 * Verifies Credentials as seldom as can be: once for each identity, and again now and then.
 *
 * An accepted identity is asked about again slowly, since it can be revoked; a refused one when its Secret changes or
 * slowly; one that the cloud did not answer about, or whose Secret is not there yet, soon, with a growing interval. What
 * was accepted stays accepted while the cloud does not answer: an outage of it is no reason to forget an identity.
 */
import type { Credential } from '../../crds/credential.ts'
import type { Secret } from '../../kube/builtin-types.ts'
import type { CloudRegistry, Known } from './cloud-registry.ts'
import { identityOf, versionOf } from './identity.ts'
import { askCloud, type Finding, refusalOf, type VerificationOptions, verificationRegion } from './verification.ts'

export interface VerifierOptions extends VerificationOptions {
  readonly registry: CloudRegistry
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly random: () => number
}

export interface Verified {
  readonly finding: Finding
  readonly againAfterMs: number
  /** Another key than before was accepted. */
  readonly rotated: boolean
}

const ACCEPTED_FOR_MS = 15 * 60_000
const REFUSED_FOR_MS = 5 * 60_000
const SHORTEST_BACKOFF_MS = 1_000
const LONGEST_BACKOFF_MS = 30_000

export function verifier(options: VerifierOptions) {
  const { registry, providers, now, random } = options

  return async function verify(
    credential: Credential,
    secret: Secret | undefined,
    signal: AbortSignal,
  ): Promise<Verified> {
    const identity = identityOf(credential, secret)
    const region = verificationRegion(credential, providers)
    const version = versionOf(identity, credential.spec.provider, region)
    const last = registry.known(credential)
    const before = last?.version === version ? last : undefined
    const isDue = !before || before.dueAt <= now()
    const refusal = refusalOf(credential, { ...options, secretFound: secret !== undefined })
    if (!refusal && !isDue) return { finding: before.finding, againAfterMs: before.dueAt - now(), rotated: false }

    const answer = refusal ?? (await askCloud({ credential, identity, region }, options, signal))
    const finding = answer.kind === 'unanswered' && before?.finding.kind === 'accepted' ? before.finding : answer
    const backoffMs = isPassing(answer) ? nextBackoffMs(before, isDue) : 0
    // Spread, so that they do not come in herds.
    const againAfterMs =
      (backoffMs || (answer.kind === 'accepted' ? ACCEPTED_FOR_MS : REFUSED_FOR_MS)) * (0.9 + 0.2 * random())
    registry.learn(credential, { version, identity, finding, dueAt: now() + againAfterMs, backoffMs })
    const rotated = !before && last?.finding.kind === 'accepted' && finding.kind === 'accepted'
    return { finding, againAfterMs, rotated }
  }
}

/** Whether it mends itself. */
function isPassing(answer: Finding): boolean {
  return answer.kind !== 'accepted' && answer.readiness.phase === 'progressing'
}

function nextBackoffMs(before: Known | undefined, isDue: boolean): number {
  const last = before?.backoffMs ?? 0
  return Math.min(Math.max(isDue ? last * 2 : last, SHORTEST_BACKOFF_MS), LONGEST_BACKOFF_MS)
}
