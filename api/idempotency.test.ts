import { describe, expect, it } from 'vitest'
import { KubeError } from '../kube/kube-error.ts'
import type { KubeObject } from '../kube/resource.ts'
import { createOnce, type IdempotencyMark, idempotencyMark, markedMetadata } from './idempotency.ts'

const request = { callerId: 'alice', route: 'POST /api/v1/vms', body: { name: 'web-1', tags: { a: '1', b: '2' } } }

function marked(key: string, more: Partial<typeof request> = {}): IdempotencyMark {
  const mark = idempotencyMark(key, { ...request, ...more })
  if (mark === undefined) throw new Error('no mark')
  return mark
}

/** A cluster of one name: whoever creates first has it. */
function cluster(faults: { loseAnswer?: boolean } = {}) {
  let object: KubeObject | undefined
  let creates = 0
  return {
    creates: () => creates,
    once: (mark: IdempotencyMark | undefined) =>
      createOnce({
        mark,
        find: async () => object,
        create: async () => {
          if (object) throw new KubeError('exists', { status: 409, reason: 'AlreadyExists' })
          creates += 1
          const metadata = { name: 'web-1', uid: `uid-${creates}`, resourceVersion: '1', creationTimestamp: '' }
          object = { apiVersion: 'v1', kind: 'VM', metadata: { ...metadata, ...markedMetadata(mark) } }
          if (faults.loseAnswer) throw new KubeError('reset', { status: 0, reason: 'ConnectionFailed' })
          return object
        },
      }),
  }
}

describe('idempotencyMark', () => {
  it('is the same for the same request, in whatever order its fields come', () => {
    const reordered = { tags: { b: '2', a: '1' }, name: 'web-1', ignored: undefined }

    expect(marked('k', { body: reordered as never })).toEqual(marked('k'))
  })

  it('tells callers, routes, keys and bodies apart', () => {
    const keys = [
      marked('k'),
      marked('l'),
      marked('k', { callerId: 'bob' }),
      marked('k', { route: 'POST /api/v1/workspaces' }),
    ]
    expect(new Set(keys.map((mark) => mark.key)).size).toBe(4)

    const other = marked('k', { body: { ...request.body, name: 'web-2' } })
    expect(other.key).toBe(marked('k').key)
    expect(other.body).not.toBe(marked('k').body)
  })

  it('gives nothing by which a secret in the body could be tried out', () => {
    const body = { credentials: { secret_key: 'hunter2' } } as never

    expect(marked('one-key', { body }).body).not.toBe(marked('another', { body }).body)
    expect(JSON.stringify(markedMetadata(marked('key', { body })))).not.toContain('hunter2')
  })

  it('fits a label and an annotation', () => {
    expect(marked('k').key).toMatch(/^[0-9a-f]{32}$/)
    expect(marked('k').body).toMatch(/^[0-9a-f]{64}$/)
    expect(markedMetadata(undefined)).toEqual({})
  })

  it('refuses a key that is empty, too long or not plain ASCII', () => {
    for (const bad of ['', 'a b', 'x'.repeat(256), 'schlüssel', '키', 'a\tb']) {
      expect(() => idempotencyMark(bad, request)).toThrow('The input did not validate.')
    }
    expect(idempotencyMark(undefined, request)).toBeUndefined()
  })
})

describe('createOnce', () => {
  it('gives the object of the first request to every repetition', async () => {
    const { once, creates } = cluster()
    const first = await once(marked('k'))
    const second = await once(marked('k'))

    expect(first.replayed).toBe(false)
    expect(second).toEqual({ object: first.object, replayed: true })
    expect(creates()).toBe(1)
  })

  it('makes one object of two requests at once', async () => {
    const { once, creates } = cluster()
    const both = await Promise.all([once(marked('k')), once(marked('k'))])

    expect(both.map(({ object }) => object.metadata.uid)).toEqual(['uid-1', 'uid-1'])
    expect(both.filter(({ replayed }) => replayed)).toHaveLength(1)
    expect(creates()).toBe(1)
  })

  it('finds what a create made of which the answer was lost', async () => {
    const { once } = cluster({ loseAnswer: true })

    expect((await once(marked('k'))).object.metadata.uid).toBe('uid-1')
  })

  it('refuses the same key with another body', async () => {
    const { once } = cluster()
    await once(marked('k'))

    await expect(once(marked('k', { body: { ...request.body, name: 'web-2' } }))).rejects.toMatchObject({
      code: 'CONFLICT',
    })
  })

  it('leaves alone a clash that has nothing to do with the key', async () => {
    const { once } = cluster()
    await once(marked('k'))

    await expect(once(marked('other'))).rejects.toMatchObject({ reason: 'AlreadyExists' })
    await expect(once(undefined)).rejects.toMatchObject({ reason: 'AlreadyExists' })
  })
})
