/**
 * One Lease as a lock: taken, renewed and given back by compare-and-swap on its version.
 *
 * Guarantees: a lease of somebody else is taken only when it is free, or when *this* process has seen it unchanged for
 * the whole duration that its holder wrote into it, by its own monotonic clock. The times in the lease are for people;
 * no clock is compared with another machine's (client-go's rule).
 */
import { type Lease, leaseType } from './builtin-types.ts'
import type { KubeClient } from './client.ts'
import type { Clock } from './clock.ts'
import { isAlreadyExists, isConflict, isNotFound } from './kube-error.ts'
import { sameJson } from './merge-patch.ts'

export interface LeaseLockOptions {
  readonly client: KubeClient
  readonly key: { readonly namespace: string; readonly name: string }
  readonly identity: string
  readonly durationMs: number
  readonly clock: Clock
  /** Milliseconds since 1970, for the times that people read. */
  readonly wallClock: () => number
}

export interface LeaseLock {
  /** Takes or renews; `false` when it is another's. Throws what the server says: then nobody knows. */
  tryHold(signal: AbortSignal): Promise<boolean>
  /** Only watches the holder, so that a later `tryHold` knows since when it has been silent. */
  look(signal: AbortSignal): Promise<void>
  /** Gives it back, if it is still ours. */
  release(signal: AbortSignal): Promise<void>
  /** As last seen. */
  readonly holder: string | undefined
  /** As last seen: the same for as long as nobody else took it, gave it back or made it anew. */
  readonly term: string | undefined
}

export function leaseLock({ client, key, identity, durationMs, clock, wallClock }: LeaseLockOptions): LeaseLock {
  /** The lease as last seen, and since when this process has seen it so. */
  let known: { readonly lease: Lease; readonly since: number } | undefined

  const holder = () => known?.lease.spec?.holderIdentity || undefined
  const isOurs = () => holder() === identity

  function remember(lease: Lease | undefined): void {
    const unchanged = known && lease && sameJson(known.lease.spec, lease.spec)
    known = lease && { lease, since: unchanged && known ? known.since : clock.now() }
  }

  async function look(signal: AbortSignal): Promise<void> {
    try {
      remember(await client.get(leaseType, key, { signal }))
    } catch (error) {
      if (!isNotFound(error)) throw error
      remember(undefined)
    }
  }

  function isForeign(): boolean {
    if (!known || !holder() || isOurs()) return false
    const promisedMs = (known.lease.spec?.leaseDurationSeconds ?? 0) * 1000 || durationMs
    return clock.now() - known.since < promisedMs
  }

  /** `false` when somebody was faster. */
  async function write(spec: NonNullable<Lease['spec']>, signal: AbortSignal): Promise<boolean> {
    try {
      const written = known
        ? await client.replace(leaseType, { ...known.lease, spec }, { signal })
        : await client.create(leaseType, { metadata: key, spec }, { signal })
      remember(written)
      return true
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error) || isNotFound(error)) return false
      throw error
    }
  }

  function heldSpec(): NonNullable<Lease['spec']> {
    const now = microTime(wallClock())
    const before = known?.lease.spec ?? {}
    return {
      ...before,
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      acquireTime: (isOurs() && before.acquireTime) || now,
      renewTime: now,
      leaseTransitions: (before.leaseTransitions ?? 0) + (known && !isOurs() ? 1 : 0),
    }
  }

  return {
    look,
    async tryHold(signal) {
      if (!isOurs()) await look(signal) // the holder goes straight to the write: one request a renewal
      // Twice, because a conflict may be about an annotation; after a conflict the lease is looked at again.
      for (let tries = 0; tries < 2 && !isForeign(); tries++) {
        if (await write(heldSpec(), signal)) return true
        await look(signal)
      }
      return false
    },
    async release(signal) {
      if (!known || !isOurs()) return
      const now = microTime(wallClock())
      await write({ ...known.lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now }, signal)
    },
    get holder() {
      return holder()
    },
    get term() {
      const { metadata, spec = {} } = known?.lease ?? {}
      return metadata && [metadata.uid, spec.holderIdentity, spec.acquireTime, spec.leaseTransitions].join(' ')
    },
  }
}

/** `MicroTime`. */
export function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z')
}
