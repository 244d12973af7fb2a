import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Lease } from './builtin-types.ts'
import type { KubeClient } from './client.ts'
import { type Clock, sleep } from './clock.ts'
import { KubeError } from './kube-error.ts'
import { leaderElection } from './leader-election.ts'
import { manualClock } from './manual-clock.ts'

const key = { namespace: 'default', name: 'leader' }
const START = Date.parse('2026-01-01T00:00:00Z')

/** One Lease, with versions, as an API server keeps it. */
function leaseServer() {
  let lease: Lease | undefined
  let version = 0
  const store = (spec: Lease['spec']): Lease => {
    version += 1
    const metadata = { ...key, uid: 'u', resourceVersion: String(version), creationTimestamp: '' }
    lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, ...(spec ? { spec } : {}) }
    return lease
  }
  const fail = (status: number, reason: string): never => {
    throw new KubeError(reason, { status, reason })
  }
  return {
    get lease() {
      return lease
    },
    get writes() {
      return version
    },
    get: () => lease ?? fail(404, 'NotFound'),
    create: (spec: Lease['spec']) => (lease ? fail(409, 'AlreadyExists') : store(spec)),
    replace: (next: Lease) =>
      !lease
        ? fail(404, 'NotFound')
        : next.metadata.resourceVersion === lease.metadata.resourceVersion
          ? store(next.spec)
          : fail(409, 'Conflict'),
    /** Somebody edits it by hand. */
    edit: (spec: Lease['spec']) => store({ ...lease?.spec, ...spec }),
    remove() {
      lease = undefined
    },
  }
}

/** A process that can be frozen: its timers and the answers to its requests wait, its clocks go on. */
function participant(name: string, server: ReturnType<typeof leaseServer>, time: Clock) {
  let thawed: PromiseWithResolvers<void> | undefined
  let isDown = false
  let losesAnswers = false
  let latencyMs = 0
  let deferred: (() => void)[] = []
  const stop = new AbortController()
  const log: string[] = []
  const clock: Clock = {
    now: time.now,
    after: (delayMs, task) => time.after(delayMs, () => (thawed ? deferred.push(task) : task())),
  }

  async function request<R>(signal: AbortSignal | undefined, serve: () => R): Promise<R> {
    await sleep(time, latencyMs, signal)
    if (isDown) throw new KubeError('down', { status: 0, reason: 'ConnectionFailed' })
    const answer = serve()
    await sleep(time, latencyMs, signal)
    await thawed?.promise
    if (losesAnswers) throw new KubeError('lost', { status: 0, reason: 'ConnectionFailed' })
    return answer
  }
  const client = {
    get: (_type: unknown, _key: unknown, { signal }: { signal?: AbortSignal }) => request(signal, server.get),
    create: (_type: unknown, { spec }: Lease, { signal }: { signal?: AbortSignal }) =>
      request(signal, () => server.create(spec)),
    replace: (_type: unknown, lease: Lease, { signal }: { signal?: AbortSignal }) =>
      request(signal, () => server.replace(lease)),
  } as unknown as KubeClient

  const election = leaderElection({
    client,
    lease: key,
    identity: name,
    clock,
    wallClock: () => START + time.now(),
    random: () => 0.5,
    signal: stop.signal,
    onStarted: () => log.push('started'),
    onLost: (reason) => log.push(`lost: ${reason}`),
    onNewLeader: (holder) => log.push(`follows ${holder}`),
  })
  return {
    name,
    election,
    log,
    set isDown(value: boolean) {
      isDown = value
    },
    set losesAnswers(value: boolean) {
      losesAnswers = value
    },
    set latencyMs(value: number) {
      latencyMs = value
    },
    freeze() {
      thawed ??= Promise.withResolvers<void>()
    },
    thaw() {
      thawed?.resolve()
      thawed = undefined
      for (const task of deferred.splice(0)) task()
      deferred = []
    },
    async stop() {
      stop.abort(new Error('stopped'))
      return election.done
    },
  }
}

function setting(...names: string[]) {
  const time = manualClock()
  const server = leaseServer()
  return { time, server, participants: names.map((name) => participant(name, server, time)) }
}

