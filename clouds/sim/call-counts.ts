import { type SimAction, simActions } from './wire.ts'

/** How many calls came, by action: what a batch saves, and what a bench counts. */
export interface CallCounts {
  readonly reads: number
  readonly mutations: number
  readonly byAction: Readonly<Record<SimAction, ActionCount>>
}

export interface ActionCount {
  readonly calls: number
  readonly refused: number
  /** Instances that the calls named. */
  readonly ids: number
}

const readOnly: ReadonlySet<SimAction> = new Set(['GetCallerIdentity', 'DescribeRegions', 'DescribeInstances'])

export function isRead(action: SimAction): boolean {
  return readOnly.has(action)
}

export function callCounts() {
  const byAction = Object.fromEntries(simActions.map((action) => [action, { calls: 0, refused: 0, ids: 0 }])) as Record<
    SimAction,
    { calls: number; refused: number; ids: number }
  >

  return {
    called(action: SimAction, ids: number): void {
      byAction[action].calls++
      byAction[action].ids += ids
    },
    refused(action: SimAction): void {
      byAction[action].refused++
    },
    snapshot(): CallCounts {
      const sum = (actions: readonly SimAction[]) =>
        actions.reduce((total, action) => total + byAction[action].calls, 0)
      return {
        reads: sum(simActions.filter(isRead)),
        mutations: sum(simActions.filter((action) => !isRead(action))),
        byAction: structuredClone(byAction),
      }
    },
  }
}
