/**
 * Shows that a long step is alive and how far it is: one line when it begins to take long, one every few seconds, one at its end.
 *
 * Guarantees: a step that ends at once prints nothing but what it says itself; lines carry the elapsed time; no line is
 * printed after the step has ended. Plain lines rather than a moving bar, so that a CI log reads the same.
 */
export interface Progress {
  /** Prints one line at once. */
  say(line: string): void
  /** Runs `work`; while it lasts, prints `label`, the elapsed time and whatever `work` last noted. */
  step<T>(label: string, work: (note: (state: string) => void) => Promise<T>): Promise<T>
}

export interface ProgressOptions {
  readonly write: (line: string) => void
  readonly intervalMs?: number
  /** Milliseconds from any origin. */
  readonly now?: () => number
}

const INTERVAL_MS = 5_000

export function progress(options: ProgressOptions): Progress {
  const { write, intervalMs = INTERVAL_MS, now = () => performance.now() } = options

  return {
    say: write,
    async step(label, work) {
      const startedAt = now()
      let state = ''
      let printed = false
      const line = () => [label, elapsed(now() - startedAt), state].filter((part) => part !== '').join(', ')
      const timer = setInterval(() => {
        printed = true
        write(line())
      }, intervalMs)
      try {
        const result = await work((next) => {
          state = next
        })
        if (printed) write(`${label}: done after ${elapsed(now() - startedAt)}`)
        return result
      } finally {
        clearInterval(timer)
      }
    },
  }
}

/** `45 s`, `5 min 20 s` */
export function elapsed(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** `26.8 MB`, as download pages print it: powers of ten. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