describe('leaderElection', () => {
  it('leads at once when there is no lease, and renews it with one write every few seconds', async () => {
    const { time, server, participants } = setting('one')
    const [one] = participants
    expect(one?.election.isLeader()).toBe(false)
    await time.advanceAsync(0)

    expect(one?.election.isLeader()).toBe(true)
    expect(one?.log).toEqual(['started'])
    expect(server.lease?.spec).toEqual({
      holderIdentity: 'one',
      leaseDurationSeconds: 15,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:00.000000Z',
      leaseTransitions: 0,
    })
    await time.advanceAsync(60_000)
    expect(one?.election.isLeader()).toBe(true)
    expect(server.writes).toBe(21)
    expect(server.lease?.spec?.acquireTime).toBe('2026-01-01T00:00:00.000000Z')
  })

  it('lets a standby take over within 30 s of a leader that died, and not before its lease ran out', async () => {
    const { time, server, participants } = setting('one', 'two')
    await time.advanceAsync(20_000)
    const [leader, standby] = participants[0]?.election.isLeader() ? participants : participants.toReversed()
    leader?.freeze()
    const died = time.now()
    while (!standby?.election.isLeader()) await time.advanceAsync(100)

    expect(time.now() - died).toBeGreaterThanOrEqual(12_000) // 15 s after its last renewal
    expect(time.now() - died).toBeLessThan(20_000)
    expect(server.lease?.spec?.leaseTransitions).toBe(1)
    expect(standby?.log).toEqual([`follows ${leader?.name}`, 'started'])
  })

  it('gives the lease back when it stops, so that another leads within seconds', async () => {
    const { time, server, participants } = setting('one', 'two')
    await time.advanceAsync(20_000)
    const [leader, standby] = participants[0]?.election.isLeader() ? participants : participants.toReversed()
    const stopped = leader?.stop()
    await time.advanceAsync(0)

    expect(await stopped).toBe('released')
    expect(leader?.election.isLeader()).toBe(false)
    expect(server.lease?.spec?.holderIdentity).toBe('')
    await time.advanceAsync(4_000)
    expect(standby?.election.isLeader()).toBe(true)
    expect(leader?.log).toEqual(['started'])
  })

  it('is no leader any more, at the very call, when it was frozen past its deadline', async () => {
    const { time, participants } = setting('one')
    const [one] = participants
    await time.advanceAsync(0)
    one?.freeze()
    await time.advanceAsync(9_999)
    expect(one?.election.isLeader()).toBe(true)
    await time.advanceAsync(1)
    expect(one?.election.isLeader()).toBe(false)
  })

  it('leads again after it was frozen when nobody else has led, and says so', async () => {
    const { time, participants } = setting('one')
    const [one] = participants
    await time.advanceAsync(0)
    one?.freeze()
    await time.advanceAsync(60_000)
    one?.thaw()
    await time.advanceAsync(1_000)

    expect(one?.election.isLeader()).toBe(true)
    expect(one?.log).toEqual(['started', 'started'])
  })

  it.each(['lives', 'has stopped again', 'was killed'])(
    'is deposed after it was frozen when another that %s has led',
    async (fate) => {
      const { time, participants } = setting('one', 'two')
      const [one, two] = participants
      await time.advanceAsync(0)
      one?.freeze()
      await time.advanceAsync(30_000)
      expect(two?.election.isLeader()).toBe(true)
      if (fate === 'has stopped again') {
        await Promise.all([two?.stop(), time.advanceAsync(1_000)])
      }
      if (fate === 'was killed') two?.freeze()
      one?.thaw()
      await time.advanceAsync(60_000)

      expect(one?.log.at(-1)).toMatch(/^lost: /)
      expect(one?.election.isLeader()).toBe(false)
      expect(await one?.election.done).toBe('lost')
    },
  )

  it('notices a sleep of the machine, during which the monotonic clock stands still', async () => {
    const server = leaseServer()
    const time = manualClock()
    let wall = START
    const stop = new AbortController()
    const client = {
      get: async () => server.get(),
      create: async (_type: unknown, lease: Lease) => server.create(lease.spec),
      replace: async (_type: unknown, lease: Lease) => server.replace(lease),
    } as unknown as KubeClient
    const { signal } = stop
    const election = leaderElection({ client, lease: key, identity: 'one', clock: time, wallClock: () => wall, signal })
    await time.advanceAsync(0)
    expect(election.isLeader()).toBe(true)

    wall += 3_600_000
    expect(election.isLeader()).toBe(false)
    wall -= 7_200_000 // set back: the monotonic clock holds
    expect(election.isLeader()).toBe(true)
    stop.abort()
    await time.advanceAsync(10_000)
  })

  it('survives answers that are lost and a server that is away for less than its deadline', async () => {
    const { time, participants } = setting('one')
    const [one] = participants
    await time.advanceAsync(0)
    if (one) one.losesAnswers = true
    await time.advanceAsync(7_000)
    if (one) one.losesAnswers = false
    await time.advanceAsync(3_000)
    expect(one?.election.isLeader()).toBe(true)
    if (one) one.isDown = true
    await time.advanceAsync(6_000)
    if (one) one.isDown = false
    await time.advanceAsync(30_000)

    expect(one?.election.isLeader()).toBe(true)
    expect(one?.log).toEqual(['started'])
  })

  it('does not lead while the server stays away longer, and goes on when it is back', async () => {
    const { time, participants } = setting('one')
    const [one] = participants
    await time.advanceAsync(0)
    if (one) one.isDown = true
    await time.advanceAsync(12_000)
    expect(one?.election.isLeader()).toBe(false)
    await time.advanceAsync(600_000)
    if (one) one.isDown = false
    await time.advanceAsync(3_000)

    expect(one?.election.isLeader()).toBe(true)
    expect(one?.log).toEqual(['started', 'started'])
  })

  it('is lost at once when somebody gives the lease to another, and not when somebody annotates it', async () => {
    const { time, server, participants } = setting('one')
    const [one] = participants
    await time.advanceAsync(0)
    server.edit({ leaseTransitions: 7 })
    await time.advanceAsync(10_000)
    expect(one?.election.isLeader()).toBe(true)

    server.edit({ holderIdentity: 'two' })
    await time.advanceAsync(3_000)
    expect(one?.log).toEqual(['started', 'follows two', 'lost: the Lease is held by two'])
  })

  it('makes the lease again when somebody deletes it', async () => {
    const { time, server, participants } = setting('one')
    await time.advanceAsync(0)
    server.remove()
    await time.advanceAsync(4_000)
    expect(server.lease?.spec?.holderIdentity).toBe('one')
    expect(participants[0]?.election.isLeader()).toBe(true)
  })

  it('refuses times that cannot keep the promise', () => {
    const options = { client: {} as KubeClient, lease: key, identity: 'one', signal: AbortSignal.abort() }
    expect(() => leaderElection({ ...options, durationMs: 10_000, deadlineMs: 10_000 })).toThrow(RangeError)
    expect(() => leaderElection({ ...options, renewMs: 12_000 })).toThrow(RangeError)
  })

  it('leaves nothing behind when it is stopped before it ever led', async () => {
    const { time, participants } = setting('one', 'two')
    await time.advanceAsync(0)
    const done = Promise.all(participants.map((one) => one.stop()))
    await time.advanceAsync(0)
    expect(await done).toEqual(['released', 'released'])
    expect(time.pending).toBe(0)
  })
})

