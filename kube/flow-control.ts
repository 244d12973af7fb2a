/**
 * Client-side flow control: `burst` requests at once, then `qps` a second, in the order in which they came,
 * as client-go's token bucket does. The server's own (API Priority and Fairness) is honoured by the transport;
 * this one keeps a client with a bug from being the reason for it.
 */
import { type Clock, sleep, systemClock } from './clock.ts'

export interface FlowControl {
  /** Resolves once a request may be sent; rejects with `signal.reason` if that comes first. */
  take(signal?: AbortSignal): Promise<void>
}

/** @param options.qps requests a second; `Infinity` lets everything through */
export function flowControl(options: {
  readonly qps: number
  readonly burst: number
  readonly clock?: Clock
}): FlowControl {
  const { qps, burst, clock = systemClock } = options
  let tokens = burst
  let filledAt = clock.now()
  let queue: Promise<void> | undefined

  function tryTake(): boolean {
    const now = clock.now()
    tokens = Math.min(burst, tokens + ((now - filledAt) / 1000) * qps)
    filledAt = now
    if (tokens < 1) return false
    tokens -= 1
    return true
  }

  async function takeInTurn(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    while (!tryTake()) await sleep(clock, Math.ceil(((1 - tokens) / qps) * 1000), signal)
  }

  return {
    async take(signal) {
      if (qps === Number.POSITIVE_INFINITY) return
      if (!queue && tryTake()) return
      const turn = (queue ?? Promise.resolve()).then(() => takeInTurn(signal))
      const settled: Promise<void> = turn
        .catch(() => undefined) // one who gave up does not hold up the others
        .then(() => {
          if (queue === settled) queue = undefined
        })
      queue = settled
      return turn
    },
  }
}
