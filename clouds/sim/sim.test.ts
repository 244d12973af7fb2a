import { describe, expect, it } from 'vitest'
import type { InstanceSpec } from '../cloud.ts'
import { virtualTime } from '../virtual-time.ts'
import { inProcess } from './exchange.ts'
import type { InventoryRecord } from './inventory.ts'
import type { SimSettingsInput } from './settings.ts'
import { createSim } from './sim.ts'
import { simCloud } from './sim-cloud.ts'

const spec: InstanceSpec = {
  token: 'token',
  tags: { uid: 'u' },
  instanceType: 't3.micro',
  image: 'ami-1',
  marketType: 'OnDemand',
}
const uid = { kind: 'tag', key: 'uid', values: ['u'] } as const

function world(settings: SimSettingsInput = {}, records: readonly InventoryRecord[] = []) {
  const time = virtualTime(Date.parse('2026-01-01T00:00:00Z'))
  let state = 1
  const random = () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  const kept: InventoryRecord[] = []
  const sim = createSim({
    now: time.now,
    random,
    settings,
    records,
    onRecord: (record) => kept.push(structuredClone(record)),
  })
  const access = (accessKey = 'key', region = 'sim-1') =>
    simCloud({ transport: inProcess(sim, time), accessKey, secretKey: 's', region, sleep: time.sleep })
  const cloud = access()
  const listed = async (filter: Parameters<typeof cloud.list>[0] = uid) => {
    const ids: string[] = []
    for await (const page of cloud.list(filter)) ids.push(...page.map(({ id }) => id))
    return ids
  }
  return { time, sim, cloud, access, listed, kept, run: time.until }
}

describe('a token', () => {
  it('gives the same instance when it is repeated with the same parameters, in whatever order', async () => {
    const { cloud, sim, run } = world()

    const first = await run(cloud.create({ ...spec, tags: { a: '1', b: '2' } }))
    const again = await run(cloud.create({ ...spec, tags: { b: '2', a: '1' } }))

    expect(again.id).toBe(first.id)
    expect(sim.instances()).toHaveLength(1)
  })

  it('is refused with other parameters', async () => {
    const { cloud, run } = world()
    await run(cloud.create(spec))

    await expect(run(cloud.create({ ...spec, instanceType: 't3.large' }))).rejects.toMatchObject({
      class: 'conflict',
      code: 'IdempotentParameterMismatch',
    })
  })

  it('tells that its instance was terminated since', async () => {
    const { cloud, time, run } = world()
    const { id } = await run(cloud.create(spec))
    await run(cloud.terminate([id]))
    await run(time.sleep(5_000))

    await expect(run(cloud.create(spec))).rejects.toMatchObject({ code: 'IdempotentInstanceTerminated' })
  })

  it('is forgotten after its validity, and then doubles', async () => {
    const { cloud, sim, time, run } = world({ tokenValidityMs: 60_000 })
    await run(cloud.create(spec))

    await run(time.sleep(60_001))
    await run(cloud.create(spec))

    expect(sim.instances()).toHaveLength(2)
  })

  it('can be ignored altogether, as moto does', async () => {
    const { cloud, sim, run } = world({ tokenValidityMs: 0 })

    await run(cloud.create(spec))
    await run(cloud.create(spec))

    expect(sim.instances()).toHaveLength(2)
  })

  it('is of one account and one region', async () => {
    const { sim, access, run } = world()

    await run(access('key').create(spec))
    await run(access('key', 'sim-2').create(spec))
    await run(access('999999999999-key').create(spec))

    expect(sim.instances().map(({ account, region }) => `${account} ${region}`)).toEqual([
      '123456789012 sim-1',
      '123456789012 sim-2',
      '999999999999 sim-1',
    ])
  })
})