describe('leaderElection, whatever freezes, fails or is slow', () => {
  it('never has two leaders at once, and has one again when all is well', async () => {
    const who = fc.nat(2)
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 8_000 }) }) },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constantFrom('freeze' as const, 'thaw' as const, 'stop' as const), who }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constantFrom('down' as const, 'lossy' as const), who, on: fc.boolean() }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant('slow' as const), who, ms: fc.constantFrom(0, 100, 2_000, 4_000) }),
      },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { time, server, participants } = setting('a', 'b', 'c')
        const leaders = () => participants.filter(({ election }) => election.isLeader()).map(({ name }) => name)
        async function advance(ms: number): Promise<void> {
          for (let passed = 0; passed < ms; passed += 500) {
            time.advance(Math.min(500, ms - passed))
            for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
            expect(leaders().length).toBeLessThanOrEqual(1)
          }
        }
        for (const one of steps) {
          if (one.do === 'wait') {
            await advance(one.ms)
            continue
          }
          const target = participants[one.who]
          if (!target) continue
          if (one.do === 'freeze') target.freeze()
          else if (one.do === 'thaw') target.thaw()
          else if (one.do === 'stop') void target.stop()
          else if (one.do === 'slow') target.latencyMs = one.ms
          else if (one.do === 'down') target.isDown = one.on
          else if (one.do === 'lossy') target.losesAnswers = one.on
          expect(leaders().length).toBeLessThanOrEqual(1)
        }
        for (const target of participants)
          Object.assign(target, { isDown: false, losesAnswers: false, latencyMs: 0 }).thaw()
        const fresh = participant('fresh', server, time)
        participants.push(fresh)
        await advance(60_000)
        expect(leaders()).toHaveLength(1)
        await Promise.all([...participants.map((one) => one.stop()), advance(10_000)])
        expect(time.pending).toBe(0)
      }),
      { numRuns: 100 },
    )
  })
})
