/**
 * What a run needs next: a pure function of the run as the user wrote it, of how far it is, and of the world. Everything else in
 * this folder carries out what is decided here.
 *
 *     Pending ──► Planning ──► (Completed)                      command plan
 *                    │
 *                    ├──► Applying ──► Completed                approval Auto
 *                    └──► AwaitingApproval ──► Applying          approval Manual
 *     from each of them: Failed, Cancelled
 *
 * A phase of work is over when its result is stored, and only then: the first result counts, whether the runner wrote it or
 * the controller did when it found the runner gone. What has a result is never started.
 */
import { pausedMessage } from '../pause.ts'
import type { PhaseResult } from './protocol.ts'
import type { Turn } from './run-queue.ts'
import type { RunPhase } from './state/stack-head.ts'

export const phases = [
  'Pending',
  'Planning',
  'AwaitingApproval',
  'Applying',
  'Completed',
  'Failed',
  'Cancelled',
] as const
export type Phase = (typeof phases)[number]

/** The run, as far as it matters here. */
export interface RunFacts {
  readonly phase: Phase
  readonly command: 'plan' | 'apply' | 'destroy'
  readonly approval: 'Auto' | 'Manual'
  readonly maxAgeMs: number
  readonly timeoutMs: number
  readonly approvedPlan: string
  readonly cancel: boolean
  readonly deleting: boolean
  readonly paused: boolean
  readonly plan: { readonly digest: string; readonly atMs: number; readonly stateVersion: number } | undefined
  /** When the phase of work that it is in began; when it was created before the first. */
  readonly phaseSinceMs: number
  /** Since when it has been told to stop. */
  readonly stoppingSinceMs: number | undefined
  readonly completedAtMs: number | undefined
  readonly ttlMs: number | undefined
}

/** What is known of the phase of work that the run is in. */
export type Execution =
  /** Never begun, and nothing is there that could begin. */
  | { readonly kind: 'absent' }
  /** A runner exists; `begun` when it has been let through. */
  | { readonly kind: 'running'; readonly begun: boolean; readonly message?: string }
  | { readonly kind: 'finished'; readonly result: PhaseResult }
  /** It has begun or was to begin, and is gone without a result. */
  | { readonly kind: 'lost'; readonly begun: boolean; readonly message: string }

export interface World {
  readonly nowMs: number
  readonly turn: Turn
  readonly execution: Execution
  /** Version of the state as it is now; 0 before the first. */
  readonly stateVersion: number
  /** How long a runner that was told to stop may take, and how long one may take to begin. */
  readonly stopGraceMs: number
  readonly startGraceMs: number
}

export type FailureReason =
  | 'InvalidSpec'
  | 'TofuFailed'
  | 'Interrupted'
  | 'Timeout'
  | 'NotStarted'
  | 'PlanExpired'
  | 'PlanOutdated'

export type Action =
  /** Nothing before `untilMs`, or before something changes. */
  | { readonly do: 'wait'; readonly reason: string; readonly message: string; readonly untilMs?: number }
  /** Write that the phase of work begins (and what was planned), take the stack, start a runner. Also continues where a crash left that. */
  | { readonly do: 'start'; readonly phase: RunPhase; readonly planned?: PhaseResult }
  /** A runner is at work. */
  | { readonly do: 'watch'; readonly stopping: boolean }
  /** The runner had its time: end it without asking. */
  | { readonly do: 'kill'; readonly phase: RunPhase; readonly message: string }
  /** Store a result for a runner that left none. */
  | {
      readonly do: 'recordLoss'
      readonly phase: RunPhase
      readonly reason: FailureReason | 'Cancelled'
      readonly message: string
    }
  /** Put the plan into the status, and let go of the stack until somebody approved. */
  | { readonly do: 'showPlan'; readonly result: PhaseResult }
  | {
      readonly do: 'finish'
      readonly as: 'Completed' | 'Failed' | 'Cancelled'
      readonly reason: string
      readonly message: string
      readonly result?: PhaseResult
    }
  /** Delete the run: it is old enough. */
  | { readonly do: 'expire' }
  /** The run is being deleted and nothing of it works any more: clean up and let it go. */
  | { readonly do: 'forget' }

export function decide(run: RunFacts, world: World): Action {
  if (run.paused) return wait('Paused', pausedMessage)
  switch (run.phase) {
    case 'Pending':
      return run.deleting ? { do: 'forget' } : pending(run, world)
    case 'AwaitingApproval':
      return run.deleting ? { do: 'forget' } : awaitingApproval(run, world)
    case 'Planning':
      return working(run, world, 'plan')
    case 'Applying':
      return working(run, world, 'apply')
    case 'Completed':
    case 'Failed':
    case 'Cancelled':
      return run.deleting ? { do: 'forget' } : finished(run, world)
  }
}

function pending(run: RunFacts, { turn }: World): Action {
  if (run.cancel) return finish('Cancelled', 'Cancelled', 'Cancelled before it began; nothing was done.')
  return turn.go ? { do: 'start', phase: 'plan' } : wait(turn.reason, turn.message)
}

