/**
 * Carries out what was decided for a run. The order within each step is what makes a crash at any point harmless:
 *
 * - start: the intention is in the status, then the stack is taken, then a runner is started; each is repeated harmlessly.
 * - the end of a phase: the result is stored, then the stack is let go, then what was left is removed, then the status tells it.
 */
import { type TofuRun, tofuRunKind } from '../../crds/tofu-run.ts'
import type { KubeClient } from '../../kube/client.ts'
import { removeCondition, wholeSeconds } from '../../kube/conditions.ts'
import type { Result } from '../../kube/controller.ts'
import type { EventRecorder } from '../../kube/events.ts'
import { removeFinalizer } from '../../kube/finalizers.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { keyOf } from '../../kube/resource.ts'
import { patchStatus } from '../../kube/status.ts'
import { pausedConditions, pauseNews } from '../pause.ts'
import { type Action, outdated } from './decide.ts'
import type { Executor } from './executor.ts'
import { maxErrorLength, type PhaseResult } from './protocol.ts'
import { isFinished, phaseOf } from './run-facts.ts'
import { InvalidInput, type RunInputs } from './run-inputs.ts'
import { visibleOutputs } from './run-outputs.ts'
import { nextStatus, type StatusChange } from './run-status.ts'
import type { RunWorld } from './run-world.ts'
import type { PlanStore } from './state/plan-store.ts'
import type { ResultStore } from './state/result-store.ts'
import { newest, type RunPhase } from './state/stack-head.ts'
import type { Stack, StateStore } from './state/state-store.ts'

