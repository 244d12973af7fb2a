/**
 * Gathers items that come singly into calls that carry many, as Karpenter's batcher does for EC2.
 *
 * A call goes out once nothing more has come for `quietMs`, or the first item has waited `maxWaitMs`, or `maxItems`
 * are there; never sooner than `spacingMs` after the one before it, unless it is full; and only when `admit` lets
 * it, until when it takes in what still comes. While items keep trickling in, the distance doubles with each call up to
 * `maxSpacingMs`. Items of different groups are never in one call.
 *
 * Guarantees: every item is in exactly one call and gets its own result; one who gives up before the call goes out
 * is not in it; in t milliseconds at most `t / spacingMs + 1` calls that are not full go out for a group, and of a trickle
 * about `t / maxSpacingMs + log2(maxSpacingMs / spacingMs)`.
 */
import { type Sleep, sleepMs } from './sleep.ts'

export interface Batcher<Item, Result> {
  /** Rejects with `signal.reason` if that comes before the answer; the call itself goes on for the others. */
  add(item: Item, signal?: AbortSignal): Promise<Result>
}

export interface BatcherOptions<Item, Result> {
  /** One call. Gives an outcome for each item, in their order; throwing is the same outcome for all. */
  readonly run: (items: readonly Item[]) => Promise<readonly PromiseSettledResult<Result>[]>
  readonly groupOf?: (item: Item) => string
  readonly maxItems: number
  readonly quietMs?: number
  readonly maxWaitMs?: number
  readonly spacingMs?: number
  /** Default: `spacingMs`. */
  readonly maxSpacingMs?: number
  /** Waits until a call may be made, and gives how many of the items that then wait it may carry; never rejects. */
  readonly admit?: (waiting: () => number) => Promise<number>
  /** Milliseconds from any origin; a test passes its own. */
  readonly now?: () => number
  readonly sleep?: Sleep
}

interface Waiter<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (reason: unknown) => void
}

interface Group<Item, Result> {
  readonly waiting: Set<Waiter<Item, Result>>
  firstAt: number
  lastAt: number
  /** Ends the waiting at once, as the call is full. */
  hurry: () => void
}

export function batcher<Item, Result>(options: BatcherOptions<Item, Result>): Batcher<Item, Result> {
  const { run, groupOf = () => '', maxItems, quietMs = 50, maxWaitMs = 1_000, spacingMs = 250 } = options
  const { maxSpacingMs = spacingMs } = options
  const { admit = async (waiting) => waiting(), now = () => performance.now(), sleep = sleepMs } = options
  const groups = new Map<string, Group<Item, Result>>()

  async function serve(key: string, group: Group<Item, Result>): Promise<void> {
    for (let distanceMs = spacingMs; group.waiting.size > 0; ) {
      await gather(group)
      if (group.waiting.size === 0) continue
      send(group, await admit(() => Math.min(maxItems, group.waiting.size)))
      const isTrickle = group.waiting.size === 0 // what had to stay behind is not to wait for longer
      await unlessHurried(group, distanceMs)
      distanceMs = isTrickle ? Math.min(2 * distanceMs, maxSpacingMs) : spacingMs
    }
    groups.delete(key)
  }

  async function gather(group: Group<Item, Result>): Promise<void> {
    while (group.waiting.size > 0 && group.waiting.size < maxItems) {
      const restMs = Math.min(group.lastAt + quietMs, group.firstAt + maxWaitMs) - now()
      if (restMs <= 0) return
      await unlessHurried(group, restMs)
    }
  }

  async function unlessHurried(group: Group<Item, Result>, ms: number): Promise<void> {
    if (group.waiting.size >= maxItems) return
    const hurry = new AbortController()
    group.hurry = () => hurry.abort()
    await sleep(ms, hurry.signal).catch(() => undefined)
  }

  function send(group: Group<Item, Result>, size: number): void {
    const batch = [...group.waiting].slice(0, size)
    for (const waiter of batch) group.waiting.delete(waiter)
    group.firstAt = now() // what is left over begins to wait anew
    if (batch.length === 0) return
    run(batch.map(({ item }) => item)).then(
      (outcomes) => {
        for (const [index, waiter] of batch.entries()) settle(waiter, outcomes[index])
      },
      (reason: unknown) => {
        for (const waiter of batch) waiter.reject(reason)
      },
    )
  }

  return {
    add(item, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const key = groupOf(item)
        const known = groups.get(key)
        const group: Group<Item, Result> = known ?? {
          waiting: new Set(),
          firstAt: 0,
          lastAt: 0,
          hurry: () => undefined,
        }
        const waiter: Waiter<Item, Result> = {
          item,
          resolve(result) {
            signal?.removeEventListener('abort', giveUp)
            resolve(result)
          },
          reject(reason) {
            signal?.removeEventListener('abort', giveUp)
            reject(reason)
          },
        }
        function giveUp() {
          group.waiting.delete(waiter)
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', giveUp, { once: true })
        if (group.waiting.size === 0) group.firstAt = now()
        group.waiting.add(waiter)
        group.lastAt = now()
        if (group.waiting.size >= maxItems) group.hurry()
        if (!known) {
          groups.set(key, group)
          void serve(key, group)
        }
      })
    },
  }
}

function settle<Result>(waiter: Waiter<unknown, Result>, outcome: PromiseSettledResult<Result> | undefined): void {
  if (outcome === undefined) waiter.reject(new Error('a call gave fewer outcomes than it had items'))
  else if (outcome.status === 'fulfilled') waiter.resolve(outcome.value)
  else waiter.reject(outcome.reason)
}