function awaitingApproval(run: RunFacts, world: World): Action {
  const { plan } = run
  if (run.cancel)
    return finish('Cancelled', 'Cancelled', 'Cancelled before its plan was approved; nothing was changed.')
  if (plan === undefined) return finish('Failed', 'Interrupted', 'The plan that awaits approval is not there any more.')
  if (world.nowMs >= plan.atMs + run.maxAgeMs) {
    return finish('Failed', 'PlanExpired', 'The plan is older than spec.approval.maxAge allows; create a new run.')
  }
  if (world.stateVersion !== plan.stateVersion) return outdated(plan.stateVersion, world.stateVersion)
  const untilMs = plan.atMs + run.maxAgeMs
  if (run.approvedPlan === '') {
    return wait('AwaitingApproval', `Set spec.approvedPlan to ${plan.digest} to apply this plan.`, untilMs)
  }
  if (run.approvedPlan !== plan.digest) {
    const message = `The approval names ${run.approvedPlan}, but the plan is ${plan.digest}: look at that one and approve it.`
    return wait('ApprovalRefused', message, untilMs)
  }
  return world.turn.go ? { do: 'start', phase: 'apply' } : wait(world.turn.reason, world.turn.message, untilMs)
}

export function outdated(planned: number, current: number): Action & { readonly do: 'finish' } {
  const message = `The plan was made on version ${planned} of the state, which is at version ${current} now; create a new run.`
  return finish('Failed', 'PlanOutdated', message)
}

function working(run: RunFacts, world: World, phase: RunPhase): Action {
  const { execution } = world
  const stop = run.cancel || run.deleting
  switch (execution.kind) {
    case 'finished':
      return run.deleting ? { do: 'forget' } : afterPhase(run, phase, execution.result)
    case 'lost':
      return { do: 'recordLoss', phase, reason: 'Interrupted', message: lossMessage(phase, execution) }
    case 'absent':
      if (run.deleting) return { do: 'forget' }
      if (run.cancel) return { do: 'recordLoss', phase, reason: 'Cancelled', message: nothingDone(phase) }
      return { do: 'start', phase }
    case 'running':
      return stop && !execution.begun ? giveUp(run, phase) : overdue(run, world, phase, stop)
  }
}

/** It has not begun: without the stack it never will, so that there is nothing to wait for. */
function giveUp(run: RunFacts, phase: RunPhase): Action {
  return run.deleting ? { do: 'forget' } : { do: 'recordLoss', phase, reason: 'Cancelled', message: nothingDone(phase) }
}

function overdue(run: RunFacts, world: World, phase: RunPhase, stop: boolean): Action {
  const { execution, nowMs } = world
  if (execution.kind !== 'running') return { do: 'watch', stopping: stop }
  if (!execution.begun && nowMs > run.phaseSinceMs + world.startGraceMs) {
    const why = execution.message === undefined ? '' : ` ${execution.message}`
    return {
      do: 'recordLoss',
      phase,
      reason: 'NotStarted',
      message: `The runner did not begin.${why} ${nothingDone(phase)}`,
    }
  }
  const stoppingSince = stop ? (run.stoppingSinceMs ?? nowMs) : run.phaseSinceMs + run.timeoutMs
  if (nowMs > stoppingSince + world.stopGraceMs) {
    return { do: 'kill', phase, message: 'The runner did not stop when it was told to.' }
  }
  return { do: 'watch', stopping: stop }
}

function afterPhase(run: RunFacts, phase: RunPhase, result: PhaseResult): Action {
  switch (result.outcome) {
    case 'cancelled':
      return finish('Cancelled', 'Cancelled', result.error, result)
    case 'timedOut':
      return finish('Failed', 'Timeout', result.error, result)
    case 'interrupted':
      return finish('Failed', 'Interrupted', result.error, result)
    case 'failed':
      return finish('Failed', result.reason === '' ? 'TofuFailed' : result.reason, result.error, result)
    case 'succeeded':
      if (phase === 'apply') return finish('Completed', 'Applied', 'The plan was applied.', result)
      if (run.command === 'plan') return finish('Completed', 'Planned', 'The plan was made.', result)
      if (run.cancel) return finish('Cancelled', 'Cancelled', 'Cancelled after the plan; nothing was changed.', result)
      return run.approval === 'Manual' ? { do: 'showPlan', result } : { do: 'start', phase: 'apply', planned: result }
  }
}

function finished(run: RunFacts, { nowMs }: World): Action {
  if (run.completedAtMs === undefined || run.ttlMs === undefined) return wait('', '')
  const untilMs = run.completedAtMs + run.ttlMs
  return nowMs >= untilMs ? { do: 'expire' } : wait('', '', untilMs)
}

function lossMessage(phase: RunPhase, execution: Execution & { readonly kind: 'lost' }): string {
  if (phase === 'plan') return `${execution.message} Nothing was changed; create a new run.`
  if (!execution.begun) return `${execution.message} ${nothingDone(phase)} Create a new run.`
  return (
    `${execution.message} It was applying: resources may exist that the state does not know. ` +
    'Look at the output and the cloud, then create a new run; this one is never started again.'
  )
}

function nothingDone(phase: RunPhase): string {
  return phase === 'plan' ? 'Nothing was done.' : 'Nothing was applied.'
}

function wait(reason: string, message: string, untilMs?: number): Action {
  return { do: 'wait', reason, message, ...(untilMs === undefined ? {} : { untilMs }) }
}

function finish(
  as: 'Completed' | 'Failed' | 'Cancelled',
  reason: string,
  message: string,
  result?: PhaseResult,
): Action & { readonly do: 'finish' } {
  return { do: 'finish', as, reason, message, ...(result === undefined ? {} : { result }) }
}
