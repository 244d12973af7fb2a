/** The audit log, for administrators. */
import { createRoute, z } from '@hono/zod-openapi'
import type { AuditEvent } from '../audit/audit-event.ts'
import { requireAdmin } from '../auth/authorization.ts'
import type { Facade } from '../facade.ts'
import { callerIn } from '../http/call.ts'
import { type ApiApp, apiApp, failures, list, serve } from '../http/define-route.ts'
import { listAnswer } from '../http/envelope.ts'
import { pageQuery } from '../http/pagination.ts'
import { time, uuid } from '../http/schemas.ts'
import { canonicalId } from '../store/exact-lookup.ts'

const entrySchema = z
  .object({
    id: uuid,
    timestamp: time.openapi({ description: 'When it was answered.' }),
    user_id: z.string().openapi({ description: '"" for somebody without a token.' }),
    source_ip: z.string(),
    method: z.string(),
    path: z.string(),
    status: z.number().int(),
    object: z.string().openapi({ description: 'What it was about, as `vms/<id>`; "" when that is not known.' }),
    duration_ms: z.number(),
    request_id: z.string(),
  })
  .openapi('AuditEntry')

type Entry = z.output<typeof entrySchema>

const status = z
  .string()
  .regex(/^[1-5]\d\d$/)
  .transform(Number)
  .openapi({ type: 'integer', minimum: 100, maximum: 599 })

const listAudit = createRoute({
  tags: ['System'],
  method: 'get',
  path: '/audit',
  summary: 'What was asked of the API, and what came of it',
  request: {
    query: z.strictObject({
      user_id: z.string().max(64).optional(),
      method: z
        .string()
        .max(16)
        .transform((method) => method.toUpperCase())
        .optional(),
      status: status.optional(),
      since: z.iso.datetime({ offset: true }).optional().openapi({ description: 'From this time on.' }),
      until: z.iso.datetime({ offset: true }).optional().openapi({ description: 'Before this time.' }),
      path: z.string().max(512).optional().openapi({ description: 'What the path begins with.' }),
      ...pageQuery,
    }),
  },
  responses: { 200: list('Newest first.', entrySchema), ...failures },
})

export function auditRoutes({ auditTrail }: Pick<Facade, 'auditTrail'>): ApiApp {
  const app = apiApp()

  serve(app, listAudit, async (context) => {
    requireAdmin(callerIn(context))
    const query = context.req.valid('query')
    const since = query.since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(query.since)
    const until = query.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(query.until)
    const items: string[] = []
    let total = 0
    for await (const event of auditTrail.newest()) {
      const at = Date.parse(event.stageTimestamp)
      if (at >= until || at < since) continue
      const entry = entryOf(event)
      if (!matches(entry, query)) continue
      if (total >= query.offset && items.length < query.limit) items.push(JSON.stringify(entry))
      total += 1
    }
    return listAnswer<Entry>(context, { items, total })
  })

  return app
}

function entryOf(event: AuditEvent): Entry {
  const { objectRef, annotations } = event
  return {
    id: event.auditID,
    timestamp: `${event.stageTimestamp.slice(0, 19)}Z`,
    user_id: event.user.uid ?? '',
    source_ip: event.sourceIPs[0] ?? '',
    method: annotations['skyclust.io/method'],
    path: event.requestURI.split('?')[0] ?? '',
    status: event.responseStatus.code,
    object: objectRef === undefined ? '' : `${objectRef.resource}/${objectRef.uid}`,
    duration_ms: Number(annotations['skyclust.io/duration-ms']),
    request_id: annotations['skyclust.io/request-id'],
  }
}

function matches(
  entry: Entry,
  query: {
    readonly user_id?: string | undefined
    readonly method?: string | undefined
    readonly status?: number | undefined
    readonly path?: string | undefined
  },
): boolean {
  return (
    (query.user_id === undefined || entry.user_id === canonicalId(query.user_id)) &&
    (query.method === undefined || entry.method === query.method) &&
    (query.status === undefined || entry.status === query.status) &&
    (query.path === undefined || entry.path.startsWith(query.path))
  )
}
