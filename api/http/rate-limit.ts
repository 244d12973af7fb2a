/**
 * How often a user, or an address without a token, may call: a token bucket each, `burst` at once and then
 * `perSecond`.
 *
 * Guarantees: in any window of t seconds at most `burst + perSecond × t` calls of one key pass; asking costs a map
 * lookup. A bucket nobody touched for the time it takes to fill is forgotten, so that memory follows the calls of the
 * last seconds and not the number of addresses there are. Caveat: each replica counts by itself.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ for the two headers
 */
export interface RateLimit {
  /** Takes one call out of the bucket of `key`, if there is one, and says how it stands. */
  take(key: string): RateLimitVerdict
}

export interface RateLimitVerdict {
  readonly allowed: boolean
  /** `RateLimit-Policy`, such as `"user";q=200;w=4`. */
  readonly policy: string
  /** `RateLimit`, such as `"user";r=199;t=1`. */
  readonly standing: string
  /** Until the next call would pass; 0 when this one did. */
  readonly retryAfterSeconds: number
}

export interface RateLimitOptions {
  readonly name: string
  readonly perSecond: number
  readonly burst: number
  /** Monotonic milliseconds. */
  readonly now?: () => number
}

interface Bucket {
  tokens: number
  filledAt: number
}

export function rateLimit(options: RateLimitOptions): RateLimit {
  const { name, perSecond, burst, now = () => performance.now() } = options
  const msToFill = (burst / perSecond) * 1000
  const policy = `"${name}";q=${burst};w=${Math.ceil(burst / perSecond)}`
  let recent = new Map<string, Bucket>()
  let older = new Map<string, Bucket>()
  let turnedAt = now()

  /** What was not touched during a whole turn is full by now. */
  function turn(t: number): void {
    if (t - turnedAt < msToFill) return
    older = t - turnedAt < 2 * msToFill ? recent : new Map()
    recent = new Map()
    turnedAt = t
  }

  function bucketOf(key: string, t: number): Bucket {
    let bucket = recent.get(key)
    if (bucket === undefined) {
      bucket = older.get(key) ?? { tokens: burst, filledAt: t }
      recent.set(key, bucket)
    }
    return bucket
  }

  return {
    take(key) {
      const t = now()
      turn(t)
      const bucket = bucketOf(key, t)
      bucket.tokens = Math.min(burst, bucket.tokens + ((t - bucket.filledAt) / 1000) * perSecond)
      bucket.filledAt = t

      const allowed = bucket.tokens >= 1
      if (allowed) bucket.tokens -= 1
      const untilNext = allowed ? 0 : Math.ceil((1 - bucket.tokens) / perSecond)
      const untilFull = Math.ceil((burst - bucket.tokens) / perSecond)
      const standing = `"${name}";r=${Math.floor(bucket.tokens)};t=${untilFull}`
      return { allowed, policy, standing, retryAfterSeconds: untilNext }
    },
  }
}
