/**
 * Keys that come due later: a binary heap by time, and one timer for the earliest, however many keys wait.
 *
 * Of several delays for one key the earliest holds. Keys that are due at the same time come in the order of adding.
 */
import type { Clock } from './clock.ts'

export interface DelayedKeys {
  add(key: string, delayMs: number): void
  clear(): void
  readonly size: number
}

interface Entry {
  readonly at: number
  readonly order: number
  readonly key: string
}

/** @param due called with each key once its time has come */
export function delayedKeys(clock: Clock, due: (key: string) => void): DelayedKeys {
  /** What holds; a heap entry that is not the one in here is out of date, and is skipped when it comes up. */
  const current = new Map<string, Entry>()
  const heap: Entry[] = []
  let order = 0
  let timer: { readonly at: number; readonly cancel: () => void } | undefined

  function arm(): void {
    const first = heap[0]
    if (timer && first && timer.at <= first.at) return // at worst it fires early and arms again
    timer?.cancel()
    timer = first && { at: first.at, cancel: clock.after(first.at - clock.now(), fire) }
  }

  function fire(): void {
    timer = undefined
    const now = clock.now()
    for (let first = heap[0]; first && first.at <= now; first = heap[0]) {
      pop(heap)
      if (current.get(first.key) !== first) continue
      current.delete(first.key)
      due(first.key)
    }
    arm()
  }

  return {
    add(key, delayMs) {
      const at = clock.now() + delayMs
      const known = current.get(key)
      if (known && known.at <= at) return
      const entry = { at, order: order++, key }
      current.set(key, entry)
      push(heap, entry)
      arm()
    },
    clear() {
      current.clear()
      heap.length = 0
      arm()
    },
    get size() {
      return current.size
    },
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function push(heap: Entry[], entry: Entry): void {
  let hole = heap.length
  while (hole > 0) {
    const parent = (hole - 1) >> 1
    const above = heap[parent] as Entry
    if (!before(entry, above)) break
    heap[hole] = above
    hole = parent
  }
  heap[hole] = entry
}

function pop(heap: Entry[]): void {
  const last = heap.pop()
  if (!last || heap.length === 0) return
  let hole = 0
  for (;;) {
    let child = 2 * hole + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child += 1
    if (!before(heap[child] as Entry, last)) break
    heap[hole] = heap[child] as Entry
    hole = child
  }
  heap[hole] = last
}