describe('descriptions', () => {
  it('lag behind writes, by id as well as in listings, for as long as they are told', async () => {
    const { cloud, listed, time, run } = world({ lookupLagMs: 10_000 })
    const { id } = await run(cloud.create(spec))

    await run(time.sleep(9_999))
    expect(await run(listed())).toEqual([])
    expect(await run(cloud.get(id))).toBeUndefined()

    await run(time.sleep(1))
    expect(await run(listed())).toEqual([id])
    expect(await run(cloud.get(id))).toMatchObject({ id, state: 'pending' })
  })

  it('show an old state for a while, and a mutation acts on the true one', async () => {
    const { cloud, time, run } = world({ lookupLagMs: 10_000, pendingMs: 0, stoppingMs: 0 })
    const { id } = await run(cloud.create(spec))
    await run(time.sleep(20_000))

    await run(cloud.stop([id]))
    expect(await run(cloud.get(id))).toMatchObject({ state: 'running' })
    await run(cloud.start([id]))

    await run(time.sleep(10_000))
    expect(await run(cloud.get(id))).toMatchObject({ state: 'running' })
  })

  it('may show less than an earlier look did, when their lag varies', async () => {
    const { cloud, listed, time, run } = world({ lookupLagMs: { minMs: 0, maxMs: 10_000 } })
    await run(cloud.create(spec))
    await run(time.sleep(5_000))

    const looks: number[] = []
    for (let look = 0; look < 50; look++) looks.push((await run(listed())).length)

    expect(looks.some((found, index) => found < (looks[index - 1] ?? 0))).toBe(true)
  })

  it('do not lose what was long there when the lag is turned on', async () => {
    const { cloud, sim, listed, time, run } = world()
    const { id } = await run(cloud.create(spec))
    await run(time.sleep(60_000))
    await run(cloud.tag([id], { late: 'yes' }))

    sim.configure({ lookupLagMs: 10_000 })

    expect(await run(listed())).toEqual([id])
  })

  it('keep a terminated instance for an hour, and then know nothing of it', async () => {
    const { cloud, listed, time, run } = world()
    const { id } = await run(cloud.create(spec))
    await run(cloud.terminate([id]))

    await run(time.sleep(3_600_000))
    expect(await run(cloud.get(id))).toMatchObject({ state: 'terminated' })

    await run(time.sleep(2_000))
    expect(await run(cloud.get(id))).toBeUndefined()
    expect(await run(listed())).toEqual([])
  })
})

describe('a state change', () => {
  it('takes its time, and gives and takes the public address', async () => {
    const { cloud, time, run } = world({ pendingMs: 2_000, stoppingMs: 3_000 })
    const { id } = await run(cloud.create(spec))
    expect(await run(cloud.get(id))).toMatchObject({ state: 'pending', publicIP: '' })

    await run(time.sleep(2_000))
    const running = await run(cloud.get(id))
    expect(running).toMatchObject({ state: 'running', publicIP: expect.stringMatching(/^198\./) })

    await run(cloud.stop([id]))
    expect(await run(cloud.get(id))).toMatchObject({ state: 'stopping' })
    await run(time.sleep(3_000))
    expect(await run(cloud.get(id))).toMatchObject({ state: 'stopped', publicIP: '' })

    await run(cloud.start([id]))
    await run(time.sleep(2_000))
    const again = await run(cloud.get(id))
    expect(again?.privateIP).toBe(running?.privateIP)
    expect(again?.publicIP).not.toBe(running?.publicIP)
  })

  it('is refused from a state that does not allow it, for all of the call', async () => {
    const { cloud, sim, time, run } = world({ stoppingMs: 10_000 })
    const stopping = await run(cloud.create(spec))
    await run(time.sleep(1_000))
    await run(cloud.stop([stopping.id]))
    const pending = await run(cloud.create({ ...spec, token: 'other' }))

    await expect(run(cloud.start([pending.id, stopping.id]))).rejects.toMatchObject({ class: 'notReady' })
    await expect(run(cloud.stop([stopping.id, pending.id]))).rejects.toMatchObject({ code: 'IncorrectInstanceState' })
    await expect(run(cloud.resize(pending.id, 't3.large'))).rejects.toMatchObject({ code: 'IncorrectInstanceState' })
    expect(sim.instances().map(({ state }) => state)).toEqual(['stopping', 'pending'])
  })

  it('is refused to a Spot instance that should stop: it was asked for once', async () => {
    const { cloud, time, run } = world()
    const { id } = await run(cloud.create({ ...spec, marketType: 'Spot' }))
    await run(time.sleep(1_000))

    await expect(run(cloud.stop([id]))).rejects.toMatchObject({ class: 'invalid', code: 'UnsupportedOperation' })
  })
})

