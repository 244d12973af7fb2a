import { describe, expect, it } from 'vitest'
import type { KubeClient } from './client.ts'
import { requireKinds } from './discovery.ts'

const needed = { apiVersion: 'example.com/v1', kinds: [{ plural: 'things' }, { plural: 'others' }] }
const served = (...names: readonly string[]) => JSON.stringify({ resources: names.map((name) => ({ name })) })
const status = (code: number, message: string) => JSON.stringify({ kind: 'Status', code, message })

/** What is said to a program that meets this answer. */
async function saidOf(code: number, body: string): Promise<string> {
  const client: Pick<KubeClient, 'raw'> = { raw: async () => ({ status: code, headers: {}, body }) }
  return requireKinds(client, needed, new AbortController().signal).then(
    () => 'nothing',
    (error: Error) => error.message,
  )
}

describe('requireKinds', () => {
  it.each([
    ['all there', 200, served('things', 'others', 'others/status'), 'nothing'],
    ['one missing', 200, served('things'), 'it does not serve others of example.com/v1: kubectl apply'],
    [
      'the group missing',
      404,
      '404 page not found',
      'it does not serve things, others of example.com/v1: kubectl apply',
    ],
    ['our credentials refused', 401, status(401, 'Unauthorized'), 'it does not accept our credentials'],
    [
      'a server that has only just started',
      403,
      status(403, 'forbidden: User "x"'),
      'it answers 403 where its kinds are',
    ],
    [
      'a server that is not well',
      503,
      status(503, 'etcd is away'),
      'it answers 503 where its kinds are listed: etcd is away',
    ],
    ['something else', 200, '<html>', 'what answers there is no Kubernetes API server'],
  ])('says of %s what is the matter', async (_, code, body, says) => {
    expect(await saidOf(code, body)).toContain(says)
  })
})
