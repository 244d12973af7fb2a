import type { Rate } from './cloud.ts'
import { type Sleep, sleepMs } from './sleep.ts'

/**
 * A token bucket: `burst` tokens at once, then `refillPerSecond`, as EC2 meters its API.
 *
 * Guarantees: in any window of t seconds at most `burst + refillPerSecond × t` tokens are given out; waiters go in
 * the order in which they came. A call that needs more tokens than the bucket holds waits for a full bucket and
 * leaves it in debt, so that it is slow rather than stuck.
 * Assumes: `now` never goes back. Caveat: the bucket knows only this process; replicas that share an account each
 * get their share of its rate.
 *
 * @see https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
 */
export interface TokenBucket {
  /** Resolves once a call that costs `tokens` may be made; rejects with `signal.reason` if that comes first. */
  take(tokens?: number, signal?: AbortSignal): Promise<void>
  /** Waits for one token, then takes as many as are there, up to what is then wanted. Gives how many. */
  takeSome(wanted: () => number, signal?: AbortSignal): Promise<number>
  /** Takes the tokens if they are there now. */
  tryTake(tokens?: number): boolean
  /** The cloud said "slow down" in spite of us: empty the bucket and halve the rate; it recovers as calls go through. */
  throttled(): void
}

export interface TokenBucketOptions extends Rate {
  /** Milliseconds from any origin; a test passes its own. */
  readonly now?: () => number
  readonly sleep?: Sleep
}

const RATE_FLOOR = 1 / 16
const RECOVERY_PER_CALL = 1.02

export function tokenBucket(options: TokenBucketOptions): TokenBucket {
  const { burst, refillPerSecond, now = () => performance.now(), sleep = sleepMs } = options
  let available = burst
  let rate = 1
  let filledAt = now()
  let queue: Promise<void> = Promise.resolve()
  let waiting = 0

  function refill(): void {
    const t = now()
    available = Math.min(burst, available + ((t - filledAt) / 1000) * refillPerSecond * rate)
    filledAt = t
  }

  function spend(tokens: number): void {
    available -= tokens
    rate = Math.min(1, rate * RECOVERY_PER_CALL)
  }

  async function untilThereAre(tokens: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    for (refill(); available < tokens; refill()) {
      await sleep(Math.max(1, Math.ceil(((tokens - available) / (refillPerSecond * rate)) * 1000)), signal)
    }
  }

  function inTurn<T>(task: () => Promise<T>): Promise<T> {
    waiting++
    const turn = queue.then(task).finally(() => waiting--)
    queue = turn.then(
      () => undefined,
      () => undefined, // one who gave up does not hold up the others
    )
    return turn
  }

  return {
    take: (tokens = 1, signal) =>
      inTurn(async () => {
        await untilThereAre(Math.min(tokens, burst), signal)
        spend(tokens)
      }),
    takeSome: (wanted, signal) =>
      inTurn(async () => {
        await untilThereAre(1, signal)
        const some = Math.min(wanted(), Math.floor(available))
        spend(some)
        return some
      }),
    tryTake(tokens = 1) {
      refill()
      if (waiting > 0 || available < Math.min(tokens, burst)) return false
      spend(tokens)
      return true
    },
    throttled() {
      refill()
      available = Math.min(available, 0)
      rate = Math.max(RATE_FLOOR, rate / 2)
    },
  }
}
