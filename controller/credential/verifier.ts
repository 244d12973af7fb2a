/**
 * Verifies Credentials as seldom as can be: once for each identity, and again now and then.
 *
 * An accepted identity is asked about again slowly, since it can be revoked; a refused one when its Secret changes or
 * slowly; one that the cloud did not answer about, or whose Secret is not there yet, soon, with a growing interval. What
 * was accepted stays accepted while the cloud does not answer: an outage of it is no reason to forget an identity.
 */
import { type Sleep, sleepMs } from '../../clouds/sleep.ts'
import type { Credential } from '../../crds/credential.ts'
import type { Secret } from '../../kube/builtin-types.ts'
import { isTrue } from '../../kube/conditions.ts'
import { silenceToldAfterMs } from '../silence-words.ts'
import type { CloudRegistry, Known } from './cloud-registry.ts'
import { identityOf, versionOf } from './identity.ts'
import {
  askCloud,
  type Finding,
  refusalOf,
  silent,
  type VerificationOptions,
  verificationRegion,
} from './verification.ts'

export interface VerifierOptions extends VerificationOptions {
  readonly registry: CloudRegistry
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly random: () => number
  readonly sleep?: Sleep
}

export interface Verifying {
  readonly signal: AbortSignal
  /** Told of a Credential that was not Ready, while the cloud has been asked about it for long and says nothing. */
  readonly onSilence: (finding: Finding) => void
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
  const { registry, providers, now, random, sleep = sleepMs } = options

  return async function verify(
    credential: Credential,
    secret: Secret | undefined,
    { signal, onSilence }: Verifying,
  ): Promise<Verified> {
    const identity = identityOf(credential, secret)
    const region = verificationRegion(credential, providers)
    const version = versionOf(identity, credential.spec.provider, region)
    const last = registry.known(credential)
    const before = last?.version === version ? last : undefined
    const isDue = !before || before.dueAt <= now()
    const refusal = refusalOf(credential, { ...options, secretFound: secret !== undefined })
    if (!refusal && !isDue) return { finding: before.finding, againAfterMs: before.dueAt - now(), rotated: false }

    const silentSince = (before?.finding.kind === 'unanswered' ? before.finding.silentSince : undefined) ?? now()
    const asked = refusal ?? askCloud({ credential, identity, region, silentSince }, options, signal)
    if (!before && !isTrue(credential.status?.conditions, 'Ready'))
      void unlessAnswered(asked, () => {
        const finding = silent(silentSince)
        registry.learn(credential, { version, identity, finding, dueAt: now(), backoffMs: 0 })
        onSilence(finding)
      })
    const answer = await asked
    const finding = answer.kind === 'unanswered' && before?.finding.kind === 'accepted' ? before.finding : answer
    const backoffMs = isPassing(answer) ? nextBackoffMs(before, isDue) : 0
    // Spread, so that they do not come in herds.
    const againAfterMs =
      (backoffMs || (answer.kind === 'accepted' ? ACCEPTED_FOR_MS : REFUSED_FOR_MS)) * (0.9 + 0.2 * random())
    registry.learn(credential, { version, identity, finding, dueAt: now() + againAfterMs, backoffMs })
    const rotated = !before && last?.finding.kind === 'accepted' && finding.kind === 'accepted'
    return { finding, againAfterMs, rotated }
  }

  /** Calls back if the answer takes long. */
  async function unlessAnswered(asked: Finding | Promise<Finding>, tell: () => void): Promise<void> {
    const answered = new AbortController()
    const stop = () => answered.abort()
    Promise.resolve(asked).then(stop, stop)
    await sleep(silenceToldAfterMs, answered.signal).catch(() => undefined)
    if (!answered.signal.aborted) tell()
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
