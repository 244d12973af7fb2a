/** Questions about the instances that were seen. */
import type { Instance } from '../../clouds/cloud.ts'
import type { Sighting } from '../observation/snapshot.ts'
import { belongsTo, incarnationOf, incarnationTag } from './identity.ts'
import { clockSkewMs, patienceMs } from './intent.ts'
import type { Access, Situation } from './situation.ts'

export function isLive(instance: Instance): boolean {
  return instance.state !== 'terminated'
}

/** Alive, and not on its way out either. */
export function isStaying(instance: Instance): boolean {
  return instance.state !== 'terminated' && instance.state !== 'terminating'
}

export function sightingOf({ view }: Situation, id: string): Sighting | undefined {
  return view.sightings.find(({ instance }) => instance.id === id)
}

/** Those that carry the VM's tag or were made with one of its tokens. */
export function ownSightings({ view, vm }: Situation): readonly Sighting[] {
  return view.sightings.filter(({ instance }) => belongsTo(instance, vm))
}

/** What an attempt at the present incarnation made; the oldest that is alive, else one that is not any more. */
export function madeInstance(situation: Situation): Instance | undefined {
  const incarnation = incarnationOf(situation.vm)
  const made = ownSightings(situation)
    .map(({ instance }) => instance)
    .filter((instance) => (incarnationTag(instance) ?? incarnation) === incarnation)
    .sort(byAge)
  return made.find(isStaying) ?? made.find(isLive) ?? made.at(-1)
}

/** Those of the VM's that are alive, but for the one that it keeps. */
export function surplusInstances(situation: Situation, keptId: string | undefined): readonly Instance[] {
  return ownSightings(situation)
    .filter(({ instance }) => isStaying(instance) && instance.id !== keptId)
    .filter(({ instance, at }) => !isRecent(situation, situation.recollection.terminatedAt?.[instance.id], at))
    .map(({ instance }) => instance)
}

/** A read that began at `readAt` may not show yet what was done at `doneAt`. */
export function isRecent(situation: Situation, doneAt: number | undefined, readAt: number): boolean {
  return doneAt !== undefined && readAt < doneAt + lagMs(situation.access)
}

export function lagMs(access: Access): number {
  return access.kind === 'ready' ? access.guarantees.lookupLagMs : 0
}

/** When an instance that was launched then is sure to be shown. `undefined` when nobody knows when it was launched. */
export function shownFrom({ vm, access }: Situation): number | undefined {
  const launched = vm.status?.launchTime
  return launched === undefined ? undefined : Date.parse(launched) + 1_000 + lagMs(access) + clockSkewMs
}

/**
 * When an instance that was launched then, and that no read shows, is believed to be gone. What follows from that cannot be
 * taken back (another one is made, or the VM let go), and no token stands behind it: so it is waited longer than for the lag
 * that lookups are known for. `undefined` when nobody knows when it was launched.
 */
export function missedFrom({ vm, access }: Situation): number | undefined {
  const launched = vm.status?.launchTime
  if (launched === undefined || access.kind !== 'ready') return undefined
  return Date.parse(launched) + 1_000 + patienceMs(access.guarantees) + clockSkewMs
}

function byAge(a: Instance, b: Instance): number {
  if (a.launchTime !== b.launchTime) return a.launchTime < b.launchTime ? -1 : 1
  return a.id < b.id ? -1 : 1
}
