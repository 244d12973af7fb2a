/** Infrastructure as code: runs of OpenTofu, as executions. */
import { createRoute, z } from '@hono/zod-openapi'
import { type TofuCommand, type TofuRun, tofuCommands, tofuRunKind } from '../../crds/tofu-run.ts'
import type { Workspace } from '../../crds/workspace.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { keyOf, type ObjectKey } from '../../kube/resource.ts'
import type { Facade } from '../facade.ts'
import { ApiError } from '../http/api-error.ts'
import { type ApiContext, callerIn } from '../http/call.ts'
import { type ApiApp, apiApp, created, data, failures, jsonBody, list, serve } from '../http/define-route.ts'
import { idempotencyKey } from '../http/documented-headers.ts'
import { createdAnswer, dataAnswer, listAnswer } from '../http/envelope.ts'
import { oldestFirst, pageOf, pageQuery } from '../http/pagination.ts'
import { dnsLabel, pathId, reference, text } from '../http/schemas.ts'
import { createOnce, type IdempotencyMark, markedMetadata, markedName, markOf, sayReplayed } from '../idempotency.ts'
import type { Message } from '../language/messages.ts'
import { generatedName } from '../names.ts'
import { runData, runDetailSchema, runSchema, runStatuses } from '../shapes/run.ts'
import { outputTail } from '../shapes/run-output.ts'
import { piecesOf } from '../store/run-content.ts'
import { change } from '../writes/change.ts'

const tags = ['IaC']
const params = z.object({ id: pathId })
const SEEN_WITHIN_MS = 2_000

const runBody = z.strictObject({
  workspace_id: reference,
  config: text({ min: 1, max: 262_144, multiline: true }).openapi({ description: 'The configuration, as HCL text.' }),
  stack: dnsLabel.optional().openapi({ description: 'Whose state it works on; "default" when left out.' }),
  variables: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]{0,127}$/), text({ max: 16_384, multiline: true }))
    .optional(),
  approval: z
    .enum(['auto', 'manual'])
    .optional()
    .openapi({ description: 'manual waits, after the plan, until somebody approves it by its digest.' }),
})

function makeRoute(command: TofuCommand) {
  const summaries = {
    plan: 'Show what a configuration would change',
    apply: 'Carry a configuration out',
    destroy: 'Destroy what a configuration made',
  }
  return createRoute({
    tags,
    method: 'post',
    path: `/iac/${command}`,
    summary: summaries[command],
    request: { headers: idempotencyKey, body: jsonBody(runBody) },
    responses: { 201: created('The new execution.', runSchema), ...failures },
  })
}

const listRuns = createRoute({
  tags,
  method: 'get',
  path: '/iac/executions',
  summary: 'Executions of a workspace, or of all the caller’s workspaces',
  request: {
    query: z.strictObject({
      workspace_id: reference.optional(),
      status: z.enum(runStatuses).optional(),
      command: z.enum(tofuCommands).optional(),
      stack: dnsLabel.optional(),
      ...pageQuery,
    }),
  },
  responses: { 200: list('Oldest first.', runSchema), ...failures },
})

const getRun = createRoute({
  tags,
  method: 'get',
  path: '/iac/executions/{id}',
  summary: 'An execution, with the last part of its output',
  request: { params },
  responses: { 200: data('The execution.', runDetailSchema), ...failures },
})

const cancelRun = createRoute({
  tags,
  method: 'post',
  path: '/iac/executions/{id}/cancel',
  summary: 'Stop an execution: tofu finishes what is under way and saves the state',
  request: { params },
  responses: { 200: data('The execution; it is cancelled once it has stopped.', runSchema), ...failures },
})

const approveRun = createRoute({
  tags,
  method: 'post',
  path: '/iac/executions/{id}/approve',
  summary: 'Approve the plan of an execution, by its digest',
  request: { params, body: jsonBody(z.strictObject({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) })) },
  responses: { 200: data('The execution.', runSchema), ...failures },
})

