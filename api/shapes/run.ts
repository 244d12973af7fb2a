/** A TofuRun as REST shows it: an execution. */
import { z } from '@hono/zod-openapi'
import { type TofuRun, type TofuRunPhase, tofuCommands, tofuRunPhases } from '../../crds/tofu-run.ts'
import type { Workspace } from '../../crds/workspace.ts'
import { getCondition } from '../../kube/conditions.ts'
import { time, uuid } from '../http/schemas.ts'

export const runStatuses = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const
export type RunStatus = (typeof runStatuses)[number]

const plannedChange = z.object({ address: z.string(), actions: z.array(z.string()) })

export const runSchema = z
  .object({
    id: uuid,
    workspace_id: uuid,
    command: z.enum(tofuCommands),
    status: z.enum(runStatuses),
    started_at: time.nullable().openapi({ description: 'null while another run goes first.' }),
    completed_at: time.nullable(),
    name: z.string(),
    stack: z.string(),
    phase: z.enum(tofuRunPhases).openapi({ description: 'The same, in more detail.' }),
    message: z.string().openapi({ description: 'What it waits for or how it ended, as a sentence.' }),
    plan: z
      .object({
        digest: z.string().openapi({ description: 'What an approval names.' }),
        add: z.int(),
        change: z.int(),
        destroy: z.int(),
        created_at: time,
        changes: z.array(plannedChange),
      })
      .nullable(),
    outputs: z.record(z.string(), z.string()).openapi({ description: 'Those that are not sensitive.' }),
  })
  .openapi('Execution')

export const runDetailSchema = runSchema
  .extend({
    output: z.string().openapi({ description: 'The last part of what tofu printed, without secrets.' }),
    error: z.string().openapi({ description: '"" when nothing went wrong.' }),
  })
  .openapi('ExecutionDetail')

export type RunData = z.output<typeof runSchema>

const statusOf: Readonly<Record<TofuRunPhase, RunStatus>> = {
  Pending: 'pending',
  Planning: 'running',
  AwaitingApproval: 'pending',
  Applying: 'running',
  Completed: 'completed',
  Failed: 'failed',
  Cancelled: 'cancelled',
}

/** @param neighbours all runs of its namespace: before the controller has looked at a run, they say whether it has to wait */
export function runData(run: TofuRun, workspace: Workspace, neighbours: readonly TofuRun[]): RunData {
  const { metadata, spec, status } = run
  const shown = status?.phase === undefined ? expected(run, neighbours) : statusOf[status.phase]
  const plan = status?.plan
  return {
    id: metadata.uid,
    workspace_id: workspace.metadata.uid,
    command: spec.command,
    status: shown,
    started_at: status?.startedAt ?? (shown === 'running' ? metadata.creationTimestamp : null),
    completed_at: status?.completedAt ?? null,
    name: metadata.name,
    stack: spec.stack,
    phase: status?.phase ?? 'Pending',
    message: getCondition(status?.conditions, 'Ready')?.message ?? '',
    plan:
      plan === undefined
        ? null
        : {
            digest: plan.digest,
            add: plan.add,
            change: plan.change,
            destroy: plan.destroy,
            created_at: plan.at,
            changes: (plan.changes ?? []).map(({ address, actions }) => ({ address, actions: [...actions] })),
          },
    outputs: { ...status?.outputs },
  }
}

/** A run is running at once, unless an unfinished one of its stack is there before it. */
function expected(run: TofuRun, neighbours: readonly TofuRun[]): RunStatus {
  const waits = neighbours.some(
    ({ metadata, spec, status }) =>
      metadata.uid !== run.metadata.uid &&
      spec.stack === run.spec.stack &&
      status?.completedAt === undefined &&
      status?.phase !== 'AwaitingApproval' &&
      metadata.creationTimestamp <= run.metadata.creationTimestamp,
  )
  return waits ? 'pending' : 'running'
}
