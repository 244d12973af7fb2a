/**
 * Leader election on a Lease, with a bound that also holds for a process that was frozen.
 *
 * Guarantees:
 * - `isLeader()` is computed when it is called: it is false from `deadlineMs` after the last renewal was *sent*, however
 *   long the process slept meanwhile. Others wait `durationMs` from when they *saw* that renewal, which is later; so
 *   at least `durationMs − deadlineMs` lie between a leader's last side effect and another's first, provided that
 *   no single side effect takes longer than that;
 * - a leader that did not get a renewal through in time acts no more, and tries on: where nobody else can have led
 *   meanwhile, the lease being the very one that it left, it leads again and `onStarted` is called again. So an outage
 *   of the API server is waited out;
 * - one that finds that another has led is deposed for good: `onLost` once, then `done`. The process is expected to end;
 * - when `signal` is aborted the lease is given back, so that the next one need not wait. Abort it after the work ended.
 *
 * Any number of elections may run in one process (a Lease a shard). Give them a client of their own, so that renewals
 * do not queue behind other requests.
 *
 * @see https://pkg.go.dev/k8s.io/client-go/tools/leaderelection whose rules these are, but for the freeze
 */
import type { KubeClient } from './client.ts'
import { type Clock, sleep, systemClock } from './clock.ts'
import { leaseLock } from './lease-lock.ts'

export interface LeaderElectionOptions {
  readonly client: KubeClient
  readonly lease: { readonly namespace: string; readonly name: string }
  /**
   * Unlike that of any process that may still run. Whoever has the name of the lease's holder takes it at once: the successor of
   * a process that surely ended may have its name (a pod's), anybody else has a random part in theirs.
   */
  readonly identity: string
  /** How long others wait after the last renewal that they saw. */
  readonly durationMs?: number
  /** For how long after a renewal this process takes itself for the leader. */
  readonly deadlineMs?: number
  /** Between one renewal, or one try to acquire, and the next. */
  readonly renewMs?: number
  readonly signal: AbortSignal
  /** May the lease be taken now? Asked before each try; while it says no, the holder is only watched. Default: always. */
  readonly eligible?: () => boolean
  /** It leads, from now on or again: whatever it let pass meanwhile is to be looked at. */
  readonly onStarted?: () => void
  /** Not called on a stop by `signal`. */
  readonly onLost?: (reason: string) => void
  /** Somebody else leads, as seen from here. */
  readonly onNewLeader?: (holder: string) => void
  /** A try failed; the next one follows. */
  readonly onError?: (error: unknown) => void
  readonly clock?: Clock
  /** Milliseconds since 1970. */
  readonly wallClock?: () => number
  readonly random?: () => number
}

export interface LeaderElection {
  /** To be asked right before every side effect. */
  isLeader(): boolean
  /** Who holds the lease, as last seen. */
  readonly holder: string | undefined
  readonly done: Promise<'released' | 'lost'>
}

/** After a renewal that failed. */
const RETRY_MS = 1_000
const RELEASE_TIMEOUT_MS = 3_000

export function leaderElection(options: LeaderElectionOptions): LeaderElection {
  const {
    client,
    lease: key,
    identity,
    signal,
    eligible = () => true,
    onStarted,
    onLost,
    onNewLeader,
    onError,
  } = options
  const { durationMs = 15_000, deadlineMs = 10_000, renewMs = 3_000 } = options
  const { clock = systemClock, wallClock = Date.now, random = Math.random } = options
  if (!(renewMs < deadlineMs && deadlineMs < durationMs)) {
    throw new RangeError(
      `a Lease needs renewMs < deadlineMs < durationMs, not ${renewMs}, ${deadlineMs}, ${durationMs}`,
    )
  }
  const lock = leaseLock({ client, key, identity, durationMs, clock, wallClock })
  /** When the renewal that we live on was begun, by both clocks. */
  let renewed: { readonly monotonic: number; readonly wall: number } | undefined
  /** Of the lease that we live on: another one if somebody else held it since. */
  let term: string | undefined
  let wasInterrupted = false
  let toldHolder: string | undefined

  /** By the clock that moved more: the monotonic one stands still while a machine is suspended, the wall clock may be set back. */
  function sinceRenewalMs(): number {
    if (!renewed) return Number.POSITIVE_INFINITY
    return Math.max(clock.now() - renewed.monotonic, wallClock() - renewed.wall)
  }

  /** `undefined` when the server gave no answer that tells. */
  async function tryHold(timeoutMs: number): Promise<boolean | undefined> {
    const begun = { monotonic: clock.now(), wall: wallClock() }
    try {
      const held = await within(timeoutMs, lock.tryHold)
      if (held) holds(begun)
      if (!held && lock.holder && lock.holder !== toldHolder) onNewLeader?.(lock.holder)
      toldHolder = lock.holder
      return held
    } catch (error) {
      if (!signal.aborted) onError?.(error)
      return undefined
    }
  }

  function holds(begun: { readonly monotonic: number; readonly wall: number }): void {
    const hasLapsed = sinceRenewalMs() >= deadlineMs
    if (renewed && hasLapsed && lock.term !== term) {
      wasInterrupted = true
      return
    }
    renewed = begun
    term = lock.term
    if (hasLapsed && !signal.aborted) onStarted?.()
  }

  /** Not bound to `signal`: a stop waits for the write that is under way, to know what is to be given back. */
  async function within<R>(timeoutMs: number, task: (attempt: AbortSignal) => Promise<R>): Promise<R> {
    const attempt = new AbortController()
    const cancel = clock.after(timeoutMs, () =>
      attempt.abort(new Error(`the Lease did not answer within ${Math.round(timeoutMs)} ms`)),
    )
    try {
      return await task(attempt.signal)
    } finally {
      cancel()
    }
  }

  /** Resolves with `false` when the signal came first. */
  async function pause(ms: number): Promise<boolean> {
    await sleep(clock, ms, signal).catch(() => undefined)
    return !signal.aborted
  }

  async function acquire(): Promise<boolean> {
    while (!signal.aborted) {
      if (!eligible()) await within(deadlineMs, lock.look).catch((error) => onError?.(error))
      else if (await tryHold(deadlineMs)) return true
      await pause(renewMs * (0.8 + 0.4 * random()))
    }
    return false
  }

  /** Resolves with the reason when deposed, with `undefined` when told to stop. */
  async function keep(): Promise<string | undefined> {
    let held: boolean | undefined = true
    while (await pause(held ? renewMs : RETRY_MS)) {
      const leftMs = deadlineMs - sinceRenewalMs()
      held = await tryHold(leftMs > 0 ? Math.min(leftMs, deadlineMs / 2) : deadlineMs / 2)
      if (held === false && lock.holder !== identity) return `the Lease is held by ${lock.holder ?? 'nobody'}`
      if (wasInterrupted) return 'another has held the Lease meanwhile'
    }
    return undefined
  }

  async function run(): Promise<'released' | 'lost'> {
    if (await acquire()) {
      const reason = await keep()
      renewed = undefined
      if (reason !== undefined) {
        onLost?.(reason)
        return 'lost'
      }
    }
    await within(RELEASE_TIMEOUT_MS, lock.release).catch((error) => onError?.(error))
    return 'released'
  }

  return {
    isLeader: () => sinceRenewalMs() < deadlineMs,
    get holder() {
      return lock.holder
    },
    done: run(),
  }
}
