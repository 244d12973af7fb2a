/**
 * Time, passed in. `now` is monotonic, so that nobody who sets the system's clock moves a deadline;
 * `after` is the one primitive that waits, and whatever waits by it stops with its signal.
 */
export interface Clock {
  /** Milliseconds from any origin; never goes back. */
  now(): number
  /** Runs `task` once after `delayMs`, as soon as possible where that has passed; the returned function calls it off. */
  after(delayMs: number, task: () => void): () => void
}

/** The longest delay that `setTimeout` takes; a longer one would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, Math.min(Math.max(delayMs, 0), MAX_DELAY_MS)) // Node warns of a time that has passed
    return () => clearTimeout(timer)
  },
}

/** Resolves after `delayMs`; rejects with `signal.reason` as soon as the signal is aborted. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    function abort() {
      cancel()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', abort, { once: true })
  })
}
