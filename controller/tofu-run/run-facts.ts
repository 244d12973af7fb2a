/** Reads from a TofuRun what `decide` and the queue want to know. */
import type { TofuRun } from '../../crds/tofu-run.ts'
import { getCondition } from '../../kube/conditions.ts'
import { keyString } from '../../kube/resource.ts'
import { isPaused } from '../pause.ts'
import type { Phase, RunFacts } from './decide.ts'
import { milliseconds } from './duration.ts'
import type { QueuedRun } from './run-queue.ts'

/** Condition that says since when a run has been told to stop. */
export const stopping = 'Stopping'

export function phaseOf(run: TofuRun): Phase {
  return run.status?.phase ?? 'Pending'
}

export function isFinished(run: TofuRun): boolean {
  return ['Completed', 'Failed', 'Cancelled'].includes(phaseOf(run))
}

export function factsOf(run: TofuRun): RunFacts {
  const { spec, status, metadata } = run
  const plan = status?.plan
  return {
    phase: phaseOf(run),
    command: spec.command,
    approval: spec.approval.mode,
    maxAgeMs: milliseconds(spec.approval.maxAge),
    timeoutMs: milliseconds(spec.timeout),
    approvedPlan: spec.approvedPlan,
    cancel: spec.cancel,
    deleting: metadata.deletionTimestamp !== undefined,
    paused: isPaused(run),
    plan: plan && { digest: plan.digest, atMs: Date.parse(plan.at), stateVersion: plan.stateVersion },
    phaseSinceMs: Date.parse(status?.phaseStartedAt ?? metadata.creationTimestamp),
    stoppingSinceMs: timeOf(getCondition(status?.conditions, stopping)?.lastTransitionTime),
    completedAtMs: timeOf(status?.completedAt),
    ttlMs: spec.ttlSecondsAfterFinished * 1000,
  }
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text)
}

/** @param admitted whether this process has let it go although the cache does not show it yet */
export function queuedRun(run: TofuRun, admitted: boolean): QueuedRun {
  const { namespace = '', name, creationTimestamp, resourceVersion } = run.metadata
  return {
    key: keyString(run.metadata),
    namespace,
    name,
    stack: run.spec.stack,
    createdAt: creationTimestamp,
    ticket: run.status?.ticket ?? resourceVersion,
    state: stateInQueue(run, admitted),
  }
}

function stateInQueue(run: TofuRun, admitted: boolean): QueuedRun['state'] {
  const phase = phaseOf(run)
  if (phase === 'Planning' || phase === 'Applying') return 'active'
  if (isFinished(run)) return 'idle'
  if (admitted) return 'active'
  if (isPaused(run) || run.spec.cancel || run.metadata.deletionTimestamp !== undefined) return 'idle'
  if (phase === 'AwaitingApproval') return run.spec.approvedPlan === run.status?.plan?.digest ? 'waiting' : 'idle'
  return 'waiting'
}
