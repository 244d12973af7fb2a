/**
 * The token buckets of every account: one set for an account in a region of a provider, however many Credentials
 * lead to it, because that is what the cloud meters; and whether it answers there.
 */
import type { ActionLimit, CloudAction, CloudLimits } from './cloud.ts'
import { type Silence, silence } from './silence.ts'
import type { Sleep } from './sleep.ts'
import { type TokenBucket, tokenBucket } from './token-bucket.ts'

export interface Meters {
  of(place: MeteredPlace): Meter
}

export interface MeteredPlace {
  readonly provider: string
  readonly account: string
  readonly region: string
  readonly limits: CloudLimits
}

export interface Meter {
  /** Waits until the action may be called on so many instances. */
  take(action: CloudAction, instances: number, signal?: AbortSignal): Promise<void>
  /** Waits until the action may be called on some instances; gives on how many of those that are then wanted. */
  takeSome(action: CloudAction, wanted: () => number): Promise<number>
  /** The cloud refused the action as one too many, or as on too many instances. */
  throttled(action: CloudAction, what: 'calls' | 'instances'): void
  readonly silence: Silence
}

export interface MetersOptions {
  /** Milliseconds from any origin; a test passes its own. */
  readonly now?: () => number
  readonly sleep?: Sleep
  /** Milliseconds since 1970. */
  readonly wallClock?: () => number
}

export function meters(clock: MetersOptions = {}): Meters {
  const known = new Map<string, Meter>()
  return {
    of({ provider, account, region, limits }) {
      const key = `${provider}/${account}/${region}`
      const meter = known.get(key) ?? meterOf(limits, clock)
      known.set(key, meter)
      return meter
    },
  }
}

interface Buckets {
  readonly calls: TokenBucket
  readonly instances: TokenBucket | undefined
}

function meterOf(limits: CloudLimits, clock: MetersOptions): Meter {
  const buckets = new Map<CloudAction, Buckets>()
  function of(action: CloudAction): Buckets {
    const made = buckets.get(action) ?? bucketsOf(limits[action], clock)
    buckets.set(action, made)
    return made
  }
  return {
    async take(action, instances, signal) {
      await of(action).calls.take(1, signal)
      if (instances > 0) await of(action).instances?.take(instances, signal)
    },
    async takeSome(action, wanted) {
      await of(action).calls.take()
      return (await of(action).instances?.takeSome(wanted)) ?? wanted()
    },
    throttled: (action, what) => (of(action)[what] ?? of(action).calls).throttled(),
    silence: silence(clock.wallClock ?? Date.now),
  }
}

function bucketsOf({ calls, instances }: ActionLimit, clock: MetersOptions): Buckets {
  return {
    calls: tokenBucket({ ...calls, ...clock }),
    instances: instances && tokenBucket({ ...instances, ...clock }),
  }
}
