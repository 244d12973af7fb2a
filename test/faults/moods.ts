/**
 * How the cloud and the watches behave in a life, by name. The controller is told what EC2 would tell it (a token that holds
 * for a day, a lookup that lags ten seconds at most) unless a mood says otherwise.
 */
import type { CloudMood } from './cloud-side.ts'
import type { GceMood } from './gce-side.ts'
import type { WatchFaults } from './model-cluster.ts'

const dayMs = 24 * 3_600_000
const lagMs = 10_000

export const cloudMoods = {
  /** As documented. */
  'tokens honoured': {
    settings: { tokenValidityMs: dayMs },
    tokenValidityMs: dayMs,
    lookupLagMs: lagMs,
  },
  /** moto's way: the lookup alone must do. */
  'tokens ignored': { settings: { tokenValidityMs: 0 }, tokenValidityMs: dayMs, lookupLagMs: lagMs },
  'lookups lag': {
    settings: { tokenValidityMs: dayMs, lookupLagMs: { minMs: 0, maxMs: lagMs } },
    tokenValidityMs: dayMs,
    lookupLagMs: lagMs,
  },
  /** Within its bound the lookup still decides. */
  'tokens ignored and lookups lag': {
    settings: { tokenValidityMs: 0, lookupLagMs: { minMs: 0, maxMs: lagMs } },
    tokenValidityMs: dayMs,
    lookupLagMs: lagMs,
  },
  /** No token holds long enough to be counted on, and lookups lag four times their bound: it is waited. */
  'tokens expired and lookups beyond their bound': {
    settings: { tokenValidityMs: 30_000, lookupLagMs: { minMs: 0, maxMs: 4 * lagMs } },
    tokenValidityMs: 30_000,
    lookupLagMs: lagMs,
  },
  /** One call in twenty fails, is done and not answered, or is never answered. */
  'calls fail': {
    settings: {
      tokenValidityMs: 0,
      lookupLagMs: { minMs: 0, maxMs: 2_000 },
      latencyMs: { minMs: 5, maxMs: 800 },
      faults: [
        { action: '*', probability: 0.02, answer: 'error' },
        { action: '*', probability: 0.01, answer: 'error', error: { code: 'RequestLimitExceeded', status: 503 } },
        { action: '*', probability: 0.01, effect: 'done', answer: 'reset' },
        { action: '*', probability: 0.01, effect: 'done', answer: 'never' },
      ],
    },
    tokenValidityMs: dayMs,
    lookupLagMs: lagMs,
  },
  /** Compute Engine's way: a name holds only within a zone, and zones are full now and then. */
  'a zone has to be chosen': {
    settings: { tokenValidityMs: dayMs, lookupLagMs: { minMs: 0, maxMs: lagMs } },
    tokenValidityMs: dayMs,
    lookupLagMs: lagMs,
    zonal: true,
  },
} as const satisfies Record<string, CloudMood>
export type CloudMoodName = keyof typeof cloudMoods

/** Of the server that speaks Compute Engine. The controller is told what `clouds/gcp` says of it. */
export const gceMoods = {
  'Compute Engine is as documented': { gce: {} },
  /** The name alone must do, and operations take longer than anybody waits. */
  'Compute Engine forgets request ids, lags and is slow': {
    gce: { requestIdMs: 0, listLagMs: 20_000, insertMs: 40_000, startMs: 40_000 },
  },
  'Compute Engine has full zones': { gce: { listLagMs: 25_000 }, fullZones: true },
  /** And request ids are not honoured. */
  'Compute Engine fails calls': { gce: { requestIdMs: 0, listLagMs: 2_000 }, failing: true },
} as const satisfies Record<string, GceMood>
export type GceMoodName = keyof typeof gceMoods

export function isGceMood(name: CloudMoodName | GceMoodName): name is GceMoodName {
  return name in gceMoods
}

export const watchMoods = {
  prompt: { maxDelayMs: 0, silence: 0 },
  /** What the caches show is up to five seconds old. */
  late: { maxDelayMs: 5_000, silence: 0 },
  /** Besides, one event in ten is lost, with all that follow, until the watch is refused as too old. */
  lossy: { maxDelayMs: 2_000, silence: 0.1 },
} as const satisfies Record<string, WatchFaults>
export type WatchMoodName = keyof typeof watchMoods
