/**
 * One at a time, across processes: a lock file.
 *
 * Guarantees: while `work` runs, no other live process that asks for the same path runs its own. A lock whose owner is dead is
 * taken over: at once if the owner was on this host, otherwise after a minute without a heartbeat.
 * Caveat: a process that is frozen within the few microseconds of a takeover could let two in. Whoever uses this must only lose time
 * then, never correctness: results are written to a name of their own and renamed.
 */
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LockOwner {
  readonly pid: number
  readonly host: string
  /** What tells this process from a later one with the same pid, where the system can say it. */
  readonly startedAt: string
}

export interface ExclusiveOptions {
  readonly signal?: AbortSignal
  /** Told once for each owner that is waited for. */
  readonly onWait?: (owner: LockOwner) => void
}

/** Thrown by `lockNow` when somebody else holds the lock. */
export class LockedError extends Error {
  readonly owner: LockOwner
  constructor(path: string, owner: LockOwner) {
    super(`${path} is held by process ${owner.pid} on ${owner.host}`)
    this.owner = owner
  }
}

const POLL_MS = 200
const HEARTBEAT_MS = 10_000
const SILENCE_MS = 60_000

/** Waits for the lock, runs `work`, releases the lock. */
export async function exclusively<T>(path: string, options: ExclusiveOptions, work: () => Promise<T>): Promise<T> {
  const { signal, onWait } = options
  let waitedFor = ''
  for (;;) {
    signal?.throwIfAborted()
    const taken = await take(path)
    if (taken.release !== undefined) {
      try {
        return await work()
      } finally {
        await taken.release()
      }
    }
    const { owner } = taken
    const name = `${owner.pid} ${owner.host} ${owner.startedAt}`
    if (name !== waitedFor) onWait?.(owner)
    waitedFor = name
    await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal })
  }
}

/** Takes the lock or throws a `LockedError`; the answer releases it. */
export async function lockNow(path: string): Promise<() => Promise<void>> {
  const taken = await take(path)
  if (taken.release === undefined) throw new LockedError(path, taken.owner)
  return taken.release
}

type Taken = { readonly release: () => Promise<void> } | { readonly release?: never; readonly owner: LockOwner }

let attempts = 0

async function take(path: string): Promise<Taken> {
  const me = JSON.stringify(await self())
  attempts += 1
  const mine = `${path}.${process.pid}.${attempts}`
  await writeFile(mine, me)
  try {
    for (;;) {
      if (await linked(mine, path)) return { release: keep(path, me) }
      const held = await readFile(path, 'utf8').catch(() => undefined)
      if (held === undefined) continue // released between the two looks
      const owner = parseOwner(held)
      if (!(await isDead(owner, path))) return { owner }
      await removeStale(path, held, `${mine}.stale`)
    }
  } finally {
    await rm(mine, { force: true })
  }
}

/** A hard link appears whole or not at all, so that nobody reads half an owner. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function keep(path: string, me: string): () => Promise<void> {
  const heartbeat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => undefined) // gone: somebody cleared the cache; the work's own rename still decides
  }, HEARTBEAT_MS)
  heartbeat.unref()
  return async () => {
    clearInterval(heartbeat)
    if ((await readFile(path, 'utf8').catch(() => '')) === me) await rm(path, { force: true })
  }
}

/** Of several that saw the same dead owner, one moves its lock away; if that was a new owner's by then, it is put back. */
async function removeStale(path: string, seen: string, aside: string): Promise<void> {
  try {
    await rename(path, aside)
  } catch {
    return // another was first
  }
  if ((await readFile(aside, 'utf8')) !== seen) await linked(aside, path)
  await rm(aside, { force: true })
}

async function isDead(owner: LockOwner, path: string): Promise<boolean> {
  if (owner.host === hostname()) {
    return !isAlive(owner.pid) || (await startOf(owner.pid)) !== owner.startedAt
  }
  const lastSign = await stat(path).then(
    (file) => file.mtimeMs,
    () => Date.now(),
  )
  return Date.now() - lastSign > SILENCE_MS
}

/** Whether there is a process of that number on this host. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function self(): Promise<LockOwner> {
  return { pid: process.pid, host: hostname(), startedAt: await startOf(process.pid) }
}

/**
 * Clock ticks from boot to the start of a process (proc(5), field 22); empty where there is no /proc. A process that has ended and is
 * only not yet waited for by its parent has no start any more.
 */
export async function startOf(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '')
}

/** What is not ours to read counts as another host's: only its silence tells that it is dead. */
function parseOwner(text: string): LockOwner {
  try {
    return JSON.parse(text) as LockOwner
  } catch {
    return { pid: 0, host: 'an unknown host', startedAt: '' }
  }
}
