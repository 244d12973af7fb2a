/**
 * Since when a cloud has answered nobody who called it for an account in a region.
 *
 * A silence begins with the first read that waits, or with the first call that is given up for want of an answer, and ends
 * with any answer, a refusal included. That a mutation takes its time begins none: it may consist of several calls.
 */
import { isCloudError } from './cloud-error.ts'

export interface Silence {
  /** The call, heeded. */
  heeded<T>(kind: 'read' | 'mutation', call: () => Promise<T>): Promise<T>
  /** By the clock that was given; `undefined` while it answers, and while nobody asks. */
  readonly since: number | undefined
}

/** @param now milliseconds since 1970 */
export function silence(now: () => number): Silence {
  let since: number | undefined
  let waiting = 0

  function answered(): void {
    since = waiting > 0 ? now() : undefined
  }

  return {
    async heeded(kind, call) {
      const startedAt = now()
      const isRead = kind === 'read'
      if (isRead) {
        waiting++
        since ??= startedAt
      }
      const over = () => {
        if (isRead) waiting--
      }
      try {
        const result = await call()
        over()
        answered()
        return result
      } catch (error) {
        over()
        if (!isCloudError(error)) {
          if (since === startedAt && waiting === 0) since = undefined // nobody asks any more
        } else if (error.unanswered) since ??= startedAt
        else answered()
        throw error
      }
    },
    get since() {
      return since
    },
  }
}
