import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { cache } from './cache.ts'
import { KubeError } from './kube-error.ts'
import { manualClock } from './manual-clock.ts'
import { modelApiServer, type Thing, thingType } from './model-api-server.ts'
import { histories, play } from './random-histories.ts'
import type { Change } from './store.ts'

function things(options: { readonly pageSize?: number; readonly onChange?: (change: Change<Thing>) => void } = {}) {
  const server = modelApiServer()
  const clock = manualClock()
  const stop = new AbortController()
  const cached = cache(server.client, thingType, {
    signal: stop.signal,
    clock,
    random: () => 0.5,
    indexes: { color: (thing) => [thing.spec.color] },
    ...options,
  })
  return {
    server,
    clock,
    cached,
    stop,
    settle: () => clock.advanceAsync(0),
    at: (name: string) => cached.get({ namespace: 'default', name }),
  }
}

const cut = new KubeError('cut', { status: 0, reason: 'ConnectionFailed' })

describe('cache', () => {
  it('is empty until the first list is complete, and then shows all of it', async () => {
    const { server, cached, settle, at } = things()
    const thing = server.put('a', { color: 'blue' })
    expect(cached.isSynced).toBe(false)
    expect(at('a')).toBeUndefined()

    await settle()
    await cached.synced()

    expect(at('a')).toEqual(thing)
    expect(cached.byUid(thing.metadata.uid)).toBe(at('a'))
    expect(cached.index('color', 'blue')).toEqual([thing])
    expect(cached.list('default')).toEqual([thing])
    expect(cached.size).toBe(1)
  })

  it('holds objects that nobody can change, without their managed fields', async () => {
    const { server, settle, at } = things()
    Object.assign(server.put('a', {}).metadata, { managedFields: [{ manager: 'kubectl' }] })
    await settle()

    expect(at('a')?.metadata.managedFields).toBeUndefined()
    expect(() => Object.assign(at('a')?.spec ?? {}, { value: 7 })).toThrow(TypeError)
  })

  it('tells of deletes that it missed, once, before it tells of what is new', async () => {
    const changes: string[] = []
    const { server, clock, settle } = things({
      onChange: ({ type, object }) => changes.push(`${type} ${object.metadata.name}`),
    })
    for (const name of ['a', 'b', 'c']) server.put(name, {})
    await settle()
    changes.length = 0
    server.endWatches(cut)
    await settle()
    server.remove('a')
    server.put('b', { value: 2 })
    server.remove('c')
    server.put('c', {}) // another one
    server.put('d', {})
    server.compact()
    await clock.advanceAsync(60_000)

    expect(changes).toEqual(['delete a', 'delete c', 'apply b', 'apply c', 'apply d'])
  })

  it('never shows half of a relist', async () => {
    const sizes = new Set<number>()
    const { server, clock, cached, settle } = things({ pageSize: 1, onChange: () => sizes.add(cached.size) })
    for (const name of ['a', 'b', 'c', 'd']) server.put(name, {})
    await settle()
    server.endWatches(cut)
    await settle()
    server.remove('d')
    server.put('e', {})
    server.compact()
    await clock.advanceAsync(60_000)

    expect(server.lists).toBe(2)
    expect([...sizes]).toEqual([4])
  })

  it('forgets what a list that broke off had told', async () => {
    const { server, clock, cached } = things({ pageSize: 1 })
    for (const name of ['a', 'b', 'c']) server.put(name, {})
    while (server.pages < 2) await new Promise((resolve) => setImmediate(resolve))
    server.remove('a')
    server.compact()
    await clock.advanceAsync(60_000)

    expect(cached.list().map((thing) => thing.metadata.name)).toEqual(['b', 'c'])
    expect(server.lists).toBe(2)
  })

  it('says how fresh it is, and whether it is connected', async () => {
    const { server, clock, cached, settle } = things()
    expect(cached.freshness()).toMatchObject({ synced: false, staleMs: Number.POSITIVE_INFINITY })
    await settle()
    await clock.advanceAsync(40_000)
    expect(cached.freshness()).toMatchObject({ synced: true, staleMs: 40_000, connected: true })

    server.bookmark()
    await settle()
    expect(cached.freshness().staleMs).toBe(0)

    server.refuse(1)
    server.endWatches(cut)
    await settle()
    expect(cached.freshness()).toMatchObject({ synced: true, connected: false })
    await clock.advanceAsync(800 + 1_600)
    expect(cached.freshness()).toMatchObject({ connected: true, staleMs: 0 })
  })

  it('waits until it has seen a write, also one of an object that was deleted since', async () => {
    const { server, cached, settle } = things()
    await settle()
    const written = server.put('a', {})
    const seen = cached.seen(written)
    const deleted = server.put('b', {})
    server.remove('b')
    const seenDeleted = cached.seen(deleted)
    await settle()

    expect([await seen, await seenDeleted]).toEqual([true, true])
    expect(await cached.seen(written)).toBe(true)
  })

  it('gives up waiting after the time it was given, or with the signal of whoever waits', async () => {
    const { server, clock, cached, settle, stop } = things()
    await settle()
    const future = { metadata: { resourceVersion: '999999' } }
    const late = cached.seen(future, { timeoutMs: 2_000 })
    const leaving = new AbortController()
    const left = cached.seen(future, { signal: leaving.signal }).catch((error) => error.message)
    const until = cached.until({ namespace: 'default', name: 'a' }, (thing) => thing?.spec.value === 1)
    const stopped = cached
      .synced()
      .then(() => cached.seen(future))
      .catch((error) => error.message)
    leaving.abort(new Error('left'))
    server.put('a', { value: 1 })
    await clock.advanceAsync(2_000)
    stop.abort(new Error('stopped'))

    expect([await late, await left, await until, await stopped]).toEqual([false, 'left', true, 'stopped'])
    await cached.done
    expect(clock.pending).toBe(0)
    expect(server.openWatches).toBe(0)
  })

  it('survives a listener that throws, and lets the world know', async () => {
    const loud = vi.fn()
    process.once('uncaughtException', loud)
    const { server, settle, at } = things({
      onChange: () => {
        throw new Error('a bug')
      },
    })
    await settle()
    server.put('a', {})
    await settle()

    expect(at('a')).toBeDefined()
    expect(loud).toHaveBeenCalledWith(new Error('a bug'), 'uncaughtException')
  })
})

