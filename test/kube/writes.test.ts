/**
 * Writes on a real API server: sent again only when the server surely did not take them, on top of what was read, and
 * with conflicts that name who is in the way.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { vmKind } from '../../crds/vm.ts'
import { type ConfigMap, configMapType, leaseType } from '../../kube/builtin-types.ts'
import { type Clock, systemClock } from '../../kube/clock.ts'
import { ensureFinalizer, removeFinalizer } from '../../kube/finalizers.ts'
import {
  isAlreadyExists,
  isConflict,
  isForbidden,
  isInvalid,
  isNotFound,
  isUnavailable,
  type KubeError,
} from '../../kube/kube-error.ts'
import { patchStatus } from '../../kube/status.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'
import type { ProxiedRequest } from '../fault-proxy/faults.ts'
import { workbench } from './workbench.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await sharedCluster()
})

const isReadyz = ({ path }: ProxiedRequest) => path === '/readyz'
const isWrite = ({ method }: ProxiedRequest) => method !== 'GET'
/** Waits between retries are over at once; deadlines are as long as ever. */
const withoutWaits: Clock = {
  ...systemClock,
  after: (delayMs, task) => systemClock.after(delayMs < 5_000 ? 0 : delayMs, task),
}
const thrownBy = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error('it was admitted')
    },
    (error: KubeError) => error,
  )

