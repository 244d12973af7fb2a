/**
 * Sharding on a real API server: several replicas in this process, each with connections of its own, at a tenth of the
 * usual durations. A replica dies as a killed process does: nothing of it reaches the server any more.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Sharding, sharding } from '../../controller/sharding/sharding.ts'
import { namespaceType } from '../../kube/builtin-types.ts'
import { type KubeClient, kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { startCluster, type TestCluster } from '../cluster/cluster.ts'

const shards = 8
const timing = { durationMs: 2_000, deadlineMs: 1_400, renewMs: 300 }

interface Replica extends Sharding {
  readonly name: string
  readonly acquired: number[]
  readonly drained: number[]
  readonly lost: string[]
  stop(): Promise<void>
  /** From now on nothing that it sends arrives. */
  die(): void
}

describe('sharding', () => {
  let cluster: TestCluster
  let namespace = ''
  const clients: KubeClient[] = []
  const running: Replica[] = []

  beforeAll(async () => {
    cluster = await startCluster({ controllerManager: false })
  })
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()))
    await cluster.stop()
  })

  async function given(...names: string[]): Promise<Replica[]> {
    const client = await connect()
    namespace = `sharding-${running.length}`
    await client.create(namespaceType, { metadata: { name: namespace } })
    running.length = 0
    return Promise.all(names.map(join))
  }

  async function connect(): Promise<KubeClient> {
    const client = kubeClient({
      cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
      fieldManager: 'test',
    })
    clients.push(client)
    return client
  }

  async function join(name: string): Promise<Replica> {
    const stop = new AbortController()
    const client = await connect()
    let dead = false
    const mortal = new Proxy(client, {
      get: (target, key, receiver) => {
        const member = Reflect.get(target, key, receiver)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => (dead ? Promise.reject(new Error('connection refused')) : member(...args))
      },
    })
    const log = { acquired: [] as number[], drained: [] as number[], lost: [] as string[] }
    const replica: Replica = Object.assign(
      sharding({
        client: mortal,
        namespace,
        identity: name,
        shards,
        signal: stop.signal,
        onAcquired: (shard) => void log.acquired.push(shard),
        drain: async (shard) => void log.drained.push(shard),
        onLost: (reason) => void log.lost.push(reason),
        ...timing,
      }),
      {
        name,
        ...log,
        stop: async () => {
          stop.abort()
          await replica.done
        },
        die: () => {
          dead = true
        },
      },
    )
    running.push(replica)
    return replica
  }

  const holdings = () => running.map((replica) => replica.held().length)
  const allHeldOnce = () =>
    expect(running.flatMap((replica) => replica.held()).sort()).toEqual([...Array(shards).keys()])
  const eventually = (assertion: () => void) => vi.waitFor(assertion, { timeout: 180_000, interval: 20 })

  it('gives a lone replica every shard, and a second one half of them, moving no others', async () => {
    const [first] = await given('first')
    await eventually(() => expect(first?.held()).toHaveLength(shards))

    await join('second')

    await eventually(() => {
      expect(holdings()).toEqual([4, 4])
      allHeldOnce()
    })
    expect(first?.drained).toHaveLength(4)
    expect(first?.acquired).toHaveLength(shards)
    await Promise.all(running.map((replica) => replica.stop()))
  })

  it('takes over the shards of a replica that died, and never has two owners of one', async () => {
    const [, victim] = await given('a', 'b', 'c')
    await eventually(allHeldOnce)
    const overlaps: string[] = []
    const watching = setInterval(() => {
      const owners = running.flatMap((replica) => replica.held())
      if (new Set(owners).size !== owners.length)
        overlaps.push(JSON.stringify(running.map((replica) => replica.held())))
    }, 5)

    victim?.die()

    await eventually(() => {
      expect(holdings()).toEqual([4, 0, 4])
      allHeldOnce()
    })
    clearInterval(watching)
    expect(overlaps).toEqual([])
    await Promise.all(running.filter((replica) => replica !== victim).map((replica) => replica.stop()))
  })

  it('gives everything back when it is stopped, so that the next one need not wait', async () => {
    const [first] = await given('first')
    await eventually(() => expect(first?.held()).toHaveLength(shards))
    await first?.stop()
    expect(first?.drained).toHaveLength(shards)

    const next = await join('next')

    await eventually(() => expect(next.held()).toHaveLength(shards))
    await next.stop()
  })
})
