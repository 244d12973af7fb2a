import { describe, expect, it } from 'vitest'
import type { CloudLimits, InstanceSpec } from './cloud.ts'
import { meteredCloud } from './metered-cloud.ts'
import { meters } from './meters.ts'
import type { CallReport } from './reported-cloud.ts'
import { inProcess } from './sim/exchange.ts'
import type { SimSettingsInput } from './sim/settings.ts'
import { createSim } from './sim/sim.ts'
import { simCloud } from './sim/sim-cloud.ts'
import { virtualTime } from './virtual-time.ts'

const spec: InstanceSpec = {
  token: 'token',
  tags: { uid: 'u' },
  instanceType: 't3.micro',
  image: 'ami-1',
  marketType: 'OnDemand',
}

/** A simulated cloud under virtual time, in which every state change is at once, and ways into it. */
function world(settings: SimSettingsInput = {}, limits: Partial<CloudLimits> = {}) {
  const time = virtualTime(Date.parse('2026-01-01T00:00:00Z'))
  const sim = createSim({
    now: time.now,
    random: () => sequence.next(),
    settings: { pendingMs: 0, stoppingMs: 0, terminatingMs: 0, ...settings },
  })
  const all = meters(time)
  const reports: CallReport[] = []
  const access = (accessKey = 'key', beforeMutation?: () => void) => {
    const transport = inProcess(sim, time)
    const cloud = simCloud({ transport, accessKey, secretKey: 's', region: 'sim-1', limits, sleep: time.sleep })
    const meter = all.of({ provider: 'sim', account: '123456789012', region: 'sim-1', limits: cloud.limits })
    const onCall = (report: CallReport) => reports.push(report)
    return meteredCloud({ cloud, meter, onCall, ...(beforeMutation && { beforeMutation }), ...time })
  }
  const launch = (count: number) =>
    Array.from({ length: count }, (_, n) => sim.outside({ action: 'launch', tags: { uid: `u${n}` } })[0]?.id ?? '')
  return { time, sim, reports, access, launch }
}

/** Chance that is the same each time. */
const sequence = (() => {
  let state = 1
  return {
    next() {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    },
  }
})()

