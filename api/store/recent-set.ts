/** A set that forgets: it holds at least the last `capacity` values that were added, at most twice as many. */
export interface RecentSet {
  add(value: string): void
  has(value: string): boolean
}

export function recentSet(capacity: number): RecentSet {
  let recent = new Set<string>()
  let older = new Set<string>()
  return {
    add(value) {
      if (recent.size >= capacity) {
        older = recent
        recent = new Set()
      }
      recent.add(value)
    },
    has: (value) => recent.has(value) || older.has(value),
  }
}
