/**
 * Events as they arrive at a real API server: counted, written seldom, and never more than a courtesy.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { type Event, eventType } from '../../kube/builtin-types.ts'
import { type EventRecorderOptions, eventRecorder } from '../../kube/events.ts'
import { manualClock } from '../../kube/manual-clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'
import type { ProxiedRequest } from '../fault-proxy/faults.ts'
import { PATIENCE, type Workbench, workbench } from './workbench.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await sharedCluster()
})

const isEventWrite = ({ method, path }: ProxiedRequest) => method !== 'GET' && /\/events(\/|$)/.test(path)
const created = { type: 'Normal', reason: 'InstanceCreated', message: 'made i-1' } as const

function recording(bench: Workbench, options: Partial<EventRecorderOptions> = {}) {
  const dropped: string[] = []
  const recorder = eventRecorder({
    client: bench.client,
    reportingController: 'example.com/test',
    reportingInstance: 'test-1',
    onDropped: (reason) => dropped.push(reason),
    ...options,
  })
  const events = async (): Promise<Event[]> =>
    (await bench.direct.list(eventType, { namespace: bench.namespace })).items
  return { recorder, dropped, events }
}

describe('an event recorder', () => {
  it('writes a first event at once, and counts what is said again in one write', async () => {
    await using bench = await workbench(cluster)
    const object = await bench.put('one', '1')
    const { recorder, events } = recording(bench)

    recorder.record(object, created)
    await expect.poll(async () => (await events()).length, PATIENCE).toBe(1)
    for (let again = 0; again < 9; again++) recorder.record(object, created)
    recorder.record(object, { ...created, message: 'made i-2' })
    await recorder.close()

    const [first, second] = (await events()).toSorted((a, b) => (a.note ?? '').localeCompare(b.note ?? ''))
    expect(first).toMatchObject({
      ...{ type: 'Normal', reason: 'InstanceCreated', action: 'InstanceCreated', note: 'made i-1' },
      regarding: { kind: 'ConfigMap', name: 'one', namespace: bench.namespace, uid: object.metadata.uid },
      reportingController: 'example.com/test',
      series: { count: 10 },
    })
    expect(second?.series).toBeUndefined()
    expect(bench.proxy.requests.filter(isEventWrite)).toHaveLength(3)
    expect(await cluster.kubectl('get', 'events', '--namespace', bench.namespace)).toMatch(
      /InstanceCreated +configmap\/one/,
    )
  })

  it('goes on counting an event whose first write was answered and not heard', async () => {
    await using bench = await workbench(cluster)
    const object = await bench.put('one', '1')
    const { recorder, events, dropped } = recording(bench)
    bench.proxy.inject(isEventWrite, { reset: 'after' }, { times: 1 })

    recorder.record(object, created)
    await recorder.flush()
    recorder.record(object, created)
    recorder.record(object, created)
    await recorder.close()

    expect(dropped).toEqual([])
    expect((await events()).map(({ series }) => series?.count)).toEqual([3])
  })

  it('waits for a server that is not well, and begins anew when the server has forgotten the event', async () => {
    await using bench = await workbench(cluster)
    const object = await bench.put('one', '1')
    const { recorder, events, dropped } = recording(bench)
    bench.proxy.inject(isEventWrite, { answer: 503 }, { times: 1 })
    recorder.record(object, created)
    await recorder.flush()
    const [event] = await events()
    await bench.direct.delete(eventType, { namespace: bench.namespace, name: event?.metadata.name ?? '' })
    recorder.record(object, created)
    await recorder.close()

    expect(dropped).toEqual([])
    expect((await events()).map(({ series }) => series?.count)).toEqual([2])
  })

  it('forgets what the server refuses, and does not try it again', async () => {
    await using bench = await workbench(cluster)
    const clock = manualClock()
    const object = await bench.put('one', '1')
    const { namespace: _, ...metadata } = object.metadata
    const elsewhere = { ...object, metadata: { ...metadata, namespace: 'there-is-no-such-namespace' } }
    const { recorder, dropped } = recording(bench, { clock })

    recorder.record(elsewhere, created)
    await recorder.flush()
    expect(dropped).toEqual([expect.stringContaining('namespaces "there-is-no-such-namespace" not found')])
    const sent = bench.proxy.requests.length
    clock.advance(10 * 60_000)
    await recorder.flush()

    expect(bench.proxy.requests).toHaveLength(sent)
    expect(clock.pending).toBe(0)
  })

  it('lets one object have twenty-five different events at once, and others as many', async () => {
    await using bench = await workbench(cluster)
    const [one, other] = [await bench.put('one', '1'), await bench.put('other', '1')]
    const { recorder, dropped, events } = recording(bench)

    for (let number = 0; number < 30; number++) recorder.record(one, { ...created, message: `${number}` })
    recorder.record(other, created)
    await recorder.close()

    expect(dropped).toEqual(Array.from({ length: 5 }, () => 'too many events for one object'))
    expect(await events()).toHaveLength(26)
  })

  it('cuts a message between characters to what the server takes', async () => {
    await using bench = await workbench(cluster)
    const { recorder, dropped, events } = recording(bench)
    recorder.record(await bench.put('one', '1'), { ...created, message: '가'.repeat(1_000) })
    await recorder.close()

    expect(dropped).toEqual([])
    expect((await events())[0]?.note).toMatch(/^가{340}…$/)
  })

  it('gives up when it is closed while the server does not answer', async () => {
    await using bench = await workbench(cluster)
    const object = await bench.put('one', '1')
    const { recorder, dropped } = recording(bench)
    bench.proxy.inject(isEventWrite, { silentAfter: -1 })
    recorder.record(object, created)
    await bench.proxy.arrived(isEventWrite)

    await recorder.close({ timeoutMs: 100 })
    recorder.record(object, created)

    expect(dropped).toEqual(['the event recorder was closed'])
  })
})