describe('a fault', () => {
  it('before the effect leaves nothing behind', async () => {
    const { cloud, sim, run } = world({ faults: [{ action: 'RunInstances', count: 1 }] })

    await expect(run(cloud.create(spec))).rejects.toMatchObject({ class: 'transient', outcomeUnknown: true })
    expect(sim.instances()).toEqual([])

    await run(cloud.create(spec))
    expect(sim.instances()).toHaveLength(1)
  })

  it.each(['error', 'reset', 'never'] as const)(
    'after the effect leaves an instance that nobody heard of (%s)',
    async (answer) => {
      const { cloud, sim, run } = world({ faults: [{ action: 'RunInstances', effect: 'done', answer }] })

      await expect(run(cloud.create(spec))).rejects.toMatchObject({ class: 'transient', outcomeUnknown: true })

      expect(sim.instances()).toHaveLength(1)
    },
  )

  it('can put the effect off until after the caller gave up', async () => {
    const { cloud, sim, time, run } = world({
      faults: [{ action: 'RunInstances', effect: 'done', effectDelayMs: 60_000, answer: 'never' }],
    })

    await expect(run(cloud.create(spec))).rejects.toMatchObject({ outcomeUnknown: true }) // after 30 s
    expect(sim.instances()).toEqual([])

    await run(time.sleep(30_000))
    expect(sim.instances()).toHaveLength(1)
  })

  it('can make an answer late without spoiling it', async () => {
    const { cloud, time, run } = world({ faults: [{ action: 'RunInstances', answer: 'normal', delayMs: 20_000 }] })
    const before = time.now()

    await run(cloud.create(spec))

    expect(time.now() - before).toBe(20_000)
  })

  it('befalls as many calls as it is told, after those it is told to let pass', async () => {
    const { cloud, run } = world({ faults: [{ action: 'DescribeInstances', skip: 1, count: 2 }] })

    const outcomes: string[] = []
    for (let look = 0; look < 5; look++) {
      outcomes.push(
        await run(
          cloud.get('i-00000000000000000').then(
            () => 'ok',
            () => 'failed',
          ),
        ),
      )
    }

    expect(outcomes).toEqual(['ok', 'failed', 'failed', 'ok', 'ok'])
  })

  it('of a read leaves no doubt about an outcome', async () => {
    const { listed, run } = world({ faults: [{ action: 'DescribeInstances', answer: 'reset' }] })

    await expect(run(listed())).rejects.toMatchObject({ class: 'transient', outcomeUnknown: false })
  })
})

