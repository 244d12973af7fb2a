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

/**
 * What the tools that apply objects from elsewhere put on them: Argo CD (by annotation, as it does since 3.0, and by label), Flux and Helm. They make again
 * what is gone, and a run that is made again runs again.
 *
 * @see https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
 */
const keepersAnnotations = ['argocd.argoproj.io/tracking-id', 'meta.helm.sh/release-name']
const keepersLabels = ['app.kubernetes.io/instance', 'argocd.argoproj.io/instance', 'kustomize.toolkit.fluxcd.io/name']

export function phaseOf(run: TofuRun): Phase {
  return run.status?.phase ?? 'Pending'
}

export function isFinished(run: TofuRun): boolean {
  return ['Completed', 'Failed', 'Cancelled'].includes(phaseOf(run))
}

/** Whether a repository says that this run is there: then it is deleted once the repository no longer does, and not before. */
function isKept({ metadata }: TofuRun): boolean {
  return (
    keepersAnnotations.some((key) => metadata.annotations?.[key] !== undefined) ||
    keepersLabels.some((key) => metadata.labels?.[key] !== undefined)
  )
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
    ttlMs: isKept(run) ? undefined : spec.ttlSecondsAfterFinished * 1000,
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
