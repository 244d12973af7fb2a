/**
 * So many places, for whoever works. Guarantees: never more are taken than there are; who comes back to a place that it
 * left for a while goes before who comes anew, both in the order in which they came.
 */
export interface Places {
  /** Resolves once a place is taken. */
  take(): Promise<void>
  release(): void
  /** For one who has a place: leaves it to others until the task has settled, and settles with a place again. */
  without<T>(task: () => Promise<T>): Promise<T>
}

export function places(count: number): Places {
  let free = count
  const coming: (() => void)[] = []
  const returning: (() => void)[] = []

  async function takeIn(line: (() => void)[]): Promise<void> {
    if (free > 0) free--
    else await new Promise<void>((resolve) => line.push(resolve))
  }

  function release(): void {
    const next = returning.shift() ?? coming.shift()
    if (next) next()
    else free++
  }

  return {
    take: () => takeIn(coming),
    release,
    async without(task) {
      release()
      try {
        return await task()
      } finally {
        await takeIn(returning)
      }
    },
  }
}