describe('a write', () => {
  it('whose answer was lost is not sent again: it took effect, and the caller hears that nobody knows', async () => {
    await using bench = await workbench(cluster)
    const { client, direct, namespace, proxy } = bench
    proxy.inject(isWrite, { reset: 'after' })
    const draft = { metadata: { namespace, generateName: 'made-' } }

    const error = await thrownBy(client.create(configMapType, draft))

    expect(isUnavailable(error)).toBe(true)
    expect(error.reason).toBe('ConnectionFailed')
    expect(proxy.requests.filter(isWrite)).toHaveLength(1)
    const { items } = await direct.list(configMapType, { namespace })
    expect(items.filter(({ metadata }) => metadata.name.startsWith('made-'))).toHaveLength(1)
  })

  it.each([
    ['before the server had it', { reset: 'before' }],
    ['with 500', { answer: 500 }],
    ['with 503 and a Retry-After', { answer: 503, headers: { 'retry-after': '1' } }],
  ] as const)('that failed %s is left to the caller', async (_how, fault) => {
    await using bench = await workbench(cluster)
    const { client, namespace, proxy } = bench
    proxy.inject(isWrite, fault)

    const error = await thrownBy(client.create(configMapType, { metadata: { namespace, name: 'one' } }))

    expect(isUnavailable(error)).toBe(true)
    expect(proxy.requests.filter(isWrite)).toHaveLength(1)
  })

  it('on a connection that the server had closed while it was idle is not lost', async () => {
    await using bench = await workbench(cluster)
    const { client, namespace, proxy } = bench
    for (let round = 0; round < 5; round++) {
      await client.create(configMapType, { metadata: { namespace, name: `round-${round}` } })
      proxy.resetConnections()
      await expect.poll(() => proxy.connections).toBe(0)
    }
    expect(proxy.requests.filter(isWrite)).toHaveLength(5)
  })

  it('that is throttled is sent again, since the server did not take it', async () => {
    await using bench = await workbench(cluster)
    const { client, namespace, proxy } = bench
    const throttling = proxy.inject(isWrite, { answer: 429, headers: { 'retry-after': '1' } }, { times: 1 })

    const made = await client.create(configMapType, { metadata: { namespace, name: 'one' } })

    expect(throttling.hits).toBe(1)
    expect(made.metadata.name).toBe('one')
  })

  it('that a server refuses before it has read the roles is sent again once it is ready', async () => {
    await using bench = await workbench(cluster)
    const { client, namespace, proxy } = bench
    const refusals = proxy.inject(isWrite, { answer: 403 }, { times: 2 })
    for (const answer of [403, 500]) proxy.inject(isReadyz, { answer }, { times: 1 })

    const made = await client.create(configMapType, { metadata: { namespace, name: 'one' } })

    expect(refusals.hits).toBe(2)
    expect(made.metadata.name).toBe('one')
  })

  it.each([
    ['not ready is told as an outage, after the retries', 500, 503],
    ['silent about its health is told as a refusal, after the retries', 403, 403],
  ])('refused by a server that stays %s', async (_, readyz, status) => {
    await using bench = await workbench(cluster)
    const client = bench.connect({ clock: withoutWaits })
    bench.proxy.inject(isWrite, { answer: 403 })
    bench.proxy.inject(isReadyz, { answer: readyz })

    const draft = { metadata: { namespace: bench.namespace, name: 'one' } }
    const error = await thrownBy(client.create(configMapType, draft))

    expect(error.status).toBe(status)
    expect(bench.proxy.requests.filter(isWrite)).toHaveLength(6)
  })

  it('refused by a server that is ready is refused at once', async () => {
    await using bench = await workbench(cluster)
    const { client, namespace, proxy } = bench
    proxy.inject(isWrite, { answer: 403 })

    const error = await thrownBy(client.create(configMapType, { metadata: { namespace, name: 'one' } }))

    expect(isForbidden(error)).toBe(true)
    expect(proxy.requests.filter(isWrite)).toHaveLength(1)
  })

  it('that nobody may send any more is not sent after its wait', async () => {
    await using bench = await workbench(cluster)
    let isLeader = true
    const guard = () => {
      if (!isLeader) throw new Error('deposed')
    }
    const client = bench.connect({ guard })
    bench.proxy.inject(
      (request) => {
        if (isWrite(request)) isLeader = false
        return isWrite(request)
      },
      { answer: 429, headers: { 'retry-after': '1' } },
    )

    const error = await thrownBy(
      client.create(configMapType, { metadata: { namespace: bench.namespace, name: 'one' } }),
    )

    expect(error.message).toBe('deposed')
    expect(bench.proxy.requests.filter(isWrite)).toHaveLength(1)
    expect(isNotFound(await thrownBy(client.get(configMapType, { namespace: bench.namespace, name: 'one' })))).toBe(
      true,
    )
  })

  it('with a field that the kind does not have is refused, and says which', async () => {
    await using bench = await workbench(cluster)
    const { client, namespace } = bench
    const draft = { metadata: { namespace, name: 'one' }, dta: { a: 'b' } }

    const error = await thrownBy(client.create(configMapType, draft as never))

    expect(isInvalid(error)).toBe(true)
    expect(error.message).toContain('unknown field "dta"')
  })

  it('of a name that is taken, on a version that is old, and of what is not there, are told apart', async () => {
    await using bench = await workbench(cluster)
    const { client, namespace, put } = bench
    const old = await put('one', '1')
    await put('one', '2')

    expect(
      isAlreadyExists(await thrownBy(client.create(configMapType, { metadata: { namespace, name: 'one' } }))),
    ).toBe(true)
    expect(isConflict(await thrownBy(client.replace(configMapType, { ...old, data: { text: '3' } })))).toBe(true)
    const patch = { metadata: { resourceVersion: old.metadata.resourceVersion }, data: { text: '3' } }
    expect(isConflict(await thrownBy(client.patch(configMapType, old.metadata, patch, { kind: 'merge' })))).toBe(true)
    expect(isNotFound(await thrownBy(client.delete(configMapType, { namespace, name: 'two' })))).toBe(true)
    const preconditions = { uid: '00000000-0000-0000-0000-000000000000' }
    expect(isConflict(await thrownBy(client.delete(configMapType, old.metadata, { preconditions })))).toBe(true)
  })
})

