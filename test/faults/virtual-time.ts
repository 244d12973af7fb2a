/**
 * Time that passes only when nothing is left to do, and processes that live in it: they can be killed, so that all they had in
 * memory is as good as gone, or frozen, so that they go on later with what they had.
 */
import type { Sleep } from '../../clouds/sleep.ts'
import { type Clock, sleep } from '../../kube/clock.ts'

export interface VirtualTime {
  /** Milliseconds since the epoch. */
  now(): number
  /** The world's own clock: it stops for nobody. */
  readonly clock: Clock
  readonly sleep: Sleep
  /** Lets time pass until the test holds, for at most so long. Resolves with whether it held. */
  run(until: () => boolean, forMs: number): Promise<boolean>
  process(name: string): Process
  /** Something happens outside: time stands still until what this returns is called. */
  stop(): () => void
}

export interface Process {
  readonly name: string
  readonly isDead: boolean
  readonly isFrozen: boolean
  readonly clock: Clock
  readonly sleep: Sleep
  kill(): void
  freeze(): void
  thaw(): void
  /** What comes from outside reaches only the living, and the frozen when they thaw. */
  deliver<T>(outcome: Promise<T>): Promise<T>
}

interface Task {
  readonly at: number
  readonly order: number
  readonly run: () => void
  cancelled: boolean
}

export function virtualTime(start = Date.parse('2026-01-02T03:04:05Z')): VirtualTime {
  let time = start
  let order = 0
  const tasks: Task[] = []
  const stops = new Set<symbol>()

  /** A binary heap: the earliest first, of equals the one that was asked for first. */
  const before = (a: Task, b: Task) => a.at < b.at || (a.at === b.at && a.order < b.order)

  function push(task: Task): void {
    let index = tasks.push(task) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (before(tasks[parent] as Task, task)) break
      tasks[index] = tasks[parent] as Task
      index = parent
    }
    tasks[index] = task
  }

  function pop(): Task | undefined {
    const first = tasks[0]
    const last = tasks.pop()
    if (!first || !last || tasks.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= tasks.length) break
      if (child + 1 < tasks.length && before(tasks[child + 1] as Task, tasks[child] as Task)) child++
      if (before(last, tasks[child] as Task)) break
      tasks[index] = tasks[child] as Task
      index = child
    }
    tasks[index] = last
    return first
  }

  const clock: Clock = {
    now: () => time,
    after(delayMs, run) {
      const task: Task = { at: time + Math.max(0, delayMs), order: order++, run, cancelled: false }
      push(task)
      return () => {
        task.cancelled = true
      }
    },
  }

  return {
    now: () => time,
    clock,
    sleep: (ms, signal) => sleep(clock, ms, signal),
    async run(until, forMs) {
      const deadline = time + forMs
      for (;;) {
        do await settle()
        while (stops.size > 0)
        if (until()) return true
        while (tasks[0]?.cancelled) pop()
        const next = tasks[0]
        if (!next || next.at > deadline) {
          time = deadline
          return until()
        }
        pop()
        time = Math.max(time, next.at)
        next.run()
      }
    },
    process: (name) => process(name, clock),
    stop() {
      const stop = Symbol()
      stops.add(stop)
      return () => void stops.delete(stop)
    },
  }
}

function process(name: string, world: Clock): Process {
  let isDead = false
  let thawing: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  const held: (() => void)[] = []

  const clock: Clock = {
    now: world.now,
    after(delayMs, task) {
      return world.after(delayMs, () => {
        if (isDead) return
        if (thawing) held.push(task)
        else task()
      })
    },
  }

  return {
    name,
    get isDead() {
      return isDead
    },
    get isFrozen() {
      return thawing !== undefined
    },
    clock,
    sleep: (ms, signal) => sleep(clock, ms, signal),
    kill() {
      isDead = true
    },
    freeze() {
      thawing ??= Promise.withResolvers<void>()
    },
    thaw() {
      const { resolve } = thawing ?? {}
      thawing = undefined
      resolve?.()
      for (const task of held.splice(0)) if (!isDead) task()
    },
    async deliver(outcome) {
      const settled = await outcome.then(
        (value) => () => value,
        (error: unknown) => () => {
          throw error
        },
      )
      while (thawing) await thawing.promise
      if (isDead) await new Promise<never>(() => undefined)
      return settled()
    },
  }
}

/** Until every promise that can settle by itself has. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
