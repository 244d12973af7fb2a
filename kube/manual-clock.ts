/**
 * A clock for tests: it stands still until it is told to move, and runs what falls due on the way in
 * the order of time.
 */
import type { Clock } from './clock.ts'

export interface ManualClock extends Clock {
  /** Moves on by `ms`, running what is due, each task at its own time. */
  advance(ms: number): void
  /** As `advance`, and lets promises settle before, between and after the tasks. */
  advanceAsync(ms: number): Promise<void>
  /** How many tasks wait. */
  readonly pending: number
}

export function manualClock(startMs = 0): ManualClock {
  let time = startMs
  let order = 0
  const tasks = new Map<number, { at: number; task: () => void }>()

  function runNext(until: number): boolean {
    let next: [number, { at: number; task: () => void }] | undefined
    for (const entry of tasks) if (entry[1].at <= until && (!next || entry[1].at < next[1].at)) next = entry
    if (!next) return false
    tasks.delete(next[0])
    time = Math.max(time, next[1].at)
    next[1].task()
    return true
  }

  return {
    now: () => time,
    after(delayMs, task) {
      const id = order++
      tasks.set(id, { at: time + Math.max(0, delayMs), task })
      return () => void tasks.delete(id)
    },
    advance(ms) {
      const until = time + ms
      while (runNext(until));
      time = until
    },
    async advanceAsync(ms) {
      const until = time + ms
      await settle()
      while (runNext(until)) await settle()
      time = until
      await settle()
    },
    get pending() {
      return tasks.size
    },
  }
}

/** Until what can go on without time passing has: some turns of the event loop, since one thing leads to another. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}
