/**
 * Shares the work between replicas by Leases: one a shard, and each replica holds no more than its fair share.
 *
 * Guarantees:
 * - no two replicas own one scope at the same time: `owns` is computed from the lease at the moment of the call (see
 *   `leader-election.ts`), and a shard is given back only after `drain` has seen its last worker end;
 * - a replica that dies is replaced within its lease's duration and one round of tries (15 s + 3 s by default);
 * - a replica that joins takes only its share: every other one hands over no more than it holds too many;
 * - with one shard this is plain leader election, and nobody counts replicas.
 *
 * A lease that is lost, and not given back, is `onLost`: the process has to end, because what it was about to write may
 * not land any more.
 */
import type { KubeClient } from '../../kube/client.ts'
import { type Clock, sleep, systemClock } from '../../kube/clock.ts'
import { type LeaderElection, leaderElection } from '../../kube/leader-election.ts'
import { replicas } from './replicas.ts'
import { fairShare, shardOf } from './shard.ts'

export interface ShardingOptions {
  /** Of its own, so that renewals do not queue behind other requests. */
  readonly client: KubeClient
  readonly namespace: string
  /** Unlike any other process's, and fit for an object's name. */
  readonly identity: string
  readonly shards: number
  readonly signal: AbortSignal
  /** The shard is ours from now on: look at everything in it. */
  readonly onAcquired: (shard: number) => void
  /** Resolves when nobody works on this shard any more; `accepts` says no of it already. */
  readonly drain: (shard: number) => Promise<void>
  readonly onLost: (reason: string) => void
  readonly onError?: (error: unknown) => void
  /** Of every Lease; see `LeaderElectionOptions`. */
  readonly durationMs?: number
  readonly deadlineMs?: number
  readonly renewMs?: number
  readonly clock?: Clock
  /** Milliseconds since 1970. */
  readonly wallClock?: () => number
  readonly random?: () => number
}

export interface Sharding {
  /** May this replica act on this namespace now? To be asked right before every side effect. */
  owns(scope: string): boolean
  /**
   * Is every shard that it has taken up still its own? If not, it has been deposed, and nothing that it was about to
   * write may land: to be asked right before every side effect by whoever does not know for which scope it is.
   */
  intact(): boolean
  /** Should it take up new work there? No longer, while the shard is on its way to another replica. */
  accepts(scope: string): boolean
  /** The shards in which it takes up work. */
  held(): readonly number[]
  /** Settles when the signal was aborted and every lease is given back. */
  readonly done: Promise<void>
}

/** What resource names of Leases begin with; a shard's has its number appended. */
export const LEASE_NAME = 'skyclust-controller'
const REPLICA_PREFIX = 'skyclust-replica-'

/** One replica that owns everything and asks nobody: `SKYCLUST_LEADER_ELECTION=false`. */
export function soleOwner(signal: AbortSignal): Sharding {
  const done = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  return { owns: () => true, intact: () => true, accepts: () => true, held: () => [0], done }
}

export function sharding(options: ShardingOptions): Sharding {
  const {
    client,
    namespace,
    identity,
    shards,
    signal,
    onAcquired,
    drain,
    onLost,
    onError,
    clock = systemClock,
    wallClock = Date.now,
    random = Math.random,
  } = options
  const timing = {
    durationMs: options.durationMs ?? 15_000,
    deadlineMs: options.deadlineMs ?? 10_000,
    renewMs: options.renewMs ?? 3_000,
  }
  /** How many shards this replica may hold. */
  let share = shards
  const elections: (Election | undefined)[] = new Array(shards).fill(undefined)
  const stop = new AbortController()

  function elect(lease: string, callbacks: Partial<Parameters<typeof leaderElection>[0]>): LeaderElection {
    return leaderElection({
      client,
      identity,
      lease: { namespace, name: lease },
      signal: stop.signal,
      clock,
      wallClock,
      random,
      onLost: (reason) => onLost(`the lease ${lease}: ${reason}`),
      ...timing,
      ...(onError ? { onError } : {}),
      ...callbacks,
    })
  }

  function stand(shard: number): void {
    const giveBack = new AbortController()
    const election: Election = {
      giveBack,
      leaving: false,
      acquired: false,
      lease: elect(shards === 1 ? LEASE_NAME : `${LEASE_NAME}-${shard}`, {
        signal: giveBack.signal,
        eligible: () => !stop.signal.aborted && acquired() < share,
        onStarted: () => {
          election.acquired = true
          onAcquired(shard)
        },
      }),
    }
    elections[shard] = election
  }

  const acquired = () => elections.filter((election) => election?.acquired).length

  const owns = (shard: number) => elections[shard]?.lease.isLeader() === true
  const accepts = (shard: number) => owns(shard) && elections[shard]?.acquired === true && !elections[shard].leaving
  const held = () => elections.flatMap((_, shard) => (accepts(shard) ? [shard] : []))

  /** Stops the work on a shard, then gives its lease back. */
  async function leave(shard: number): Promise<void> {
    const election = elections[shard]
    if (!election || election.leaving) return
    election.leaving = true
    if (election.acquired) await drain(shard)
    election.acquired = false
    election.giveBack.abort()
    await election.lease.done
  }

  /** Hands over what is above the share, and stands for those shards again, should their new owner die. */
  async function handOverExcess(): Promise<void> {
    const excess = held().slice(share)
    await Promise.all(excess.map(leave))
    if (!stop.signal.aborted) excess.forEach(stand)
  }

  async function keepFair(): Promise<void> {
    const own = `${REPLICA_PREFIX}${identity}`
    const membership = elect(own, {})
    const others = replicas({ client, namespace, prefix: REPLICA_PREFIX, clock })
    while (!stop.signal.aborted) {
      try {
        share = fairShare(shards, 1 + (await others.countOthers(own, stop.signal)))
        await handOverExcess()
      } catch (error) {
        if (!stop.signal.aborted) onError?.(error)
      }
      await sleep(clock, timing.renewMs, stop.signal).catch(() => undefined)
    }
    await membership.done
  }

  async function run(): Promise<void> {
    for (let shard = 0; shard < shards; shard++) stand(shard)
    const fairness = shards > 1 ? keepFair() : Promise.resolve()
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    await Promise.all(elections.map((_, shard) => leave(shard)))
    stop.abort()
    await fairness
  }

  return {
    owns: (scope) => owns(shardOf(scope, shards)),
    intact: () => elections.every((election) => !election?.acquired || election.lease.isLeader()),
    accepts: (scope) => accepts(shardOf(scope, shards)),
    held,
    done: run(),
  }
}

interface Election {
  readonly lease: LeaderElection
  readonly giveBack: AbortController
  /** Once set, the shard is no longer ours, though the lease still keeps others away. */
  leaving: boolean
  acquired: boolean
}
