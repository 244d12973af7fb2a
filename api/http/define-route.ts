/**
 * How a route is declared: once, by zod, for the validator, for the types of its handler and for `/openapi.json`.
 *
 * What this adds to `@hono/zod-openapi`: a body is read by `readJsonBody` first; what does not validate is thrown, and
 * answered where every error is; path parameters are documented but not validated, because an id that is no
 * UUID is simply one that does not exist; and so are headers, of which each has its own reader.
 */
import { OpenAPIHono, type RouteConfig, type RouteHandler, z } from '@hono/zod-openapi'
import { type ErrorCode, errorCodes } from './api-error.ts'
import type { ApiEnv } from './call.ts'
import { readJsonBody } from './request-body.ts'
import { validationError } from './validation.ts'

export type ApiApp = OpenAPIHono<ApiEnv>

export function apiApp(): ApiApp {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      // zod-validator adds the input to what safeParse gives, but types only the schema's output
      if (!result.success)
        throw validationError(result.error, (result as { data?: unknown }).data, wholes[result.target])
    },
  })
}

const wholes = {
  json: 'body',
  query: 'query',
  param: 'path',
  header: 'header',
  cookie: 'cookie',
  form: 'body',
} as const

/** Adds a route to the app and to the document. `context.req.param()` gives its path parameters. */
export function serve<R extends RouteConfig>(app: ApiApp, route: R, handler: RouteHandler<R, ApiEnv>): void {
  app.openAPIRegistry.registerPath(route)
  const { params: _documented, headers: _read, ...validated } = route.request ?? {}
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

/** What was made, and where it can be read from then on. */
export function created<S extends z.ZodType>(description: string, schema: S) {
  const headers = {
    Location: { description: 'Where it can be read.', schema: { type: 'string' as const, format: 'uri-reference' } },
  }
  return { ...data(description, schema), headers } as const
}

/** One page of a list. */
export function list<S extends z.ZodType>(description: string, item: S) {
  const headers = {
    'X-Total-Count': { description: 'How many there are in all.', schema: { type: 'integer' as const } },
  }
  return { ...data(description, z.array(item)), headers } as const
}

/** To `If-None-Match`. */
export const notModified = { 304: { description: 'It is still the version that the caller has.' } } as const

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
          fields: z
            .record(z.string(), z.string())
            .openapi({ description: 'By path: what is wrong, what would be right.' }),
        })
        .optional(),
    }),
  })
  .openapi('Failure')

function refusal(description: string) {
  return { description, content: { 'application/json': { schema: failure } } } as const
}

/** Every route may answer so. Each by its status, so that a client made of the document can tell success from failure. */
export const failures = {
  400: refusal('`VALIDATION_ERROR`: the input did not validate.'),
  401: refusal('`UNAUTHORIZED`: no, bad, expired or revoked credentials.'),
  403: refusal('`FORBIDDEN`: known, but not allowed.'),
  404: refusal('`NOT_FOUND`: not there, or not for the caller to know of.'),
  408: refusal('`REQUEST_TIMEOUT`: the request did not arrive in time.'),
  409: refusal('`CONFLICT`: it clashes with what exists.'),
  412: refusal('`PRECONDITION_FAILED`: it has changed since the version that `If-Match` names.'),
  413: refusal('`PAYLOAD_TOO_LARGE`: a body above 1 MiB.'),
  415: refusal('`UNSUPPORTED_MEDIA_TYPE`: a body that is not JSON.'),
  429: refusal('`TOO_MANY_REQUESTS`: wait as long as `Retry-After` says.'),
  431: refusal('`HEADERS_TOO_LARGE`: more than 16 KiB of headers.'),
  500: refusal('`INTERNAL_ERROR`: the server failed.'),
  502: refusal('`BAD_GATEWAY`: a cloud or an identity provider did not answer as it should.'),
  503: refusal('`SERVICE_UNAVAILABLE`: not now; `Retry-After` says when.'),
  504: refusal('`GATEWAY_TIMEOUT`: a cloud or an identity provider did not answer in time.'),
} as const
