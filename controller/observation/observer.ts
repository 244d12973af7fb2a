/**
 * One pair of eyes for each account and region in which there are VMs; they open with the first VM that looks and close a
 * while after the last one is gone.
 */
import type { Instance } from '../../clouds/cloud.ts'
import type { Clock } from '../../kube/clock.ts'
import { type AccountRegion, accountRegion, type Place } from './account-region.ts'

export interface Observer {
  /** The eyes on this place, opened if they were closed. */
  at(place: Place, limits: { readonly lookupLagMs: number; readonly maxFilterValues: number }): AccountRegion
  /** The VM counts on none of them any more. */
  leave(uid: string): void
  readonly open: readonly AccountRegion[]
}

export interface ObserverOptions {
  readonly clusterUID: string
  readonly intervalMs: number
  /** For how long to look on after the last VM left. */
  readonly lingerMs: number
  readonly signal: AbortSignal
  readonly clock: Clock
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
  readonly random: () => number
  readonly onChanged: (instance: Instance) => void
  readonly onSight: (users: Iterable<string>) => void
  readonly onListed: (eyes: AccountRegion) => void
  readonly onFailed: (place: Place, error: unknown) => void
}

export function observer(options: ObserverOptions): Observer {
  const { signal, clock, wallClock, lingerMs } = options
  const places = new Map<string, { readonly eyes: AccountRegion; readonly close: () => void }>()

  function open(place: Place, limits: { lookupLagMs: number; maxFilterValues: number }): AccountRegion {
    const closing = new AbortController()
    const stop = () => closing.abort(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    const eyes = accountRegion({
      ...options,
      place,
      lagMs: limits.lookupLagMs,
      maxFilterValues: limits.maxFilterValues,
      signal: closing.signal,
      onListed: () => {
        options.onListed(eyes)
        closeUnused()
      },
      onFailed: (error) => options.onFailed(place, error),
    })
    const close = () => {
      signal.removeEventListener('abort', stop)
      closing.abort(new Error('no VM is there any more'))
    }
    places.set(keyOf(place), { eyes, close })
    return eyes
  }

  function closeUnused(): void {
    for (const [key, { eyes, close }] of places) {
      if (eyes.unusedSince === undefined || wallClock() - eyes.unusedSince < lingerMs) continue
      places.delete(key)
      // Not from within its own listing.
      clock.after(0, close)
    }
  }

  return {
    at: (place, limits) => places.get(keyOf(place))?.eyes ?? open(place, limits),
    leave(uid) {
      for (const { eyes } of places.values()) eyes.leave(uid)
    },
    get open() {
      return [...places.values()].map(({ eyes }) => eyes)
    },
  }
}

function keyOf({ provider, account, region }: Place): string {
  return `${provider}/${account}/${region}`
}