describe('what is refused', () => {
  it.each([
    ['an image', { image: 'bad-image' }, 'InvalidAMIID.NotFound', 'invalid'],
    ['a type', { instanceType: 'bad-type' }, 'InvalidParameterValue', 'invalid'],
    ['a subnet', { subnetId: 'bad-subnet' }, 'InvalidSubnetID.NotFound', 'invalid'],
    ['a security group', { securityGroupIds: ['sg-1', 'bad-group'] }, 'InvalidGroup.NotFound', 'invalid'],
    ['a key', { sshKeyName: 'bad-key' }, 'InvalidKeyPair.NotFound', 'invalid'],
    ['an instance profile', { instanceProfile: 'bad-profile' }, 'InvalidParameterValue', 'invalid'],
    ['a zone', { zone: 'sim-2a' }, 'InvalidParameterValue', 'invalid'],
  ])('is %s that does not exist, with EC2’s code', async (_, wanted, code, errorClass) => {
    const { cloud, sim, run } = world()

    await expect(run(cloud.create({ ...spec, ...wanted }))).rejects.toMatchObject({
      code,
      class: errorClass,
      outcomeUnknown: false,
    })
    expect(sim.instances()).toEqual([])
  })

  it('is a key that begins with bad-, and one that was withdrawn', async () => {
    const { access, run } = world({ rejectedAccessKeys: ['withdrawn'] })

    for (const key of ['bad-key', 'withdrawn']) {
      await expect(run(access(key).verify())).rejects.toMatchObject({ class: 'unauthorized', code: 'AuthFailure' })
    }
    await expect(run(access('any').verify())).resolves.toMatchObject({ account: '123456789012' })
  })

  it('is a create or a start for which there is no room', async () => {
    const { cloud, sim, run } = world({ pendingMs: 0, stoppingMs: 0 })
    const { id } = await run(cloud.create(spec))
    await run(cloud.stop([id]))
    sim.configure({ noCapacity: [{ instanceType: 't3.micro', zone: 'sim-1a' }] })

    const full = { class: 'capacity', code: 'InsufficientInstanceCapacity', outcomeUnknown: false }
    await expect(run(cloud.create({ ...spec, token: 'b' }))).rejects.toMatchObject(full)
    await expect(run(cloud.start([id]))).rejects.toMatchObject(full)
    await run(cloud.create({ ...spec, token: 'c', zone: 'sim-1b' }))
  })

  it('is one instance more than the account may have', async () => {
    const { cloud, time, run } = world({ maxInstances: 1 })
    const { id } = await run(cloud.create(spec))

    await expect(run(cloud.create({ ...spec, token: 'b' }))).rejects.toMatchObject({ class: 'quota' })
    await run(cloud.terminate([id]))
    await run(time.sleep(1_000))
    await run(cloud.create({ ...spec, token: 'b' }))
  })

  it('is a call more than the bucket holds', async () => {
    const { cloud, time, run } = world({ throttle: { RunInstances: { burst: 2, refillPerSecond: 1 } } })
    const attempt = (token: string) =>
      run(
        cloud.create({ ...spec, token }).then(
          () => 'ok',
          (error) => error.class,
        ),
      )

    expect([await attempt('a'), await attempt('b'), await attempt('c')]).toEqual(['ok', 'ok', 'throttled'])
    await run(time.sleep(1_000))
    expect(await attempt('d')).toBe('ok')
  })

  it('is a setting that is none, with its name', () => {
    const { sim } = world()

    expect(() => sim.configure({ lookupLagMs: -1 })).toThrow(/lookupLagMs/)
    expect(() => sim.configure({ latency: 5 } as SimSettingsInput)).toThrow(/latency/)
    expect(() => sim.outside({ action: 'stop', ids: ['i-0123456789abcdef0'] })).toThrow(/does not exist/)
  })
})

describe('the world outside', () => {
  it('stops, starts, resizes, retags, interrupts and launches', async () => {
    const { cloud, sim, run } = world({ pendingMs: 0, stoppingMs: 0, terminatingMs: 0 })
    const { id } = await run(cloud.create({ ...spec, marketType: 'Spot' }))
    const seen = () => run(cloud.get(id))

    sim.outside({ action: 'resize', ids: [id], instanceType: 't3.large' })
    sim.outside({ action: 'untag', ids: [id], keys: ['uid'] })
    sim.outside({ action: 'tag', ids: [id], tags: { owner: 'somebody' } })
    expect(await seen()).toMatchObject({ instanceType: 't3.large', tags: { owner: 'somebody' } })
    sim.outside({ action: 'stop', ids: [id] })
    expect(await seen()).toMatchObject({ state: 'stopped' })
    sim.outside({ action: 'start', ids: [id] })
    expect(await seen()).toMatchObject({ state: 'running' })
    sim.outside({ action: 'interrupt', ids: [id] })
    expect(await seen()).toMatchObject({
      state: 'terminated',
      stateReason: expect.stringContaining('Server.SpotInstanceTermination'),
    })
    const [theirs] = sim.outside({ action: 'launch', tags: { Name: 'theirs' } })
    expect(await run(cloud.get(theirs?.id ?? ''))).toMatchObject({ token: '', tags: { Name: 'theirs' } })
  })
})

describe('records', () => {
  it('bring back instances, tokens and what is under way', async () => {
    const before = world({ pendingMs: 60_000 })
    const { id } = await before.run(before.cloud.create(spec))
    await before.run(before.cloud.tag([id], { later: 'yes' }))

    const after = world({}, before.kept)
    const again = await after.run(after.cloud.create(spec))

    expect(again).toMatchObject({ id, state: 'pending', tags: { uid: 'u', later: 'yes' } })
    await after.run(after.time.sleep(60_000))
    expect(after.sim.instances()).toMatchObject([{ id, state: 'running' }])
  })
})
