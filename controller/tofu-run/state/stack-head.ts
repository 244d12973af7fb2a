/**
 * The head of a stack: who holds it, tofu's own lock, and which versions of the state there are. It is one small
 * object that moves only by compare-and-swap, and everything that may or may not be done to a state is decided
 * here, by pure functions from one head to the next.
 *
 * The holder is the fence. A run takes the stack before a phase of it starts; each write names run and phase, and
 * is refused once somebody else holds the stack. The first runner of a phase enters its own id, and no second gets
 * through: that is why an apply cannot happen twice, however often it is started.
 */
import { z } from 'zod'

const blobReference = z.object({
  id: z.string(),
  chunks: z.number().int(),
  keyId: z.string(),
  bytes: z.number().int(),
  digest: z.string(),
})

export const runPhases = ['plan', 'apply'] as const
export type RunPhase = (typeof runPhases)[number]

const holder = z.object({
  /** metadata.uid of the run. */
  run: z.string(),
  /** metadata.name of the run, for people. */
  name: z.string(),
  phase: z.enum(runPhases),
  since: z.string(),
  /** The id of the one runner that does this phase; absent until it has begun. */
  runner: z.string().optional(),
})
export type Holder = z.infer<typeof holder>

/** What tofu sends with LOCK, as far as it matters here; the rest is kept and given back as it came. */
const lockInfo = z.looseObject({ ID: z.string().min(1).max(200) })
export type LockInfo = z.infer<typeof lockInfo>

const stateVersion = z.object({
  /** Counts the writes of this stack; unlike tofu's serial it never goes back. */
  version: z.number().int(),
  serial: z.number().int(),
  lineage: z.string(),
  blob: blobReference,
  at: z.string(),
  /** metadata.name of the run that wrote it. */
  writtenBy: z.string(),
})
export type StateVersion = z.infer<typeof stateVersion>

const stackHead = z.object({
  format: z.literal(1),
  holder: holder.optional(),
  /** What the last holder had begun when it let go, or was made to: it does not begin again. */
  ended: z.object({ run: z.string(), phase: z.enum(runPhases) }).optional(),
  lock: lockInfo.optional(),
  /** Oldest first; the last one is the state. */
  versions: z.array(stateVersion),
})
export type StackHead = z.infer<typeof stackHead>

/** Who says that it may: a run, in one of its phases. */
export interface Claim {
  readonly run: string
  readonly phase: RunPhase
}

export type Refused = { readonly refused: 'notHolder' | 'locked' | 'begunBefore' | 'stale'; readonly message: string }
export type Next = StackHead | Refused

export const emptyHead: StackHead = { format: 1, versions: [] }

export function isRefused(next: Next): next is Refused {
  return 'refused' in next
}

export function parseHead(bytes: Uint8Array): StackHead {
  return stackHead.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
}

export function parseLockInfo(text: string): LockInfo | undefined {
  try {
    return lockInfo.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

export function newest(head: StackHead): StateVersion | undefined {
  return head.versions.at(-1)
}

/** Takes the stack for a phase of a run. The same run may go from plan to apply, never back, and keeps what it began. */
export function acquired(head: StackHead, wish: Omit<Holder, 'runner'>): Next {
  const { holder } = head
  if (holder !== undefined && holder.run !== wish.run) {
    return { refused: 'notHolder', message: `run ${holder.name} holds the stack since ${holder.since}` }
  }
  if (holder?.phase === wish.phase) return head
  if (holder?.phase === 'apply') return { refused: 'notHolder', message: 'this run is applying already' }
  if (hasBegun(head, wish)) return { refused: 'begunBefore', message: `the ${wish.phase} of this run was begun before` }
  const { lock: _left, ...rest } = head
  return { ...rest, holder: wish }
}

/** The one runner that may do the phase gets through, also when it asks again; every other is refused. */
export function begun(head: StackHead, claim: Claim, runner: string): Next {
  const refused = fenced(head, claim)
  if (refused !== undefined || head.holder === undefined) return refused ?? notHeld(head, claim)
  if (head.holder.runner === runner) return head
  if (head.holder.runner === undefined) return { ...head, holder: { ...head.holder, runner } }
  return { refused: 'begunBefore', message: `the ${claim.phase} of this run has been begun by another runner` }
}

/** Lets go of the stack and of the lock, if and only if it is this run that holds it. */
export function released(head: StackHead, run: string): StackHead {
  if (head.holder?.run !== run) return head
  const { holder, lock: _lock, ...rest } = head
  return holder.runner === undefined ? rest : { ...rest, ended: { run, phase: holder.phase } }
}

/** Whether a runner got through for that phase of the run, as far as the head still knows. */
export function hasBegun({ holder, ended }: StackHead, claim: Claim): boolean {
  if (holder?.run === claim.run && holder.phase === claim.phase) return holder.runner !== undefined
  return ended?.run === claim.run && ended.phase === claim.phase
}

/** A repeated LOCK of one id succeeds: tofu repeats a request whose answer was lost. */
export function locked(head: StackHead, claim: Claim, info: LockInfo): Next {
  const refused = fenced(head, claim)
  if (refused !== undefined) return refused
  if (head.lock !== undefined && head.lock.ID !== info.ID) {
    return { refused: 'locked', message: `the state is locked with the id ${head.lock.ID}` }
  }
  return head.lock === undefined ? { ...head, lock: info } : head
}

/** A repeated UNLOCK succeeds as well; a lock of another id stays. */
export function unlocked(head: StackHead, claim: Claim, id: string): Next {
  const refused = fenced(head, claim)
  if (refused !== undefined) return refused
  if (head.lock === undefined) return head
  if (head.lock.ID !== id) return { refused: 'locked', message: `the state is locked with the id ${head.lock.ID}` }
  const { lock: _lock, ...rest } = head
  return rest
}

/** Puts a version on top and drops the oldest beyond `keep`. */
export function written(options: {
  readonly head: StackHead
  readonly claim: Claim
  readonly lockId: string | undefined
  readonly state: Omit<StateVersion, 'version'>
  readonly keep: number
  /** An import or a restore may change the lineage; a run may not. */
  readonly replaceLineage: boolean
}): Next {
  const { head, claim, lockId, state, keep, replaceLineage } = options
  const refused = fenced(head, claim)
  if (refused !== undefined) return refused
  if (head.lock !== undefined && head.lock.ID !== lockId) {
    return { refused: 'locked', message: `the state is locked with the id ${head.lock.ID}` }
  }
  const last = newest(head)
  if (last !== undefined && !replaceLineage) {
    if (last.lineage !== '' && state.lineage !== last.lineage) {
      return {
        refused: 'stale',
        message: `the state has the lineage ${last.lineage}, what was sent has ${state.lineage}`,
      }
    }
    if (state.serial < last.serial) {
      return {
        refused: 'stale',
        message: `the state is at serial ${last.serial}, what was sent is older: ${state.serial}`,
      }
    }
  }
  const versions = [...head.versions, { ...state, version: (last?.version ?? 0) + 1 }]
  return { ...head, versions: versions.slice(-keep) }
}

/** Why this claim may do nothing (any more); `undefined` when it may. */
export function fenced(head: StackHead, claim: Claim): Refused | undefined {
  const { holder } = head
  return holder?.run === claim.run && holder.phase === claim.phase ? undefined : notHeld(head, claim)
}

function notHeld({ holder }: StackHead, claim: Claim): Refused {
  const who = holder === undefined ? 'nobody does' : `run ${holder.name} does, for its ${holder.phase}`
  return { refused: 'notHolder', message: `this run does not hold the stack for its ${claim.phase}; ${who}` }
}
