/**
 * What `skyclust.io/paused: "true"` means to every kind: nothing is done, deletion included, until it is taken off.
 *
 * A paused object says so by the condition `Paused` and by an event when it begins and when it ends. What its other conditions and its
 * observedGeneration said stays as it was when it was last looked at, and is not Reconciling: who changes its spec meanwhile sees by the
 * observedGeneration that nobody has acted on that.
 */
import { annotations } from '../crds/names.ts'
import { type Condition, getCondition, removeCondition, setCondition } from '../kube/conditions.ts'
import type { KubeObject } from '../kube/resource.ts'

export const pausedMessage = `The annotation ${annotations.paused} stops all action; remove it to go on.`

export function isPaused({ metadata }: Pick<KubeObject, 'metadata'>): boolean {
  return metadata.annotations?.[annotations.paused] === 'true'
}

export interface Pausable extends Pick<KubeObject, 'metadata'> {
  readonly status?: { readonly conditions?: readonly Condition[] | undefined } | undefined
}

/** The conditions of an object that is paused. */
export function pausedConditions({ metadata, status }: Pausable, now: Date): readonly Condition[] {
  const observedGeneration = metadata.generation
  return setCondition(
    removeCondition(status?.conditions, 'Reconciling'),
    { type: 'Paused', status: 'True', reason: 'Paused', message: pausedMessage, observedGeneration },
    now,
  )
}

/** The event about what was written: that a pause began, or ended. */
export function pauseNews(before: readonly Condition[] | undefined, after: readonly Condition[] | undefined) {
  const [was, is] = [before, after].map((conditions) => getCondition(conditions, 'Paused')?.status === 'True')
  if (was === is) return undefined
  if (is) return { type: 'Normal', reason: 'Paused', message: pausedMessage } as const
  return { type: 'Normal', reason: 'Resumed', message: `The annotation ${annotations.paused} is gone.` } as const
}
