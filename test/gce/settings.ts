/** How the server behaves, and the time that it lives in. */
import { type Sleep, sleepMs } from '../../clouds/sleep.ts'

/** To be changed while it runs. */
export interface GceSettings {
  /** How long operations take. */
  insertMs: number
  startMs: number
  stopMs: number
  deleteMs: number
  changeMs: number
  /** Lists show neither what was made nor what was deleted so shortly ago. */
  listLagMs: number
  /** For how long a `requestId` is remembered. */
  requestIdMs: number
  /** Zones that have no room: inserts and starts fail when their operation ends. */
  fullZones: readonly string[]
  /** Machine types that only these zones have; any other is everywhere. */
  typesInZones: Readonly<Record<string, readonly string[]>>
  /** Zones that lists cannot reach: what is in them is missing, and a warning says so. */
  unreachableZones: readonly string[]
  /** How many instances the project may have. */
  maxInstances: number
  /** The Compute Engine API is on in the project. */
  apiEnabled: boolean
  billingEnabled: boolean
  /** What the account may not do: `compute.instances.delete`. */
  denied: readonly string[]
  /** By how much Google's clock is ahead of ours. */
  clockAheadMs: number
}

export const quickSettings: GceSettings = {
  insertMs: 300,
  startMs: 200,
  stopMs: 200,
  deleteMs: 200,
  changeMs: 50,
  listLagMs: 0,
  requestIdMs: 3_600_000,
  fullZones: [],
  typesInZones: {},
  unreachableZones: [],
  maxInstances: 100_000,
  apiEnabled: true,
  billingEnabled: true,
  denied: [],
  clockAheadMs: 0,
}

export interface GceTime {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly sleep: Sleep
  /** From 0 up to, not including, 1: what ids and names are made of. */
  readonly random: () => number
}

export const realTime: GceTime = { now: Date.now, sleep: sleepMs, random: Math.random }

/** What befalls the next calls of an action. */
export interface GceFault {
  /** As Google names it: `instances.insert`; `oauth2.token`. */
  readonly action: string
  /** How many calls it befalls. */
  count: number
  /** Whether the call takes effect. */
  readonly effect: 'none' | 'done'
  /** `lost` breaks the connection, `html` is what a proxy says; otherwise a refusal. */
  readonly answer:
    | 'lost'
    | 'never'
    | 'html'
    | { readonly status: number; readonly reason: string; readonly message: string }
}