describe('apply', () => {
  it('leaves the fields of others alone, and names the field and its owner when they collide', async () => {
    await using bench = await workbench(cluster)
    const { client, namespace } = bench
    const metadata = { namespace, name: 'shared' }
    await client.apply(configMapType, { metadata, data: { a: 'mine', c: 'both' } })
    await client.apply(configMapType, { metadata, data: { b: 'theirs' } }, { fieldManager: 'other' })
    expect((await client.get(configMapType, metadata)).data).toEqual({ a: 'mine', b: 'theirs', c: 'both' })

    const theirs = { metadata, data: { b: 'theirs', c: 'changed' } }
    const error = await thrownBy(client.apply(configMapType, theirs, { fieldManager: 'other' }))
    expect(isConflict(error)).toBe(true)
    expect(error.details.causes).toEqual([
      { reason: 'FieldManagerConflict', message: expect.stringContaining('"kube-test"'), field: '.data.c' },
    ])

    await client.apply(configMapType, theirs, { fieldManager: 'other', force: true })
    // What is no longer applied goes, unless another owns it too.
    await client.apply(configMapType, { metadata, data: {} })
    expect((await client.get(configMapType, metadata)).data).toEqual({ b: 'theirs', c: 'changed' })
  })
})

describe('a finalizer', () => {
  it('keeps a deleted object until it is taken off, and is neither put nor taken twice', async () => {
    await using bench = await workbench(cluster)
    const { client, direct, proxy, put } = bench
    const made = await put('kept', '1')

    const kept = await ensureFinalizer(client, configMapType, made, 'example.com/keep')
    expect(await ensureFinalizer(client, configMapType, kept, 'example.com/keep')).toBe(kept)
    expect(isConflict(await thrownBy(ensureFinalizer(client, configMapType, made, 'example.com/other')))).toBe(true)
    await direct.delete(configMapType, made.metadata)
    const deleted = await client.get(configMapType, made.metadata)
    expect(deleted.metadata.deletionTimestamp).toBeDefined()

    await removeFinalizer(client, configMapType, deleted, 'example.com/keep')
    expect(isNotFound(await thrownBy(client.get(configMapType, made.metadata)))).toBe(true)
    expect(await removeFinalizer(client, configMapType, deleted, 'example.com/keep')).toBeUndefined()
    expect(proxy.requests.filter(isWrite)).toHaveLength(4)
  })
})

describe('a status', () => {
  it('is written only when something differs, only that, and only on top of what was read', async () => {
    await using bench = await workbench(cluster)
    const { client, namespace, proxy } = bench
    const spec = { provider: 'aws', credentialRef: { name: 'aws' }, instanceType: 't3.micro', image: 'ami-1' } as const
    const made = await client.create(vmKind, { metadata: { namespace, name: 'one' }, spec })
    const status = { state: 'pending', zone: 'us-east-1a' } as const
    const written = await patchStatus(client, vmKind, made, status as never)
    const sent = proxy.requests.length

    expect(await patchStatus(client, vmKind, written ?? made, status as never)).toBeUndefined()
    expect(proxy.requests).toHaveLength(sent)

    await patchStatus(client, vmKind, written ?? made, { state: 'running' } as never)
    expect(JSON.parse(proxy.requests.at(-1)?.body ?? '')).toEqual({
      metadata: { resourceVersion: written?.metadata.resourceVersion },
      status: { state: 'running', zone: null },
    })
    expect(isConflict(await thrownBy(patchStatus(client, vmKind, written ?? made, {} as never)))).toBe(true)
  })
})

describe('kinds of a list and a watch', () => {
  it('are said of each object, though the server says them of none', async () => {
    await using bench = await workbench(cluster)
    const { client, put, namespace } = bench
    await put('one', '1')
    const { items } = await client.list(configMapType, { namespace })
    const named = items.map(({ apiVersion, kind }: ConfigMap) => `${apiVersion} ${kind}`)
    expect(new Set(named)).toEqual(new Set(['v1 ConfigMap']))
    expect((await client.list(leaseType, { namespace })).items).toEqual([])
  })
})
