/**
 * Exponential backoff with jitter: `baseMs`, doubled with each failure up to `maxMs`, times a random factor between
 * one half and one and a half, so that those who failed together do not come back together.
 */
export interface BackoffOptions {
  readonly baseMs: number
  readonly maxMs: number
  /** In [0, 1). */
  readonly random?: () => number
}

/** @param failures in a row, the present one included: 1 gives about `baseMs` */
export function backoffMs(failures: number, { baseMs, maxMs, random = Math.random }: BackoffOptions): number {
  return Math.min(maxMs, baseMs * 2 ** (failures - 1)) * (0.5 + random())
}
