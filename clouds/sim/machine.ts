/**
 * One simulated instance and its recent past. A description is taken at a moment, now or `lookupLagMs` ago, so a
 * machine keeps the versions that a lagging look may still ask for. Nothing here reads a clock: a state change
 * under way is a version with a moment at which its next state begins.
 */
import type { Instance, InstanceSpec, InstanceState } from '../cloud.ts'

export interface Machine {
  readonly id: string
  readonly account: string
  readonly region: string
  readonly zone: string
  readonly bornAt: number
  /** Grows with every launch; the order of a listing and the cursor of its pages. */
  readonly sequence: number
  readonly token: string
  /** What the create asked for, without its tags and user data. */
  readonly launched: Omit<InstanceSpec, 'tags' | 'userData' | 'token'>
  /** Oldest first, never empty. */
  versions: readonly Version[]
}

export interface Version {
  readonly writtenAt: number
  readonly state: InstanceState
  readonly next?: { readonly state: InstanceState; readonly at: number }
  readonly stateReason: string
  readonly instanceType: string
  readonly privateIP: string
  /** The address it has while it runs. */
  readonly publicIP: string
  readonly launchedAt: number
  readonly tags: Readonly<Record<string, string>>
}

export function latest(machine: Machine): Version {
  const version = machine.versions.at(-1)
  if (!version) throw new Error(`machine ${machine.id} has no version`)
  return version
}

export function stateAt(version: Version, time: number): InstanceState {
  return version.next && time >= version.next.at ? version.next.state : version.state
}

/** Adds a version and drops those that no look can see any more. */
export function write(machine: Machine, now: number, longestLagMs: number, change: Partial<Version>): void {
  const previous = latest(machine)
  const settled: Version =
    previous.next && now >= previous.next.at ? { ...withoutNext(previous), state: previous.next.state } : previous
  const version: Version = {
    ...(change.state === undefined ? settled : withoutNext(settled)),
    ...change,
    writtenAt: now,
  }
  const horizon = now - longestLagMs
  const firstNeeded = machine.versions.findLastIndex((v) => v.writtenAt <= horizon)
  machine.versions = [...machine.versions.slice(Math.max(0, firstNeeded)), version]
}

function withoutNext(version: Version): Version {
  const { next: _, ...rest } = version
  return rest
}

/** The instance as it was at that moment; `undefined` before it was. */
export function describeAt(machine: Machine, time: number): Instance | undefined {
  const first = machine.versions[0]
  const known = first && first.writtenAt > machine.bornAt ? first : undefined // older versions were dropped
  const version = machine.versions.findLast((v) => v.writtenAt <= time) ?? known
  if (!version) return undefined
  const state = stateAt(version, time)
  const gone = state === 'terminated'
  return {
    id: machine.id,
    state,
    stateReason: version.stateReason,
    instanceType: version.instanceType,
    image: machine.launched.image,
    region: machine.region,
    zone: machine.zone,
    publicIP: state === 'running' ? version.publicIP : '',
    privateIP: gone ? '' : version.privateIP,
    launchTime: new Date(version.launchedAt).toISOString().replace(/\.\d+Z$/, 'Z'),
    tags: version.tags,
    token: machine.token,
    marketType: machine.launched.marketType,
  }
}
