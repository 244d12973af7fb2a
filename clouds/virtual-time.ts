/**
 * Time for tests: it passes only when nothing else can happen, and then at once to the next moment at which
 * something does. A day of backoff takes no longer than the work in it.
 */
import type { Sleep } from './sleep.ts'

export interface VirtualTime {
  /** Milliseconds since the start. */
  readonly now: () => number
  readonly sleep: Sleep
  /** Lets time pass until the promise settles. Throws when it never can, as nobody sleeps any more. */
  until<T>(promise: Promise<T>): Promise<T>
}

export function virtualTime(startMs = 0): VirtualTime {
  let now = startMs
  let sleepers: { readonly at: number; readonly wake: () => void }[] = []

  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const sleeper = { at: now + ms, wake }
        const abort = () => {
          sleepers = sleepers.filter((other) => other !== sleeper)
          reject(signal?.reason)
        }
        function wake() {
          signal?.removeEventListener('abort', abort)
          resolve()
        }
        signal?.addEventListener('abort', abort, { once: true })
        sleepers.push(sleeper)
      }),
    async until(promise) {
      let settled = false
      const settle = () => {
        settled = true
      }
      promise.then(settle, settle)
      for (;;) {
        await quiet()
        if (settled) return promise
        const next = sleepers.reduce<(typeof sleepers)[number] | undefined>(
          (first, other) => (first && first.at <= other.at ? first : other),
          undefined,
        )
        if (!next) throw new Error('it waits for something that cannot happen: nobody sleeps any more')
        sleepers = sleepers.filter((other) => other !== next)
        now = Math.max(now, next.at)
        next.wake()
      }
    },
  }
}

/** Until everything that can go on without time has: promises first, then what they put off to the next turns. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}
