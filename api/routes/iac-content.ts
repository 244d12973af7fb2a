/** What an execution printed, and its plan as JSON. */
import { createRoute, z } from '@hono/zod-openapi'
import type { TofuRun } from '../../crds/tofu-run.ts'
import type { Facade } from '../facade.ts'
import { ApiError } from '../http/api-error.ts'
import { type ApiContext, callerGone, callerIn } from '../http/call.ts'
import { type ApiApp, apiApp, data, failures, serve } from '../http/define-route.ts'
import { textAnswer } from '../http/envelope.ts'
import { pathId } from '../http/schemas.ts'
import { followOutput } from '../live/run-output.ts'
import { wholeOutput } from '../shapes/run-output.ts'
import { changesOf, piecesOf } from '../store/run-content.ts'

const tags = ['IaC']
const params = z.object({ id: pathId })

const getOutput = createRoute({
  tags,
  method: 'get',
  path: '/iac/executions/{id}/output',
  summary: 'What an execution printed; with `follow`, on until it is over',
  request: {
    params,
    query: z.strictObject({
      follow: z.enum(['', 'true', 'false']).optional().openapi({ description: '`?follow` means true.' }),
    }),
  },
  responses: {
    200: {
      description:
        'Text. Followed with `Accept: text/event-stream`, the server-sent events `output` (JSON text), `status` and `end`.',
      content: { 'text/plain': { schema: z.string() }, 'text/event-stream': { schema: z.string() } },
    },
    ...failures,
  },
})

const change = z.looseObject({ actions: z.array(z.string()) })

const planSchema = z
  .object({
    resource_changes: z.array(z.object({ address: z.string(), change })).optional(),
    output_changes: z.record(z.string(), change).optional(),
    left_out: z.string().optional().openapi({ description: 'Said instead, when the plan is too long to be kept.' }),
  })
  .openapi('PlannedChanges')

const getPlan = createRoute({
  tags,
  method: 'get',
  path: '/iac/executions/{id}/plan',
  summary: 'The plan of an execution: what it does to each resource, before and after',
  request: { params },
  responses: {
    200: data("As in OpenTofu's own JSON, without what does not change and without sensitive values.", planSchema),
    ...failures,
  },
})

export function iacContentRoutes(facade: Pick<Facade, 'store' | 'access' | 'asCaller' | 'stopping'>): ApiApp {
  const { store, access, asCaller, stopping } = facade
  const app = apiApp()

  async function subjectOf(context: ApiContext) {
    const { object: run, workspace } = await access.run(callerIn(context), context.req.param('id') ?? '', 'run.read')
    context.env.call.object = auditedAs(run)
    return { run, workspace }
  }

  serve(app, getOutput, async (context) => {
    const caller = callerIn(context)
    const subject = await subjectOf(context)
    const { uid } = subject.run.metadata
    const headers = context.env.call.headers
    const { follow = 'false' } = context.req.valid('query')
    if (follow === 'false') {
      const whole = wholeOutput(await piecesOf(asCaller, caller, subject))
      return new Response(whole, { headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' } }) as never
    }
    return followOutput({
      as: context.req.header('accept')?.includes('text/event-stream') ? 'events' : 'text',
      headers,
      pieces: () => piecesOf(asCaller, caller, subject),
      run: () => store.runs.byUid(uid),
      stillAllowed: async () => void (await access.run(caller, uid, 'run.read')),
      signal: AbortSignal.any([callerGone(context), stopping]),
    }) as never
  })

  serve(app, getPlan, async (context) => {
    const changes = await changesOf(asCaller, callerIn(context), await subjectOf(context))
    if (changes === undefined) throw new ApiError('NOT_FOUND', words.noPlan)
    return textAnswer<z.output<typeof planSchema>>(context, changes)
  })

  return app
}

function auditedAs({ metadata: { uid: id, namespace = '', name } }: TofuRun) {
  return { resource: 'tofuruns', id, namespace, name }
}

const words = {
  noPlan: { ko: '아직 계획이 없습니다.', en: 'There is no plan yet.' },
}
