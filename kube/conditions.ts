/**
 * `metav1.Condition` lists. They are values: every function gives a new list, or the very one it was given when nothing
 * changed, so that `===` tells whether there is something to write.
 *
 * @see https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties
 */
export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  /** CamelCase, for machines; never empty. */
  readonly reason: string
  /** A sentence, for people. */
  readonly message: string
  readonly observedGeneration?: number | undefined
  /** RFC 3339, whole seconds. Moves only when `status` does. */
  readonly lastTransitionTime: string
}

export type ConditionChange = Omit<Condition, 'lastTransitionTime'>

export function getCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type)
}

export function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return getCondition(conditions, type)?.status === 'True'
}

/** @param now of the transition, if this is one */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  change: ConditionChange,
  now: Date,
): readonly Condition[] {
  const before = getCondition(conditions, change.type)
  const lastTransitionTime = before?.status === change.status ? before.lastTransitionTime : wholeSeconds(now)
  const after: Condition = { ...change, lastTransitionTime }
  if (!conditions || !before) return [...(conditions ?? []), after]
  if (sameCondition(before, after)) return conditions
  return conditions.map((condition) => (condition === before ? after : condition))
}

export function removeCondition(conditions: readonly Condition[] | undefined, type: string): readonly Condition[] {
  if (!conditions) return []
  return getCondition(conditions, type) ? conditions.filter((condition) => condition.type !== type) : conditions
}

/** Whether both say the same, in whatever order. */
export function sameConditions(
  a: readonly Condition[] | undefined = [],
  b: readonly Condition[] | undefined = [],
): boolean {
  return a.length === b.length && a.every((condition) => sameCondition(condition, getCondition(b, condition.type)))
}

function sameCondition(a: Condition, b: Condition | undefined): boolean {
  return (
    b !== undefined &&
    a.type === b.type &&
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration &&
    a.lastTransitionTime === b.lastTransitionTime
  )
}

/** `metav1.Time`: `2024-01-01T00:00:00Z`. */
export function wholeSeconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`
}
