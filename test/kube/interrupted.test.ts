/**
 * The cache on a real API server, behind a network that fails: whatever happens to its requests, it ends up holding what
 * the server holds, and tells each change once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { configMapType } from '../../kube/builtin-types.ts'
import { type Clock, systemClock } from '../../kube/clock.ts'
import { reflect } from '../../kube/reflector.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'
import { isList, isWatchOpening, PATIENCE, workbench } from './workbench.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await sharedCluster()
})

const kilobytes = (count: number) => 'x'.repeat(1024 * count)
const names = (count: number) => Array.from({ length: count }, (_, index) => `map-${index}`)
const all = (count: number, text: string) => Object.fromEntries(names(count).map((name) => [name, text]))

/** On this clock a moment passes, and nothing that is longer. */
const afterNever: Clock['after'] = (delayMs, task) => (delayMs === 0 ? systemClock.after(0, task) : () => undefined)

describe('a LIST', () => {
  it('that is cut in the middle of a page is asked for again from that page', async () => {
    await using bench = await workbench(cluster)
    const { proxy, put } = bench
    for (const name of names(9)) await put(name, kilobytes(20))
    const cut = proxy.inject(
      (request) => isList(request) && request.query.has('continue'),
      { reset: 30_000 },
      { times: 2 },
    )

    const follower = bench.follow({ pageSize: 3 })
    await follower.holds(all(9, kilobytes(20)))

    expect(cut.hits).toBe(2)
    expect(bench.lists()).toBe(1)
    expect(follower.count('interrupted')).toBe(0)
    expect(follower.changes.filter((change) => change.includes('map-'))).toHaveLength(9)
  })

  it('that is throttled waits for as long as the server asks', async () => {
    await using bench = await workbench(cluster)
    const { proxy, put } = bench
    await put('one', '1')
    const answeredAt: number[] = []
    const client = bench.connect({ onAnswer: () => answeredAt.push(performance.now()) })
    proxy.inject(isList, { answer: 429, headers: { 'retry-after': '1' } }, { times: 2 })

    await client.list(configMapType)

    const [first = 0, second = 0, third = 0] = answeredAt
    expect(second - first).toBeGreaterThanOrEqual(990)
    expect(third - second).toBeGreaterThanOrEqual(990)
  })

  it('that the server answers with 500 and 503 is begun again until it succeeds', async () => {
    await using bench = await workbench(cluster)
    const { proxy, put } = bench
    await put('one', '1')
    const unwell = proxy.inject(isList, { answer: 503, headers: { 'retry-after': '1' } }, { times: 1 })
    const failing = proxy.inject(isList, { answer: 500, body: 'etcdserver: leader changed' }, { times: 1 })

    const follower = bench.follow()
    await follower.holds({ one: '1' })

    expect([failing.hits, unwell.hits]).toEqual([1, 1])
    expect(follower.count('interrupted')).toBe(1) // the 503 names its Retry-After, and is sent again at once
  })
})

