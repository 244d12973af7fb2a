/**
 * Whose turn it is. Runs of one stack never overlap and go first come, first served; different stacks go side by side up
 * to a limit. A pure function of all unfinished runs: what a restart forgets it knows again.
 *
 * A run that awaits its approval holds nobody up: what goes before it may make its plan outdated, and then its approval is
 * refused in words.
 */
export interface QueuedRun {
  /** `namespace/name`. */
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly stack: string
  readonly createdAt: string
  /** Tells apart what was created within one second: the resource version under which the run was first seen. */
  readonly ticket: string
  /** `active` works or has been told to; `waiting` wants to; `idle` holds nothing and wants nothing now. */
  readonly state: 'active' | 'waiting' | 'idle'
}

export type Turn =
  | { readonly go: true }
  | { readonly go: false; readonly reason: 'WaitingForStack' | 'WaitingForSlot'; readonly message: string }

export function turns(runs: readonly QueuedRun[], parallel: number): ReadonlyMap<string, Turn> {
  const active = runs.filter((run) => run.state === 'active')
  const busy = new Map(active.map((run) => [stackOf(run), run]))
  const ahead = new Map<string, QueuedRun[]>()
  const result = new Map<string, Turn>()
  let free = parallel - active.length

  for (const run of runs.filter(({ state }) => state === 'waiting').sort(inOrder)) {
    const stack = stackOf(run)
    const before = [...(busy.has(stack) ? [busy.get(stack) as QueuedRun] : []), ...(ahead.get(stack) ?? [])]
    ahead.set(stack, [...(ahead.get(stack) ?? []), run])
    if (before.length > 0) {
      result.set(run.key, { go: false, reason: 'WaitingForStack', message: waitsFor(run, before) })
    } else if (free <= 0) {
      const message = `Waits for one of the ${parallel} places in which runs may work at the same time.`
      result.set(run.key, { go: false, reason: 'WaitingForSlot', message })
    } else {
      free -= 1
      result.set(run.key, { go: true })
    }
  }
  return result
}

function waitsFor(run: QueuedRun, before: readonly QueuedRun[]): string {
  const first = before[0]?.name
  const more = before.length - 1
  const others = more === 0 ? '' : ` and ${more} more ${more === 1 ? 'run' : 'runs'}`
  return `Waits for run ${first}${others} of the stack ${run.stack}.`
}

function stackOf(run: QueuedRun): string {
  return `${run.namespace}/${run.stack}`
}

export function inOrder(a: QueuedRun, b: QueuedRun): number {
  return (
    compare(a.createdAt, b.createdAt) ||
    a.ticket.length - b.ticket.length ||
    compare(a.ticket, b.ticket) ||
    compare(a.key, b.key)
  )
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}
