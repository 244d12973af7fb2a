/** Compute Engine's documented figures: what may be relied on, and how fast a project may call. */
import type { CloudGuarantees, CloudLimits } from '../cloud.ts'

export const gceGuarantees: CloudGuarantees = {
  /**
   * Google names no time for which a `requestId` is remembered; its guide for all of its APIs asks for an hour at least. The
   * name protects beyond that, for as long as the instance is there.
   * @see https://google.aip.dev/155
   */
  tokenValidityMs: 3_600_000,
  /**
   * Google promises nothing of how soon a list shows what was made; a single instance, by its name, is shown at once. As long
   * as for EC2.
   */
  lookupLagMs: 30_000,
  /** Every mutation names one instance. */
  maxBatch: 1,
  /** A filter is part of the URL, which holds 16 KiB; a value of ours takes 80 bytes of it. */
  maxFilterValues: 50,
}

/** @see https://cloud.google.com/compute/docs/reference/rest/v1/instances/aggregatedList: "0 to 500, inclusive". */
export const LIST_PAGE = 500

/**
 * 1,500 requests a minute for each group of methods, in a project and a region. A minute's worth is counted from minute to
 * minute, so that a burst at its end and one at the beginning of the next are both let through.
 */
const perMinute = { burst: 250, refillPerSecond: 20 } as const

/**
 * An instance's inserts, starts and stops are counted together ("queries"); each has a third here.
 * @see https://cloud.google.com/compute/api-quota
 */
const mutation = { burst: 100, refillPerSecond: 8 } as const

export const gceLimits: CloudLimits = {
  verify: { calls: perMinute },
  regions: { calls: perMinute },
  list: { calls: perMinute },
  create: { calls: mutation },
  start: { calls: mutation },
  stop: { calls: mutation },
  terminate: { calls: mutation },
  resize: { calls: mutation },
  tag: { calls: mutation },
  untag: { calls: mutation },
}
