/**
 * From a Credential to the identity with which a cloud is asked.
 *
 * With whose rights is the Secret of a Credential read? A viewer may list instances and may not read Secrets, so it cannot
 * be the caller's. The facade's own account reads it: by name alone (it may neither list nor watch Secrets of tenants),
 * only the one that a Credential of a Workspace names, only when somebody asks, and keeps nothing of it; the provider of Google
 * Cloud keeps in memory, of the keys that were used last, the token that each was exchanged for.
 *
 * The controller grants that right for each Credential, a moment after it was made: a young one is waited for.
 */
import type { Identity } from '../../clouds/provider.ts'
import type { Credential } from '../../crds/credential.ts'
import { secretType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isForbidden, isNotFound } from '../../kube/kube-error.ts'
import { ApiError } from '../http/api-error.ts'
import { refused } from '../language/messages.ts'

/** Throws an `ApiError` that says why the Credential cannot be used. */
export type IdentityOf = (credential: Credential, signal: AbortSignal) => Promise<Identity>

export interface CredentialIdentityOptions {
  readonly client: Pick<KubeClient, 'get'>
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/** After that the controller, if it runs, has granted what it grants. */
const YOUNG_MS = 60_000
/** How long a young one is waited for. */
const PATIENCE_MS = 8_000
const FIRST_PAUSE_MS = 50

export function credentialIdentity({ client, now = Date.now }: CredentialIdentityOptions): IdentityOf {
  async function secretValues(credential: Credential, name: string, signal: AbortSignal): Promise<Identity['secret']> {
    const { namespace, creationTimestamp } = credential.metadata
    const isYoung = now() - Date.parse(creationTimestamp) < YOUNG_MS
    const deadline = now() + (isYoung ? PATIENCE_MS : 0)
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(1_000, pauseMs * 2)) {
      try {
        const { data = {} } = await client.get(secretType, { namespace, name }, { signal })
        return decoded(data)
      } catch (error) {
        if (!isNotFound(error) && !isForbidden(error)) throw error
        if (isNotFound(error) || now() >= deadline) {
          throw new ApiError('BAD_GATEWAY', refused.credentialUnusable(credential.metadata.name), { cause: error })
        }
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      signal.throwIfAborted()
    }
  }

  return async (credential, signal) => {
    const { source, secretRef, aws, gcp } = credential.spec
    if (source === 'Ambient' || secretRef === undefined) {
      throw new ApiError('CONFLICT', refused.ambientUnreadable(credential.metadata.name))
    }
    const secret = await secretValues(credential, secretRef.name, signal)
    return { secret, ...(aws && { aws }), ...(gcp && { gcp }) } as Identity
  }
}

function decoded(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
}
