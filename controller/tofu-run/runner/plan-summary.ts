/**
 * What a plan will do, from `tofu show -json`: counted as tofu counts, listed by address, and as JSON without sensitive values.
 *
 * @see https://opentofu.org/docs/internals/json-format/ (plan representation)
 */
import { maxListedChanges, type PlannedChange } from '../protocol.ts'

interface ResourceChange {
  readonly address: string
  readonly change: {
    readonly actions: readonly string[]
    readonly before?: unknown
    readonly after?: unknown
    readonly after_unknown?: unknown
    readonly before_sensitive?: unknown
    readonly after_sensitive?: unknown
    readonly importing?: unknown
  }
}

interface PlanDocument {
  readonly resource_changes?: readonly ResourceChange[]
  readonly output_changes?: Readonly<Record<string, ResourceChange['change']>>
}

export interface SummarisedPlan {
  readonly add: number
  readonly change: number
  readonly destroy: number
  readonly changes: PlannedChange[]
  readonly changesLeftOut: number
  /** For people and programs to read; sensitive values are not in it. */
  readonly document: string
}

export const sensitive = '(sensitive value)'

export function summarisePlan(json: string): SummarisedPlan {
  const plan = JSON.parse(json) as PlanDocument
  const effective = (plan.resource_changes ?? []).filter(({ change }) => !isQuiet(change.actions))
  const count = (action: string) => effective.filter(({ change }) => change.actions.includes(action)).length
  const changes = effective.map(({ address, change }) => ({
    address: address.slice(0, 512),
    actions: [...change.actions],
  }))
  const document = {
    resource_changes: effective.map(({ address, change }) => ({ address, change: withoutSecrets(change) })),
    output_changes: Object.fromEntries(
      Object.entries(plan.output_changes ?? {}).map(([name, change]) => [name, withoutSecrets(change)]),
    ),
  }
  return {
    add: count('create'),
    change: count('update'),
    destroy: count('delete'),
    changes: changes.slice(0, maxListedChanges),
    changesLeftOut: Math.max(0, changes.length - maxListedChanges),
    document: JSON.stringify(document, undefined, 1),
  }
}

function isQuiet(actions: readonly string[]): boolean {
  return actions.every((action) => action === 'no-op' || action === 'read')
}

function withoutSecrets(change: ResourceChange['change']) {
  return {
    actions: change.actions,
    before: masked(change.before, change.before_sensitive),
    after: masked(change.after, change.after_sensitive),
    after_unknown: change.after_unknown,
  }
}

/** The mask has `true` where the value is sensitive, as a whole or at a place within. */
export function masked(value: unknown, mask: unknown): unknown {
  if (mask === true) return value === null || value === undefined ? value : sensitive
  if (typeof mask !== 'object' || mask === null || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item, index) => masked(item, (mask as unknown[])[index]))
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, masked(item, (mask as Record<string, unknown>)[key])]),
  )
}
