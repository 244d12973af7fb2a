/**
 * How a route is declared: once, by zod, for the validator, for the types of its handler and for `/openapi.json`.
 *
 * What this adds to `@hono/zod-openapi`: a body is read by `readJsonBody` first; what does not validate is thrown, and
 * answered where every error is; and path parameters are documented but not validated, because an id that is no
 * UUID is simply one that does not exist.
 */
import { OpenAPIHono, type RouteConfig, type RouteHandler, z } from '@hono/zod-openapi'
import type { ApiEnv } from './call.ts'
import { type ErrorCode, errorCodes } from './api-error.ts'
import { readJsonBody } from './request-body.ts'
import { validationError } from './validation.ts'

export type ApiApp = OpenAPIHono<ApiEnv>

export function apiApp(): ApiApp {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      // zod-validator adds the input to what safeParse gives, but types only the schema's output
      if (!result.success) throw validationError(result.error, (result as { data?: unknown }).data, wholes[result.target])
    },
  })
}

const wholes = { json: 'body', query: 'query', param: 'path', header: 'header', cookie: 'cookie', form: 'body' } as const

/** Adds a route to the app and to the document. `context.req.param()` gives its path parameters. */
export function serve<R extends RouteConfig>(app: ApiApp, route: R, handler: RouteHandler<R, ApiEnv>): void {
  app.openAPIRegistry.registerPath(route)
  const { params: _documented, ...validated } = route.request ?? {}
  const middleware = validated.body === undefined ? [] : [readJsonBody]
  app.openapi({ ...route, request: validated, hide: true, middleware } as unknown as R, handler)
}

export function jsonBody<S extends z.ZodType>(schema: S) {
  return { content: { 'application/json': { schema } }, required: true } as const
}

/** A successful answer that carries data. */
export function data<S extends z.ZodType>(description: string, schema: S) {
  const envelope = z.object({ success: z.literal(true), data: schema })
  return { description, content: { 'application/json': { schema: envelope } } } as const
}

/** One page of a list. */
export function list<S extends z.ZodType>(description: string, item: S) {
  const headers = { 'X-Total-Count': { description: 'How many there are in all.', schema: { type: 'integer' as const } } }
  return { ...data(description, z.array(item)), headers } as const
}

/** A successful answer that only says something. */
export function message(description: string) {
  const envelope = z.object({ success: z.literal(true), message: z.string() })
  return { description, content: { 'application/json': { schema: envelope } } } as const
}

const failure = z
  .object({
    success: z.literal(false),
    error: z.object({
      code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]),
      message: z.string(),
      details: z
        .object({
          fields: z.record(z.string(), z.string()).openapi({ description: 'By path: what is wrong, what would be right.' }),
        })
        .optional(),
    }),
  })
  .openapi('Failure')

/** Every route may answer so; the codes tell the cases apart. */
export const failures = {
  default: { description: 'Refused or failed.', content: { 'application/json': { schema: failure } } },
} as const
