/**
 * Who is looked at again soon: after a mutation 1 s later, then 2, 4, 8 s and so on, until what was expected has been
 * seen or the next listing comes first anyway.
 */
export interface FollowUps {
  /** Looks at it soon; `restart` begins with the shortest interval again, as something was just done to it. */
  expect(key: string, options?: { readonly restart?: boolean }): void
  /** It was seen to be as expected, or is nobody's business any more. */
  met(key: string): void
  /** When the next one is due; `undefined` when none is. */
  nextAt(): number | undefined
  /** Those that are due now, each with its next time set. */
  takeDue(): readonly string[]
}

export interface FollowUpsOptions {
  readonly now: () => number
  readonly firstMs?: number
  /** Whoever would be looked at less often than this is left to the listing. */
  readonly longestMs: number
  /** Those that are due within so long are taken along. */
  readonly gatherMs?: number
}

export function followUps({ now, firstMs = 1_000, longestMs, gatherMs = 250 }: FollowUpsOptions): FollowUps {
  const expected = new Map<string, { at: number; intervalMs: number }>()
  let earliest = Number.POSITIVE_INFINITY

  function schedule(key: string, intervalMs: number): void {
    const at = now() + intervalMs
    expected.set(key, { at, intervalMs })
    earliest = Math.min(earliest, at)
  }

  return {
    expect(key, { restart = false } = {}) {
      if (restart || !expected.has(key)) schedule(key, firstMs)
    },
    met: (key) => void expected.delete(key),
    nextAt: () => (expected.size === 0 ? undefined : earliest),
    takeDue() {
      const until = now() + gatherMs
      const due: string[] = []
      earliest = Number.POSITIVE_INFINITY
      for (const [key, { at, intervalMs }] of expected) {
        if (at > until) {
          earliest = Math.min(earliest, at)
          continue
        }
        due.push(key)
        if (intervalMs * 2 > longestMs) expected.set(key, { at: Number.POSITIVE_INFINITY, intervalMs })
        else schedule(key, intervalMs * 2)
      }
      return due
    },
  }
}
