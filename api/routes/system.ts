/** What is not below `/api/v1`: health, configuration, the keys that tokens are signed with, the description of the API. */
import { createRoute, z } from '@hono/zod-openapi'
import { wholeSeconds } from '../../kube/conditions.ts'
import { requireAdmin } from '../auth/authorization.ts'
import { documentationPage } from '../documentation-page.ts'
import type { Facade } from '../facade.ts'
import { callerIn } from '../http/call.ts'
import { type ApiApp, apiApp, data, failures, serve } from '../http/define-route.ts'
import { dataAnswer } from '../http/envelope.ts'
import { time } from '../http/schemas.ts'

const tags = ['System']
const open = { security: [] }

const health = createRoute({
  ...open,
  tags,
  method: 'get',
  path: '/health',
  summary: 'Whether the process answers',
  responses: {
    200: {
      description: 'It does.',
      content: {
        'application/json': {
          schema: z.object({ status: z.literal('healthy'), timestamp: time, version: z.string() }),
        },
      },
    },
  },
})

const place = z.object({ host: z.string(), port: z.number().int(), name: z.string() })

const configuration = createRoute({
  tags,
  method: 'get',
  path: '/debug/config',
  summary: 'The configuration in force, without secrets, for administrators',
  responses: {
    200: data('The configuration.', z.looseObject({ database: place, redis: z.null() })),
    ...failures,
  },
})

const publicKey = z.object({
  kty: z.string(),
  crv: z.string(),
  x: z.string(),
  y: z.string(),
  kid: z.string(),
  alg: z.literal('ES256'),
  use: z.literal('sig'),
})

const keys = createRoute({
  ...open,
  tags,
  method: 'get',
  path: '/.well-known/jwks.json',
  summary: 'The public keys with which tokens can be verified (RFC 7517)',
  responses: {
    200: {
      description: 'The keys.',
      content: { 'application/json': { schema: z.object({ keys: z.array(publicKey) }) } },
    },
  },
})

export function systemRoutes(facade: Pick<Facade, 'version' | 'configuration' | 'signingKeys'>): ApiApp {
  const app = apiApp()

  serve(app, health, (context) =>
    context.json({ status: 'healthy' as const, timestamp: wholeSeconds(new Date()), version: facade.version }, 200),
  )

  serve(app, configuration, (context) => {
    requireAdmin(callerIn(context))
    return dataAnswer(context, facade.configuration())
  })

  serve(app, keys, (context) =>
    context.json({ keys: [...facade.signingKeys.publicKeys()] }, 200, { 'cache-control': 'public, max-age=60' }),
  )

  return app
}

/** The description of the whole API, and a page to read it, which asks no other host for anything. */
export function describe(app: ApiApp, version: string): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'A token from POST /api/v1/auth/login.',
  })
  let document: string | undefined
  app.get('/openapi.json', (context) => {
    document ??= JSON.stringify(
      app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'SkyClust',
          version,
          description: 'Virtual machines and OpenTofu stacks as Kubernetes resources.',
        },
        security: [{ bearer: [] }],
      }),
    )
    return context.body(document, 200, { 'content-type': 'application/json; charset=utf-8' })
  })
  app.get('/docs', (context) =>
    context.html(documentationPage, 200, {
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
    }),
  )
}
