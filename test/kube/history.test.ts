/**
 * What an API server no longer knows: versions that etcd has compacted, continue tokens that expired, an apiserver that
 * started anew, an etcd that was restored from a backup. The cache ends up right each time, deletes included.
 */
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configMapType } from '../../kube/builtin-types.ts'
import { isGone } from '../../kube/kube-error.ts'
import { startCluster, type TestCluster } from '../cluster/cluster.ts'
import { isList, PATIENCE, type Workbench, workbench } from './workbench.ts'

let cluster: TestCluster
beforeAll(async () => {
  cluster = await startCluster({ controllerManager: false })
})
afterAll(() => cluster.stop())

/** Makes etcd forget every version before the present one; the apiserver, which remembers some itself, starts anew. */
async function forgetHistory({ direct, namespace }: Workbench): Promise<void> {
  const { metadata } = await direct.list(configMapType, { namespace })
  const dispatcher = new Agent({ connect: { socketPath: join(cluster.directory, 'etcd:2379') } })
  const body = JSON.stringify({ revision: metadata.resourceVersion, physical: true })
  const answer = await request('http://etcd/v3/kv/compaction', { method: 'POST', body, dispatcher })
  expect(await answer.body.text()).toContain('revision')
  await dispatcher.close()
  await cluster.restartApiserver()
}

/** Changes etcd's data while neither etcd nor the apiserver runs. */
async function withEtcdStopped(change: (data: string) => Promise<void>): Promise<void> {
  await cluster.apiserver.stop(0)
  await cluster.etcd.stop()
  await change(join(cluster.directory, 'etcd-data'))
  await cluster.etcd.start()
  await cluster.apiserver.start()
}

describe('a cache whose version is too old', () => {
  it('lists anew, and tells the deletes that it missed before it tells what is new', async () => {
    await using bench = await workbench(cluster)
    const { proxy, put, remove } = bench
    await put('stays', '1')
    await put('goes', '1')
    await put('is-made-anew', 'old')
    const follower = bench.follow()
    await follower.connected()

    await proxy.down()
    await remove('goes')
    await remove('is-made-anew')
    await put('is-made-anew', 'new')
    await put('comes', '1')
    await forgetHistory(bench)
    const told = follower.changes.length
    await proxy.up()
    await follower.holds({ stays: '1', comes: '1', 'is-made-anew': 'new' })

    expect(follower.interruptions()).toContain('Expired')
    expect(follower.count('ready')).toBe(2)
    expect(follower.changes.slice(told).toSorted()).toEqual([
      'apply comes',
      'apply is-made-anew',
      'delete goes',
      'delete is-made-anew',
    ])
    expect(follower.changes.indexOf('delete goes')).toBeLessThan(follower.changes.indexOf('apply comes'))
  })
})

describe('a continue token', () => {
  it('that expired between two pages makes the list begin anew', async () => {
    await using bench = await workbench(cluster)
    const { proxy, put } = bench
    for (const name of ['a', 'b', 'c', 'd']) await put(name, '1')
    const isLaterPage = proxy.inject((one) => isList(one) && one.query.has('continue'), { answer: 429 })
    const follower = bench.follow({ pageSize: 2 })
    await expect.poll(() => isLaterPage.hits, PATIENCE).toBeGreaterThan(0)

    await put('a', '2')
    await forgetHistory(bench)
    isLaterPage.remove()
    await follower.holds({ a: '2', b: '1', c: '1', d: '1' })

    expect(bench.lists()).toBeGreaterThanOrEqual(2)
    expect(follower.count('ready')).toBe(1)
  })

  it('that nobody knows any more is an error that says so', async () => {
    await using bench = await workbench(cluster)
    const { client, namespace, put } = bench
    for (const name of ['a', 'b']) await put(name, '1')
    const page = await client.list(configMapType, { namespace, limit: 1 })
    await put('a', '2')
    await forgetHistory(bench)

    const again = client.list(configMapType, { namespace, limit: 1, continue: page.metadata.continue })
    expect(isGone(await again.catch((error) => error))).toBe(true)
  })
})

describe('an apiserver that is killed and starts anew', () => {
  it('is followed from where the watch was, and takes writes again', async () => {
    await using bench = await workbench(cluster)
    const follower = bench.follow()
    await follower.connected()
    await bench.put('before', '1')
    await follower.holds({ before: '1' })

    await cluster.restartApiserver()
    await bench.put('after', '1')
    await follower.holds({ before: '1', after: '1' })

    expect(follower.changes).toEqual(['apply before', 'apply after'])
  })
})

describe('an etcd that was restored from a backup', () => {
  it('is noticed by a watch that is silent twice, and what was lost is told as deleted', async () => {
    await using bench = await workbench(cluster)
    const { put } = bench
    await put('old', '1')
    const backup = join(cluster.directory, 'backup')
    await withEtcdStopped((data) => cp(data, backup, { recursive: true }))
    for (let round = 0; round < 50; round++) await put('lost', `${round}`)
    const follower = bench.follow({ livenessMs: 4_000 })
    await follower.holds({ old: '1', lost: '49' })

    await withEtcdStopped(async (data) => {
      await rm(data, { recursive: true })
      await cp(backup, data, { recursive: true })
    })
    await follower.holds({ old: '1' })
    expect(follower.changes).toContain('delete lost')
    await bench.direct.create(configMapType, {
      metadata: { namespace: bench.namespace, name: 'new' },
      data: { text: '1' },
    })
    await follower.holds({ old: '1', new: '1' })
  })
})
