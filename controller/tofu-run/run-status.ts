/**
 * What the status of a run says, from what was decided. Pure: the conditions follow from the phase and the reason alone.
 *
 * `Ready` is true when the run is Completed; `Reconciling` while it goes on by itself; `Stalled` once it has failed, so that kstatus
 * readers (Argo CD, `kubectl wait`) see all three.
 */
import type { TofuRun, TofuRunStatus } from '../../crds/tofu-run.ts'
import { type Condition, removeCondition, setCondition } from '../../kube/conditions.ts'
import type { Phase } from './decide.ts'
import type { PlanSummary } from './protocol.ts'
import { phaseOf, stopping } from './run-facts.ts'

export interface StatusChange {
  readonly phase?: Phase
  readonly reason: string
  readonly message: string
  readonly plan?: { readonly summary: PlanSummary; readonly at: string; readonly stateVersion: number }
  readonly outputs?: Readonly<Record<string, string>>
  readonly error?: string
  readonly startedAt?: string
  readonly phaseStartedAt?: string
  readonly completedAt?: string
  readonly ticket?: string
  readonly stopping?: boolean
}

/** Longest message of a condition; the whole of an error is in `status.error`. */
const longestMessage = 1024

export function nextStatus(run: TofuRun, change: StatusChange, now: Date): TofuRunStatus {
  const phase = change.phase ?? phaseOf(run)
  const { plan, outputs, error, startedAt, phaseStartedAt, completedAt, ticket } = change
  return {
    ...run.status,
    phase,
    observedGeneration: run.metadata.generation ?? 0,
    ...(plan && { plan: planStatus(plan) }),
    ...(outputs && { outputs }),
    ...(error !== undefined && error !== '' && { error }),
    ...(startedAt !== undefined && { startedAt }),
    ...(phaseStartedAt !== undefined && { phaseStartedAt }),
    ...(completedAt !== undefined && { completedAt }),
    ...(ticket !== undefined && { ticket }),
    conditions: conditionsOf(run, phase, change, now),
  }
}

function planStatus({ summary, at, stateVersion }: NonNullable<StatusChange['plan']>) {
  const { digest, add, change, destroy, changes, changesLeftOut, commit } = summary
  return {
    digest,
    add,
    change,
    destroy,
    at,
    stateVersion,
    ...(commit !== undefined && { commit }),
    ...(changes.length > 0 && { changes }),
    ...(changesLeftOut > 0 && { changesLeftOut }),
  }
}

function conditionsOf(run: TofuRun, phase: Phase, change: StatusChange, now: Date): Condition[] {
  const { reason } = change
  const message = change.message.slice(0, longestMessage)
  const observedGeneration = run.metadata.generation ?? 0
  const facts = { reason: reason || phase, message, observedGeneration }
  const over = phase === 'Completed' || phase === 'Failed' || phase === 'Cancelled'
  const paused = reason === 'Paused'
  let list: readonly Condition[] = (run.status?.conditions ?? []) as readonly Condition[]
  const put = (type: string, holds: boolean, keep = false) => {
    if (holds || keep) list = setCondition(list, { type, status: holds ? 'True' : 'False', ...facts }, now)
    else list = removeCondition(list, type)
  }
  put('Ready', phase === 'Completed', true)
  put('Reconciling', !over && !paused)
  put('Stalled', phase === 'Failed' || phase === 'Cancelled')
  put('Paused', paused)
  put(stopping, change.stopping === true && !over)
  return [...list]
}