export function iacRoutes(facade: Pick<Facade, 'store' | 'access' | 'asCaller'>): ApiApp {
  const { store, access, asCaller } = facade
  const { runs } = store
  const app = apiApp()

  function about(context: ApiContext, { metadata: { uid: id, namespace = '', name } }: TofuRun): void {
    context.env.call.object = { resource: 'tofuruns', id, namespace, name }
  }

  const shown = (run: TofuRun, workspace: Workspace) =>
    runData(run, workspace, store.runsIn(run.metadata.namespace ?? ''))

  /** The Credential of each provider of which the workspace has exactly one: what a run would name. */
  function credentialsFor(namespace: string): { name: string }[] {
    const usable = store.credentialsIn(namespace).filter(({ metadata, spec }) => {
      return metadata.deletionTimestamp === undefined && spec.source === 'Secret'
    })
    const alone = usable.filter(
      ({ spec }) => usable.filter((other) => other.spec.provider === spec.provider).length === 1,
    )
    return alone.map(({ metadata }) => ({ name: metadata.name }))
  }

  /** Under the same key, wherever; or of this name, made on another replica a moment ago. */
  async function madeEarlier(client: KubeClient, key: ObjectKey, mark: IdempotencyMark | undefined) {
    const known = mark && runs.index('idempotency', mark.key)[0]
    if (known !== undefined) return known
    try {
      return await client.get(tofuRunKind, key)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  for (const command of tofuCommands) {
    serve(app, makeRoute(command), async (context) => {
      const caller = callerIn(context)
      const body = context.req.valid('json')
      const { workspace_id, config, stack, variables, approval } = body
      const mark = markOf(context, caller.id, body)
      const workspace = await access.workspace(caller, workspace_id, 'run.make')
      const made = await asCaller.inWorkspace(caller, workspace, (client, namespace) => {
        const credentialRefs = credentialsFor(namespace)
        const name = markedName(mark, command, () => generatedName(command, command))
        return createOnce({
          mark,
          find: () => madeEarlier(client, { namespace, name }, mark),
          create: () =>
            client.create(tofuRunKind, {
              metadata: { namespace, name, ...markedMetadata(mark) },
              spec: {
                command,
                source: { inline: { 'main.tf': config } },
                ...(stack !== undefined && { stack }),
                ...(variables !== undefined && { variables }),
                ...(credentialRefs.length > 0 && { credentialRefs }),
                approval: { mode: approval === 'manual' ? 'Manual' : 'Auto' },
              },
            }),
        })
      })
      const run = made.object
      sayReplayed(context, made)
      about(context, run)
      await runs.seen(run, { timeoutMs: SEEN_WITHIN_MS })
      return createdAnswer(context, shown(run, workspace), `/api/v1/iac/executions/${run.metadata.uid}`)
    })
  }

  serve(app, listRuns, async (context) => {
    const caller = callerIn(context)
    const query = context.req.valid('query')
    const { workspace_id, status, command, stack } = query
    const workspaces =
      workspace_id === undefined
        ? store.workspacesOf(caller)
        : [await access.workspace(caller, workspace_id, 'run.read')]
    const all = workspaces.flatMap((workspace) =>
      store
        .runsIn(workspace.status?.namespace ?? '')
        .filter(({ spec }) => (command ?? spec.command) === spec.command && (stack ?? spec.stack) === spec.stack)
        .map((run) => ({ run, shown: shown(run, workspace) }))
        .filter((one) => (status ?? one.shown.status) === one.shown.status),
    )
    if (workspaces.length > 1) all.sort((one, other) => oldestFirst(one.run, other.run))
    const { items, total } = pageOf(all, query)
    const texts = items.map((one) => JSON.stringify(one.shown))
    return listAnswer<z.output<typeof runSchema>>(context, { items: texts, total })
  })

  serve(app, getRun, async (context) => {
    const { object, workspace } = await access.run(callerIn(context), context.req.param('id'), 'run.read')
    about(context, object)
    const output = outputTail(await piecesOf(asCaller, callerIn(context), { run: object, workspace }))
    return dataAnswer(context, { ...shown(object, workspace), output, error: object.status?.error ?? '' })
  })

  serve(app, cancelRun, async (context) => {
    const caller = callerIn(context)
    const { object, workspace } = await access.run(caller, context.req.param('id'), 'run.make')
    about(context, object)
    const changed = await asCaller.inWorkspace(caller, workspace, (client) =>
      change(client, tofuRunKind, object, (current) => {
        if (current.spec.cancel || current.status?.completedAt !== undefined) return undefined
        return { spec: { cancel: true }, fields: [['spec', 'cancel']] }
      }),
    )
    await runs.seen(changed, { timeoutMs: SEEN_WITHIN_MS })
    return dataAnswer(context, shown(runs.get(keyOf(changed)) ?? changed, workspace))
  })

  serve(app, approveRun, async (context) => {
    const caller = callerIn(context)
    const { digest } = context.req.valid('json')
    const { object, workspace } = await access.run(caller, context.req.param('id'), 'run.make')
    about(context, object)
    const changed = await asCaller.inWorkspace(caller, workspace, (client) =>
      change(client, tofuRunKind, object, (current) => {
        if (current.spec.approvedPlan === digest) return undefined
        const { phase, plan } = current.status ?? {}
        if (phase !== 'AwaitingApproval') throw new ApiError('CONFLICT', words.nothingToApprove)
        if (plan?.digest !== digest) throw new ApiError('CONFLICT', words.otherPlan(plan?.digest ?? ''))
        return { spec: { approvedPlan: digest }, fields: [['spec', 'approvedPlan']] }
      }),
    )
    await runs.seen(changed, { timeoutMs: SEEN_WITHIN_MS })
    return dataAnswer(context, shown(changed, workspace))
  })

  return app
}

const words = {
  nothingToApprove: {
    ko: '승인을 기다리는 실행이 아닙니다.',
    en: 'This execution does not wait for an approval.',
  },
  otherPlan: (digest: string): Message => ({
    ko: `승인한 계획이 현재 계획이 아닙니다. 현재 계획은 ${digest} 입니다.`,
    en: `That is not the plan of this execution, which is ${digest}: look at it, and approve that one.`,
  }),
}