describe('meteredCloud', () => {
  it.each([40, 300, 600])(
    'stops a thousand instances in at most 20 calls when they come at %i a second',
    async (perSecond) => {
      const { time, sim, access, launch } = world()
      const cloud = access()
      const ids = launch(1_000)

      const stopped: Promise<void>[] = []
      await time.until(
        (async () => {
          for (const id of ids) {
            stopped.push(cloud.stop([id]))
            await time.sleep(1_000 / perSecond)
          }
        })(),
      )
      await time.until(Promise.all(stopped))

      expect(sim.calls.mutations).toBeLessThanOrEqual(20)
      expect(sim.instances().every(({ state }) => state === 'stopped')).toBe(true)
    },
  )

  it('stops all the others when one of a batch does not exist, and tells that one', async () => {
    const { time, sim, access, launch } = world()
    const cloud = access()
    const ids = [...launch(20), 'i-00000000000000000']

    const outcomes = await time.until(Promise.allSettled(ids.map((id) => cloud.stop([id]))))

    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(20)
    expect(outcomes[20]).toMatchObject({ reason: { class: 'notFound', code: 'InvalidInstanceID.NotFound' } })
    expect(sim.calls.byAction.StopInstances.calls).toBe(2)
  })

  it('gathers tags that are the same, and keeps others apart', async () => {
    const { time, sim, access, launch } = world()
    const cloud = access()
    const [first = '', second = '', third = ''] = launch(3)

    await time.until(
      Promise.all([
        cloud.tag([first], { team: 'a' }),
        cloud.tag([second], { team: 'a' }),
        cloud.tag([third], { team: 'b' }),
        cloud.untag([first, second], ['uid']),
      ]),
    )

    expect(sim.calls.byAction.CreateTags.calls).toBe(2)
    expect(sim.calls.byAction.DeleteTags.calls).toBe(1)
    expect(sim.instances().map(({ tags }) => tags)).toEqual([{ team: 'a' }, { team: 'a' }, { uid: 'u2', team: 'b' }])
  })

  it('looks a thousand uids up in five calls, and gives each what is its own', async () => {
    const { time, sim, access, launch } = world()
    const cloud = access()
    const ids = launch(1_000)

    const found = await time.until(
      Promise.all(ids.map((_, n) => cloud.lookup({ tag: { key: 'uid', value: `u${n}` } }))),
    )

    expect(found.map((instances) => instances.map(({ id }) => id))).toEqual(ids.map((id) => [id]))
    expect(sim.calls.byAction.DescribeInstances.calls).toBe(5)
  })

  it('finds by its token an instance whose tag was removed', async () => {
    const { time, sim, access } = world()
    const cloud = access()
    const { id } = await time.until(cloud.create(spec))
    sim.outside({ action: 'untag', ids: [id], keys: ['uid'] })

    const byTag = await time.until(cloud.lookup({ tag: { key: 'uid', value: 'u' } }))
    const byBoth = await time.until(cloud.lookup({ tag: { key: 'uid', value: 'u' }, token: spec.token }))

    expect(byTag).toEqual([])
    expect(byBoth.map((instance) => instance.id)).toEqual([id])
  })

  it('finds an instance once that has both the tag and the token', async () => {
    const { time, access } = world()
    const cloud = access()
    const { id } = await time.until(cloud.create(spec))

    const found = await time.until(cloud.lookup({ tag: { key: 'uid', value: 'u' }, token: spec.token }))

    expect(found.map((instance) => instance.id)).toEqual([id])
  })

  it('keeps to the rate of the account, so that the cloud never has to throttle', async () => {
    const rate = { calls: { burst: 5, refillPerSecond: 2 } }
    const throttle = { RunInstances: { burst: 5, refillPerSecond: 2 } }
    const { time, sim, access } = world({ throttle }, { create: rate })
    const one = access('key-1')
    const other = access('key-2')

    const creates = Array.from({ length: 30 }, (_, n) =>
      (n % 2 === 0 ? one : other).create({ ...spec, token: `token-${n}` }),
    )
    const startedAt = time.now()
    await time.until(Promise.all(creates))

    expect(sim.calls.byAction.RunInstances).toMatchObject({ calls: 30, refused: 0 })
    expect(time.now() - startedAt).toBe(((30 - 5) / 2) * 1_000)
  })

  it('charges instances as well as calls, where the provider does', async () => {
    const limit = { calls: { burst: 100, refillPerSecond: 100 }, instances: { burst: 10, refillPerSecond: 10 } }
    const { time, access, launch } = world({}, { stop: limit })
    const cloud = access()
    await time.until(cloud.stop(launch(10)))

    const before = time.now()
    await time.until(cloud.stop(launch(10)))

    expect(time.now() - before).toBeGreaterThan(900)
  })

  it('starts as many as the provider allows at once and the others as it allows more, instead of all at the end', async () => {
    const limit = { calls: { burst: 100, refillPerSecond: 100 }, instances: { burst: 10, refillPerSecond: 2 } }
    const { time, sim, access, launch } = world({}, { stop: limit })
    const cloud = access()

    const stopping = Promise.all(launch(20).map((id) => cloud.stop([id])))
    await time.until(time.sleep(1_000))
    expect(sim.instances().filter(({ state }) => state === 'stopped').length).toBeGreaterThanOrEqual(10)

    const startedAt = time.now()
    await time.until(stopping)
    expect(time.now() - startedAt).toBeLessThan(5_000)
  })

  it('slows down when the cloud throttles it all the same', async () => {
    const { time, sim, access, reports } = world({}, { create: { calls: { burst: 10, refillPerSecond: 10 } } })
    const cloud = access()
    sim.configure({
      faults: [{ action: 'RunInstances', count: 1, error: { code: 'RequestLimitExceeded', status: 503 } }],
    })

    await expect(time.until(cloud.create(spec))).rejects.toMatchObject({ class: 'throttled', outcomeUnknown: false })
    const before = time.now()
    await time.until(cloud.create(spec))

    expect(time.now() - before).toBeGreaterThanOrEqual(200) // a token at half of ten a second
    expect(reports.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual(['create throttled', 'create ok'])
  })

  it('slows down whatever the words, where the cloud does not meter instances apart', async () => {
    const { time, sim, access } = world({}, { create: { calls: { burst: 10, refillPerSecond: 10 } } })
    const message = 'The resource is being operated on too often.'
    const error = { code: 'RequestLimitExceeded', status: 503, message }
    sim.configure({ faults: [{ action: 'RunInstances', count: 1, error }] })
    const cloud = access()

    await expect(time.until(cloud.create(spec))).rejects.toMatchObject({ class: 'throttled' })
    const before = time.now()
    await time.until(cloud.create(spec))

    expect(time.now() - before).toBeGreaterThanOrEqual(200)
  })

  it('asks right before a mutation goes out whether it still may, and sends nothing if not', async () => {
    let leader = true
    const { time, sim, access, launch } = world()
    const cloud = access('key', () => {
      if (!leader) throw new Error('deposed')
    })
    const [id = ''] = launch(1)

    const stopping = cloud.stop([id])
    leader = false // while the call is being gathered

    await expect(time.until(stopping)).rejects.toThrow('deposed')
    await expect(time.until(cloud.create(spec))).rejects.toThrow('deposed')
    expect(sim.calls.mutations).toBe(0)
    await expect(time.until(cloud.get(id))).resolves.toMatchObject({ state: 'running' })
  })

  it('takes one token a page of a listing and reports each', async () => {
    const { time, access, launch, reports } = world()
    const cloud = access()
    launch(2_500)

    const listed = await time.until(
      (async () => {
        const pages: number[] = []
        for await (const page of cloud.list({ kind: 'all' })) pages.push(page.length)
        return pages
      })(),
    )

    expect(listed).toEqual([1_000, 1_000, 500])
    expect(reports).toHaveLength(3)
  })
})
