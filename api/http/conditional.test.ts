import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { KubeError } from '../../kube/kube-error.ts'
import type { ApiError } from './api-error.ts'
import type { ApiEnv, Call } from './call.ts'
import { deleteSeen, requireMatch, unchanged } from './conditional.ts'

const object = { metadata: { name: 'a', uid: 'u', resourceVersion: '42', creationTimestamp: '' } }

/** What an answer would be: the status, and the tag. */
async function answer(method: 'GET' | 'PUT' | 'DELETE', headers: Record<string, string>) {
  const app = new Hono<ApiEnv>()
  app.onError((error, context) => context.text('', (error as ApiError).status, { ...(error as ApiError).headers }))
  app.get(
    '/',
    (context) =>
      (unchanged(context, object) as unknown as Response | undefined) ??
      context.text('all of it', 200, context.env.call.headers),
  )
  app.put('/', (context) => {
    requireMatch(context, object)
    return context.text('changed')
  })
  app.delete('/', async (context) => {
    let asked: unknown
    await deleteSeen(context, object, async (preconditions) => {
      asked = preconditions
      const seen = preconditions.resourceVersion ?? object.metadata.resourceVersion
      if (seen !== object.metadata.resourceVersion) throw new KubeError('no', { status: 409, reason: 'Conflict' })
    })
    return context.json(asked)
  })
  const response = await app.request('/', { method, headers }, { call: { headers: {} } as Call })
  return { status: response.status, etag: response.headers.get('etag'), text: await response.text() }
}

describe('conditional requests', () => {
  it('tag what is read, and answer 304 without a body to whoever has it', async () => {
    expect(await answer('GET', {})).toEqual({ status: 200, etag: '"42"', text: 'all of it' })
    for (const known of ['"42"', 'W/"42"', '"7", "42"', '*']) {
      expect(await answer('GET', { 'if-none-match': known })).toEqual({ status: 304, etag: '"42"', text: '' })
    }
    for (const known of ['"41"', '42', '', 'W/42']) {
      expect((await answer('GET', { 'if-none-match': known })).status).toBe(200)
    }
  })

  it('change only what the caller has seen, and say which version there is', async () => {
    for (const seen of [undefined, '"42"', '"7", "42"', '*']) {
      expect((await answer('PUT', seen === undefined ? {} : { 'if-match': seen })).status).toBe(200)
    }
    for (const seen of ['"41"', 'W/"42"', '42', '']) {
      expect(await answer('PUT', { 'if-match': seen })).toMatchObject({ status: 412, etag: '"42"' })
    }
  })

  it('let Kubernetes hold a delete to the version that was seen, whatever is known here', async () => {
    expect((await answer('DELETE', {})).text).toBe('{"uid":"u"}')
    expect((await answer('DELETE', { 'if-match': '*' })).text).toBe('{"uid":"u"}')
    expect((await answer('DELETE', { 'if-match': '"42"' })).text).toBe('{"uid":"u","resourceVersion":"42"}')
    expect((await answer('DELETE', { 'if-match': '"7", "42"' })).text).toBe('{"uid":"u","resourceVersion":"42"}')
    for (const seen of ['"41"', '"43"', 'W/"42"', '']) {
      expect((await answer('DELETE', { 'if-match': seen })).status).toBe(412)
    }
  })

  it('a mark of what else is shown tells reads apart, and does not stand in the way of a change', async () => {
    expect(await answer('GET', { 'if-none-match': '"42+0.1/0"' })).toMatchObject({ status: 200 })
    expect(await answer('PUT', { 'if-match': '"42+0.1/0"' })).toMatchObject({ status: 200 })
    expect(await answer('PUT', { 'if-match': '"41+0.1/0", "7"' })).toMatchObject({ status: 412 })
    expect(JSON.parse((await answer('DELETE', { 'if-match': '"42+0.1/0"' })).text)).toEqual({
      uid: 'u',
      resourceVersion: '42',
    })
  })
})