describe('cache, whatever happens to the server', () => {
  it('ends up with what the server has, and its listeners with what it has, in order and nothing twice', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const mirror = new Map<string, Thing>()
        const problems: string[] = []
        const { server, clock, cached, stop } = things({
          pageSize: 2,
          onChange(change) {
            const { uid, resourceVersion } = change.object.metadata
            const known = mirror.get(uid)
            if (change.type === 'delete') {
              if (!known) problems.push(`deleted what was not there: ${uid}`)
              mirror.delete(uid)
              return
            }
            if (change.previous !== known) problems.push(`wrong previous of ${uid}`)
            if (known && Number(known.metadata.resourceVersion) >= Number(resourceVersion))
              problems.push(`${uid} went back`)
            mirror.set(uid, change.object)
          },
        })
        const writes: Promise<boolean>[] = []
        await play(history, {
          server,
          clock,
          written(thing) {
            const { resourceVersion, uid } = thing.metadata
            writes.push(
              cached.seen(thing).then((seen) => {
                const shown = cached.byUid(uid)
                return seen && (!shown || Number(shown.metadata.resourceVersion) >= Number(resourceVersion))
              }),
            )
          },
        })

        const expected = new Set(server.objects.values())
        expect(problems).toEqual([])
        expect(new Set(cached.list())).toEqual(expected)
        expect(new Set(mirror.values())).toEqual(expected)
        for (const color of ['red', 'blue']) {
          expect(new Set(cached.index('color', color))).toEqual(
            new Set([...expected].filter((one) => one.spec.color === color)),
          )
        }
        expect(await Promise.all(writes)).toEqual(writes.map(() => true))
        stop.abort(new Error('the test is over'))
        await cached.done
        expect([server.openWatches, clock.pending]).toEqual([0, 0])
      }),
      { numRuns: 300 },
    )
  })
})
