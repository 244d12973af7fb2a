/**
 * Failed logins where there is no password to keep them with: at addresses that nobody has, and at users who log in otherwise. All
 * replicas count them together, as they do those at passwords, or whoever is told to wait later would know that an address is nobody's.
 *
 * Guarantees: {@link SHELVES} Secrets of at most {@link PLACES} counters each, however many addresses strangers think of: a new one
 * takes the place of the one that was tried longest ago. Changes go by compare-and-swap.
 *
 * Caveat: whoever tries some thousand addresses makes the first ones forgotten; each costs them as much as a login does.
 */
import { type Secret, secretType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { find } from '../../kube/find.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../../kube/kube-error.ts'
import { installationLabels, SECRET_KIND_LABEL, UNCLAIMED_ATTEMPTS_PREFIX } from '../installation-objects.ts'
import { type FailureCount, type LoginAttempts, noAttempts } from './login-attempts.ts'

export interface UnclaimedAttempts {
  /** @param account hexadecimal digest */
  read(account: string): Promise<LoginAttempts>
  /** Changes the counter as it is now. */
  update(account: string, decide: (attempts: LoginAttempts) => LoginAttempts): Promise<void>
}

export const SHELVES = 16
export const PLACES = 256
const ATTEMPTS = 16

/** By digest; who was tried longest ago comes first. */
type Counters = Map<string, FailureCount>

export function unclaimedAttempts(client: KubeClient, namespace: string): UnclaimedAttempts {
  const labels = { ...installationLabels, [SECRET_KIND_LABEL]: 'login-attempts' }

  function keyFor(account: string) {
    return { namespace, name: `${UNCLAIMED_ATTEMPTS_PREFIX}${Number.parseInt(account.slice(0, 4), 16) % SHELVES}` }
  }

  return {
    async read(account) {
      return attemptsOf(counters(await find(client, secretType, keyFor(account))), account)
    },

    async update(account, decide) {
      const key = keyFor(account)
      for (let attempt = 1; ; attempt++) {
        const secret = await find(client, secretType, key)
        const kept = counters(secret)
        const { strange } = decide(attemptsOf(kept, account))
        kept.delete(account)
        const newest = [...kept, [account, strange] as const].slice(-PLACES)
        const data = { counters: Buffer.from(JSON.stringify(newest)).toString('base64') }
        try {
          if (secret) await client.replace(secretType, { ...secret, data })
          else await client.create(secretType, { metadata: { ...key, labels }, type: 'Opaque', data })
          return
        } catch (error) {
          const wasChanged = isConflict(error) || isAlreadyExists(error) || isNotFound(error)
          if (!wasChanged || attempt === ATTEMPTS) throw error
        }
      }
    },
  }
}

/** Nobody has logged in there, so that every address is a strange one. */
function attemptsOf(counters: Counters, account: string): LoginAttempts {
  return { ...noAttempts, strange: counters.get(account) ?? noAttempts.strange }
}

function counters(secret: Secret | undefined): Counters {
  const text = Buffer.from(secret?.data?.counters ?? '', 'base64').toString()
  return new Map(text === '' ? [] : (JSON.parse(text) as [string, FailureCount][]))
}