describe.concurrent('a watch', () => {
  it('that is cut within an event goes on from the last whole one, without a LIST', async () => {
    await using bench = await workbench(cluster)
    const { proxy, put } = bench
    const cut = proxy.inject(isWatchOpening, { reset: 30_000 }, { times: 2 })
    const follower = bench.follow()
    await follower.connected()

    for (const name of names(8)) await put(name, kilobytes(8))
    await follower.holds(all(8, kilobytes(8)))

    expect(cut.hits).toBe(2)
    expect(bench.lists()).toBe(1)
    expect(follower.interruptions()).toEqual(['ConnectionFailed', 'ConnectionFailed'])
    expect(follower.changes.filter((change) => change.includes('map-'))).toEqual(
      names(8).map((name) => `apply ${name}`),
    )
  })

  it('that is throttled or refused is opened again, after the wait that was asked for', async () => {
    await using bench = await workbench(cluster)
    const { proxy, put } = bench
    proxy.inject(isWatchOpening, { answer: 500 }, { times: 1 })
    proxy.inject(isWatchOpening, { answer: 429, headers: { 'retry-after': '3' } }, { times: 1 })
    const follower = bench.follow()
    await follower.connected()
    await put('one', '1')
    await follower.holds({ one: '1' })

    const waits = follower.told.flatMap((event) => (event.type === 'interrupted' ? [event.retryMs] : []))
    expect(waits).toHaveLength(2)
    expect(waits[0]).toBeGreaterThanOrEqual(3_000)
    expect(bench.lists()).toBe(1)
  })

  it('that falls silent without closing is given up after its bound, and nothing is missed', async () => {
    await using bench = await workbench(cluster)
    const { proxy, put, remove } = bench
    await put('goes', '0')
    const silent = proxy.inject(isWatchOpening, { silentAfter: 0 }, { times: 1 })
    const follower = bench.follow({ livenessMs: 1_000 })
    await follower.connected()
    await remove('goes')
    await put('comes', '1')
    await follower.holds({ comes: '1' })

    expect(silent.hits).toBe(1)
    expect(follower.interruptions()[0]).toBe('Timeout')
    expect(follower.changes.filter((change) => /goes|comes/.test(change))).toEqual([
      'apply goes',
      'delete goes',
      'apply comes',
    ])
  })

  it('whose answer never begins is given up as well', async () => {
    await using bench = await workbench(cluster)
    const { proxy, put } = bench
    proxy.inject(isWatchOpening, { silentAfter: -1 }, { times: 1 })
    const follower = bench.follow({ livenessMs: 1_000 })
    await follower.cached.synced()
    await put('one', '1')
    await follower.holds({ one: '1' })

    expect(follower.interruptions()).toContain('Timeout')
  })

  it('comes back when the network does, at once when it froze, after its backoff when it was gone', async () => {
    await using bench = await workbench(cluster)
    const { proxy, put } = bench
    const follower = bench.follow()
    await follower.connected()

    proxy.freeze()
    await put('frozen', '1')
    proxy.thaw()
    await follower.holds({ frozen: '1' })
    expect(follower.count('interrupted')).toBe(0)

    await proxy.down()
    await put('gone', '2')
    await proxy.up()
    await follower.holds({ frozen: '1', gone: '2' })
    expect(bench.lists()).toBe(1)
  })

  it('is opened again as soon as the server answers, however much of its backoff is left', async () => {
    await using bench = await workbench(cluster)
    const { proxy, put } = bench
    const follower = bench.follow({ random: () => 0, clock: { ...systemClock, after: afterNever } })
    await follower.connected()

    await proxy.down()
    await expect.poll(() => follower.count('interrupted'), PATIENCE).toBe(1)
    const asked = proxy.requests.length
    await expect.poll(() => bench.unanswered(), PATIENCE).toBeGreaterThan(0)
    expect(proxy.requests.length).toBe(asked)
    await put('gone', '1')
    await proxy.up()

    await follower.holds({ gone: '1' })
    expect(follower.count('interrupted')).toBe(1)
    expect(bench.lists()).toBe(1)
  })

  it('is not taken for silent while its reader is slow, and brings all of what it has not read', async () => {
    await using bench = await workbench(cluster)
    const { client, namespace, put } = bench
    const stop = new AbortController()
    const texts = new Map<string, string>()
    const interruptions: unknown[] = []
    const read = (async () => {
      for await (const event of reflect(client, configMapType, { namespace, livenessMs: 2_000, signal: stop.signal })) {
        if (event.type === 'interrupted') interruptions.push(event.error)
        if (event.type !== 'apply') continue
        texts.set(event.object.metadata.name, event.object.data?.text ?? '')
        if (event.object.metadata.name === 'map-0') await sleep(3_000) // the reader's own slowness, longer than the bound
        if (texts.get('map-39')) stop.abort()
      }
    })()
    const opened = await bench.proxy.arrived(isWatchOpening)
    for (const name of names(40)) await put(name, kilobytes(100))
    await read

    expect(opened.status).toBe(200)
    expect([...texts.keys()].filter((name) => name.startsWith('map-'))).toEqual(names(40))
    expect(interruptions).toEqual([])
  })

  it('carries an object of nearly a mebibyte, whose characters are cut by the packets', async () => {
    await using bench = await workbench(cluster)
    const text = '가나다😀'.repeat(70_000) // 13 bytes of UTF-8 each time, 910,000 in all
    const follower = bench.follow()
    await follower.connected()
    await bench.put('large', text)

    await follower.holds({ large: text })
  })

  it('goes on from the version of a bookmark, so that a quiet kind never has to be listed again', {
    timeout: 180_000,
  }, async ({ expect }) => {
    await using bench = await workbench(cluster)
    const follower = bench.follow()
    await follower.connected()
    await expect.poll(() => follower.count('bookmark'), { ...PATIENCE, timeout: 150_000 }).toBeGreaterThan(0)

    bench.proxy.resetConnections()
    await expect.poll(() => bench.watchedFrom().length, PATIENCE).toBe(2)

    const bookmarks = follower.told.flatMap((event) => (event.type === 'bookmark' ? [event.resourceVersion] : []))
    const [first, second] = bench.watchedFrom()
    expect(second).toBe(bookmarks.at(-1))
    expect(second).not.toBe(first)
    expect(bench.lists()).toBe(1)
  })
})
