/**
 * Nothing outlives its signal: no watch, no timer, no socket, on neither side.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { configMapType } from '../../kube/builtin-types.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { type Program, startProgram } from '../cluster/program.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'
import { isList, isWatchOpening, PATIENCE, type Workbench, workbench } from './workbench.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await sharedCluster()
})

interface State {
  readonly state: string
  /** Before the process starts. */
  readonly arrange: (bench: Workbench) => unknown
  readonly reached: (bench: Workbench, program: Program) => Promise<unknown>
}

/** Every state in which the signal can find a cache. */
const states: readonly State[] = [
  {
    state: 'has a LIST under way',
    arrange: ({ proxy }) => proxy.inject(isList, { silentAfter: 10 }),
    reached: ({ proxy }) => proxy.arrived(isList),
  },
  {
    state: 'waits after a LIST that failed',
    arrange: ({ proxy }) => proxy.inject(isList, { answer: 500 }),
    reached: (_, program) => program.logged(({ msg }) => msg === 'interrupted'),
  },
  {
    state: 'waits because the server asked it to',
    arrange: ({ proxy }) => proxy.inject(isList, { answer: 429, headers: { 'retry-after': '25' } }),
    reached: ({ proxy }) => proxy.arrived((request) => isList(request) && request.status === 429),
  },
  {
    state: 'waits for the answer to a watch',
    arrange: ({ proxy }) => proxy.inject(isWatchOpening, { silentAfter: -1 }),
    reached: ({ proxy }) => proxy.arrived(isWatchOpening),
  },
  {
    state: 'watches',
    arrange: () => undefined,
    reached: (_, program) => program.logged(({ msg }) => msg === 'watching'),
  },
  {
    state: 'has a server that answers nothing any more',
    arrange: () => undefined,
    async reached({ proxy }, program) {
      await program.logged(({ msg }) => msg === 'watching')
      proxy.freeze()
    },
  },
]

describe('a process', () => {
  it.each(states)('that $state ends by itself once it is told to stop', async ({ arrange, reached }) => {
    await using bench = await workbench(cluster)
    await bench.put('one', '1')
    arrange(bench)
    await using program = startProgram({
      main: 'test/kube/stoppable-program.ts',
      args: [bench.proxy.url.href, bench.namespace],
    })
    await program.logged(({ msg }) => msg === 'leads')
    await reached(bench, program)

    program.kill('SIGTERM')

    expect(await program.logged(({ msg }) => msg === 'stopped')).toEqual({ msg: 'stopped', left: [] })
    expect((await program.exited).code).toBe(0)
    await expect.poll(() => bench.proxy.connections, PATIENCE).toBe(0)
  })
})

describe('a watch', () => {
  it('whose reader leaves at any event ends, and the server knows', async () => {
    await using bench = await workbench(cluster)
    const { metadata } = await bench.put('one', '1')
    const { signal } = new AbortController()
    for (const leaveAt of ['OPENED', 'MODIFIED'] as const) {
      const options = { namespace: bench.namespace, resourceVersion: metadata.resourceVersion, signal }
      for await (const event of bench.client.watch(configMapType, options)) {
        if (event.type === leaveAt) break
        await bench.put('one', leaveAt)
      }
      await expect.poll(() => bench.proxy.connections, PATIENCE).toBe(0)
    }
  })
})

describe('a client', () => {
  it('that is closed fails what is under way, and takes nothing more', async () => {
    await using bench = await workbench(cluster)
    const client = bench.connect()
    bench.proxy.inject(isList, { silentAfter: 10 })
    const listed = client.list(configMapType).catch((error: Error) => error)
    await bench.proxy.arrived(isList)

    await client.close()

    expect(await listed).toBeInstanceOf(Error)
    await expect(client.list(configMapType)).rejects.toThrow('the Kubernetes client is closed')
    await expect.poll(() => bench.proxy.connections, PATIENCE).toBe(0)
  })
})
