/**
 * Request headers that routes take, for `/openapi.json`. They are documented here and not validated: whoever reads one says what
 * is wrong with it.
 */
import { z } from '@hono/zod-openapi'

const etag = '"1234"'

export const ifMatch = z.object({
  'If-Match': z.string().optional().openapi({
    description: 'Only if it is still the version with one of these tags (`ETag` of an answer); else 412.',
    example: etag,
  }),
})

export const ifNoneMatch = z.object({
  'If-None-Match': z.string().optional().openapi({
    description: 'If it is still the version with one of these tags, the answer is 304 without a body.',
    example: etag,
  }),
})

export const idempotencyKey = z.object({
  'Idempotency-Key': z.string().min(1).max(255).optional().openapi({
    description:
      'Random text, such as a UUID. The same request repeated with it gives what the first one made; another one is 409.',
    example: '7b1c8e0a-5f0e-4c55-9a59-2f6cf0f0b7a1',
  }),
})

export const prefer = z.object({
  Prefer: z.string().optional().openapi({
    description: '`wait=N` seconds for the cloud, 60 at most, or `respond-async`.',
    example: 'respond-async',
  }),
})

export const lastEventId = z.object({
  'Last-Event-ID': z.string().optional().openapi({
    description: 'The id of the last event that was read: the stream goes on from there.',
  }),
})