export interface CarryOutOptions {
  readonly client: KubeClient
  readonly states: StateStore
  readonly plans: PlanStore
  readonly results: ResultStore
  readonly executor: Executor
  readonly inputs: RunInputs
  readonly world: Pick<RunWorld, 'admit' | 'dismiss' | 'ticketOf'>
  readonly events: Pick<EventRecorder, 'record'>
  readonly stackOf: (run: TofuRun) => Promise<Stack>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export const finalizer = 'skyclust.io/tofu-run'

/** What a run refers to may be applied a little after it. */
const inputsMayAppearMs = 60_000
const lookAgainMs = 5_000
const longestWaitMs = 3_600_000
/** Who ended a runner says so on its pod a little after the runner has said that it was ended. */
const wordsMayComeMs = 60_000
/** A change of another run wakes those that wait for it; this is for the change that nobody saw. */
const turnMayComeMs = 30_000

export function carryOut(options: CarryOutOptions) {
  const { client, states, plans, results, executor, inputs, world, events, stackOf, now } = options
  const date = () => new Date(now())

  async function write(run: TofuRun, change: StatusChange): Promise<TofuRun> {
    const ticket = run.status?.ticket === undefined ? { ticket: world.ticketOf(run) } : {}
    return writeStatus(run, nextStatus(run, { ...ticket, ...change }, date()))
  }

  async function writeStatus(run: TofuRun, next: NonNullable<TofuRun['status']>): Promise<TofuRun> {
    const written = await patchStatus(client, tofuRunKind, run, next)
    const pause = written && pauseNews(run.status?.conditions, next.conditions)
    if (pause) events.record(run, pause)
    return written ?? run
  }

  /** A run that is over says no more than whether it is paused: it is not deleted then. */
  async function writePause(run: TofuRun, reason: string): Promise<void> {
    const conditions =
      reason === 'Paused' ? pausedConditions(run, date()) : removeCondition(run.status?.conditions, 'Paused')
    await writeStatus(run, { ...run.status, conditions: [...conditions] })
  }

  function tell(run: TofuRun, type: 'Normal' | 'Warning', reason: string, message: string): void {
    events.record(run, { type, reason, message })
  }

  async function wait(run: TofuRun, action: Action & { do: 'wait' }): Promise<Result> {
    const requeueAfterMs =
      action.untilMs === undefined ? undefined : Math.min(longestWaitMs, Math.max(0, action.untilMs - now()))
    if (isFinished(run)) await writePause(run, action.reason)
    else {
      await write(run, { reason: action.reason, message: action.message })
      if (action.reason === 'ApprovalRefused') tell(run, 'Warning', action.reason, action.message)
    }
    if (requeueAfterMs === undefined && !action.reason.startsWith('WaitingFor')) return undefined
    const turn = action.reason.startsWith('WaitingFor') ? turnMayComeMs : longestWaitMs
    return { requeueAfterMs: Math.min(requeueAfterMs ?? turn, turn) }
  }

  async function start(
    run: TofuRun,
    phase: RunPhase,
    planned: PhaseResult | undefined,
    signal: AbortSignal,
  ): Promise<Result> {
    const missing = await missingInput(run, phase, signal)
    if (missing !== undefined) return missing
    world.admit(run)
    try {
      const intended = await intend(run, phase, planned)
      const stack = await stackOf(intended)
      const { uid, name } = intended.metadata
      const head = await states.acquire(stack, { run: uid, name, phase, since: date().toISOString() }, signal)
      if ('refused' in head) {
        await write(intended, { reason: 'WaitingForStack', message: `Waits for the stack: ${head.message}.` })
        return { requeueAfterMs: lookAgainMs }
      }
      const plannedOn = intended.status?.plan?.stateVersion ?? 0
      const current = newest(head)?.version ?? 0
      if (phase === 'apply' && current !== plannedOn) {
        const { reason, message } = outdated(plannedOn, current)
        return recordLoss(intended, { do: 'recordLoss', phase, reason: reason as 'PlanOutdated', message }, signal)
      }
      await executor.start(intended, phase, signal)
      return { requeueAfterMs: lookAgainMs }
    } catch (error) {
      world.dismiss(run) // the next look decides anew whose turn it is
      throw error
    }
  }

  /** Says what a reference lacks; waits for it a little when it may yet be applied. */
  async function missingInput(run: TofuRun, phase: RunPhase, signal: AbortSignal): Promise<Result> {
    try {
      await inputs.bundle(run, phase, signal)
      return undefined
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error
      if (error.mayAppear && now() - Date.parse(run.metadata.creationTimestamp) < inputsMayAppearMs) {
        await write(run, { reason: 'InputMissing', message: error.message })
        return { requeueAfterMs: lookAgainMs }
      }
      return finish(run, { do: 'finish', as: 'Failed', reason: 'InvalidSpec', message: error.message })
    }
  }

  /** Writes that the phase begins, on top of what was read: whoever read something older fails here and does no harm. */
  async function intend(run: TofuRun, phase: RunPhase, planned: PhaseResult | undefined): Promise<TofuRun> {
    const as = phase === 'plan' ? 'Planning' : 'Applying'
    if (phaseOf(run) === as) return stillSo(run)
    const at = wholeSeconds(date())
    // A run that never had to wait began when it was created; the little time that passed since is ours.
    const waited = run.status?.phase !== undefined
    const startedAt = run.status?.startedAt ?? (waited ? at : run.metadata.creationTimestamp)
    const written = await write(run, {
      phase: as,
      reason: as,
      message: phase === 'plan' ? 'tofu plans.' : 'tofu applies the plan.',
      startedAt,
      phaseStartedAt: at,
      ...(planned && { plan: await planOf(run, planned) }),
    })
    tell(written, 'Normal', as, phase === 'plan' ? 'The plan is being made.' : 'The plan is being applied.')
    return written
  }

  /** A crash came in between: what the cache shows may be old, so the cluster itself is asked before anything is started again. */
  async function stillSo(run: TofuRun): Promise<TofuRun> {
    const live = await client.get(tofuRunKind, keyOf(run))
    const { uid, deletionTimestamp } = live.metadata
    if (uid === run.metadata.uid && deletionTimestamp === undefined && phaseOf(live) === phaseOf(run)) return live
    throw new Error(`TofuRun ${run.metadata.name} has changed meanwhile`)
  }

  async function planOf(run: TofuRun, { plan: summary, finishedAt }: PhaseResult) {
    if (summary === undefined) throw new Error('a plan phase that succeeded left no plan')
    const stored = await results.find(run.metadata.uid, 'plan')
    return { summary, at: wholeSeconds(new Date(finishedAt)), stateVersion: stored?.stateVersion ?? 0 }
  }

  async function watch(run: TofuRun, stopping: boolean): Promise<Result> {
    if (stopping) {
      await write(run, {
        reason: 'Stopping',
        message: 'tofu was asked to stop; it finishes what is under way.',
        stopping,
      })
    }
    return { requeueAfterMs: lookAgainMs }
  }

  async function recordLoss(run: TofuRun, action: Action & { do: 'recordLoss' }, signal: AbortSignal): Promise<Result> {
    const { phase, reason, message } = action
    const stack = await stackOf(run)
    const rescuedState = await rescue(run, phase, stack)
    const stateVersion = newest(await states.head(stack, signal))?.version ?? 0
    const result: PhaseResult = {
      outcome: reason === 'Cancelled' ? 'cancelled' : 'failed',
      reason,
      error: message,
      ...(rescuedState && { rescuedState }),
      finishedAt: date().toISOString(),
    }
    await results.record(run.metadata.uid, phase, { result, stateVersion }, signal)
    return { requeueAfterMs: 0 }
  }

  async function rescue(run: TofuRun, phase: RunPhase, stack: Stack): Promise<boolean> {
    const left = phase === 'apply' ? await executor.leftState(run, phase) : undefined
    if (left === undefined) return false
    const { lock } = await states.head(stack)
    const claim = { run: run.metadata.uid, phase }
    const written = await states.write(stack, {
      claim,
      ...(lock && { lockId: lock.ID }),
      bytes: left,
      writtenBy: run.metadata.name,
    })
    return !('refused' in written)
  }

  async function letGo(run: TofuRun, phase: RunPhase, signal?: AbortSignal): Promise<void> {
    await states.release(await stackOf(run), run.metadata.uid, signal)
    await executor.clean(run, phase, signal)
  }

  async function showPlan(run: TofuRun, result: PhaseResult, signal: AbortSignal): Promise<Result> {
    const plan = await planOf(run, result)
    await letGo(run, 'plan', signal)
    const { add, change, destroy, digest } = plan.summary
    const message = `${add} to add, ${change} to change, ${destroy} to destroy. Set spec.approvedPlan to ${digest} to apply this plan.`
    const written = await write(run, { phase: 'AwaitingApproval', reason: 'AwaitingApproval', message, plan })
    world.dismiss(run)
    tell(written, 'Normal', 'AwaitingApproval', message)
    return { requeueAfterMs: 0 }
  }

  async function finish(run: TofuRun, action: Action & { do: 'finish' }, signal?: AbortSignal): Promise<Result> {
    const { as, reason, message, result } = action
    const worked = phaseOf(run) === 'Applying' ? 'apply' : 'plan'
    const ended = result?.outcome === 'interrupted' ? await executor.observe(run, worked, signal) : undefined
    if (ended?.kind === 'running' && now() < Date.parse(result?.finishedAt ?? '') + wordsMayComeMs) {
      return { requeueAfterMs: 1_000 }
    }
    const applied = worked === 'apply' && result !== undefined
    const leftState = applied && result.outcome !== 'succeeded' && (await rescue(run, worked, await stackOf(run)))
    const outputs = applied ? visibleOutputs(await states.read(await stackOf(run), undefined, signal)) : undefined
    await letGo(run, worked, signal)
    await plans.remove(run.metadata.uid, signal)
    const by = ended?.kind === 'gone' && ended.endedBy !== undefined ? ` ${ended.endedBy}` : ''
    const rescued = result?.rescuedState || leftState ? ' The state that tofu could not upload was saved.' : ''
    const notes = `${by}${rescued}`
    const words = `${message.slice(0, maxErrorLength - notes.length)}${notes}`
    const written = await write(run, {
      phase: as,
      reason,
      message: words,
      completedAt: wholeSeconds(date()),
      ...(as !== 'Completed' && { error: words }),
      ...(outputs && { outputs }),
      ...(result?.plan && { plan: await planOf(run, result) }),
    })
    world.dismiss(run)
    tell(written, as === 'Failed' ? 'Warning' : 'Normal', reason, words)
    return { requeueAfterMs: 0 }
  }

  async function forget(run: TofuRun, signal: AbortSignal): Promise<Result> {
    for (const phase of ['plan', 'apply'] as const) await letGo(run, phase, signal)
    await plans.remove(run.metadata.uid, signal)
    await results.remove(run.metadata.uid, signal)
    await removeFinalizer(client, tofuRunKind, run, finalizer, { signal })
    world.dismiss(run)
    return undefined
  }

  async function expire(run: TofuRun, signal: AbortSignal): Promise<Result> {
    try {
      await client.delete(tofuRunKind, keyOf(run), { preconditions: { uid: run.metadata.uid }, signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
    return undefined
  }

  return async function act(run: TofuRun, action: Action, signal: AbortSignal): Promise<Result> {
    switch (action.do) {
      case 'wait':
        return wait(run, action)
      case 'start':
        return start(run, action.phase, action.planned, signal)
      case 'watch':
        return watch(run, action.stopping)
      case 'kill':
        await executor.kill(run, action.phase, signal)
        return { requeueAfterMs: 1_000 }
      case 'recordLoss':
        return recordLoss(run, action, signal)
      case 'showPlan':
        return showPlan(run, action.result, signal)
      case 'finish':
        return finish(run, action, signal)
      case 'forget':
        return forget(run, signal)
      case 'expire':
        return expire(run, signal)
    }
  }
}
