/**
 * What every cloud does, written once and run over each. Where a stand-in for a cloud falls short of it, the facts
 * that are passed in say so, and the test says what happens instead.
 */
import { expect, it } from 'vitest'
import type { Cloud, CloudRegion, Instance, InstanceFilter, InstanceSpec } from '../../clouds/cloud.ts'

export interface CloudUnderTest {
  readonly cloud: () => Cloud
  /** A spec that the cloud accepts, but for its token and tags. */
  readonly spec: Omit<InstanceSpec, 'token' | 'tags'>
  readonly otherType: string
  /** One of its regions, as it should be listed. */
  readonly regionName: CloudRegion
  /** What an account of it looks like. */
  readonly account: RegExp
  /** An id that never was. */
  readonly unknownId: string
  /** Specs that name what does not exist, and the codes by which the cloud refuses them. */
  readonly refused: readonly (readonly [what: string, wrong: Partial<InstanceSpec>, code: RegExp])[]
  readonly facts: {
    /** Whether a repeated token gives the same instance. */
    readonly honoursTokens: boolean
    /** Whether a token that is repeated with another spec is refused. */
    readonly comparesSpecs: boolean
    /** Whether an instance that is gone is still listed for a while. */
    readonly listsTerminated: boolean
    /** Whether a mutation is refused that the instance's state does not allow. */
    readonly checksStates: boolean
  }
}

export function behavesAsACloud(under: CloudUnderTest): void {
  const { cloud, spec, otherType, regionName, account: accountForm, unknownId, refused, facts } = under
  const unique = () => crypto.randomUUID()

  function specWith(more: Partial<InstanceSpec> = {}): InstanceSpec {
    return { ...spec, token: unique(), tags: { test: unique() }, ...more }
  }

  async function listed(filter: InstanceFilter): Promise<readonly Instance[]> {
    const found: Instance[] = []
    for await (const page of cloud().list(filter)) found.push(...page)
    return found
  }

  async function reaches(id: string, state: Instance['state']): Promise<Instance> {
    await expect.poll(async () => (await cloud().get(id))?.state).toBe(state)
    const instance = await cloud().get(id)
    if (!instance) throw new Error(`${id} is gone`)
    return instance
  }

  async function running(more: Partial<InstanceSpec> = {}): Promise<Instance> {
    const { id } = await cloud().create(specWith(more))
    return reaches(id, 'running')
  }

  it('creates with everything that a create may say, the series of the attempt too', async () => {
    const { id } = await running({ series: '2026-01-01T00:00:00Z' })
    await cloud().terminate([id])
  })

  it('says who a key belongs to', async () => {
    const { account, identity } = await cloud().verify()

    expect(account).toMatch(accountForm)
    expect(identity).toContain(account)
  })

  it('lists its regions with the names that people know', async () => {
    const regions = await cloud().regions()

    expect(regions.length).toBeGreaterThan(1)
    expect(regions).toContainEqual(regionName)
  })

  it('makes an instance that has its tags, its token and its type from the first moment', async () => {
    const wanted = specWith({ series: '2026-01-02T03:04:05Z' })

    const made = await cloud().create(wanted)

    expect(made).toMatchObject({ instanceType: wanted.instanceType, image: wanted.image, marketType: 'OnDemand' })
    expect(made).toMatchObject({ token: wanted.token, tags: wanted.tags, region: cloud().region })
    expect(made.zone.startsWith(cloud().region)).toBe(true)
    expect(made.launchTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(await cloud().get(made.id)).toMatchObject({ id: made.id, tags: wanted.tags, token: wanted.token })
  })

  it('gives a running instance its addresses', async () => {
    const instance = await running()

    expect(instance.privateIP).toMatch(/^\d+(\.\d+){3}$/)
    expect(instance.publicIP).toMatch(/^\d+(\.\d+){3}$/)
  })

  it('makes an instance in the zone that is asked for', async () => {
    const { zone: another } = await cloud().create(specWith())
    const zone = another.replace(/.$/, (letter) => (letter === 'b' ? 'c' : 'b'))

    expect(await cloud().create(specWith({ zone }))).toMatchObject({ zone })
  })

  it('makes a Spot instance when it is asked to', async () => {
    const { id } = await cloud().create(specWith({ marketType: 'Spot' }))

    expect(await cloud().get(id)).toMatchObject({ marketType: 'Spot' })
  })

  it('finds by tag those that have one of the values, and no other', async () => {
    const [one, two, three] = [unique(), unique(), unique()]
    const made = await Promise.all([one, two, three].map((test) => cloud().create(specWith({ tags: { test } }))))

    const found = await listed({ kind: 'tag', key: 'test', values: [one, two] })

    expect(found.map(({ id }) => id).toSorted()).toEqual([made[0]?.id, made[1]?.id].toSorted())
  })

  it('takes the wildcards of a filter for what they are', async () => {
    await cloud().create(specWith({ tags: { test: 'wild-card' } }))
    const star = await cloud().create(specWith({ tags: { test: 'wild-*' } }))

    const found = await listed({ kind: 'tag', key: 'test', values: ['wild-*'] })

    expect(found.map(({ id }) => id)).toEqual([star.id])
  })

  it('finds by token what was made with it', async () => {
    const made = await cloud().create(specWith())

    const found = await listed({ kind: 'token', tokens: [unique(), made.token] })

    expect(found.map(({ id }) => id)).toEqual([made.id])
  })

  it('stops, resizes and starts', async () => {
    const { id } = await running()

    await cloud().stop([id])
    await reaches(id, 'stopped')
    await cloud().resize(id, otherType)
    await cloud().start([id])

    expect(await reaches(id, 'running')).toMatchObject({ instanceType: otherType })
  })

  it('may be told twice', async () => {
    const { id } = await running()

    await cloud().start([id])
    await cloud().stop([id])
    await cloud().stop([id])
    await reaches(id, 'stopped')
    await cloud().stop([id])
    await cloud().terminate([id])
    await cloud().terminate([id])

    await reaches(id, 'terminated')
  })

  it.runIf(facts.listsTerminated)('shows a terminated instance for a while, with its tags', async () => {
    const made = await running()
    await cloud().terminate([made.id])
    await reaches(made.id, 'terminated')

    const [found] = await listed({ kind: 'tag', key: 'test', values: [made.tags.test ?? ''] })

    expect(found).toMatchObject({ id: made.id, state: 'terminated', publicIP: '' })
  })

  it.skipIf(facts.listsTerminated)('lists no instance that is gone, and says how it ended', async () => {
    const made = await running()
    await cloud().terminate([made.id])

    const gone = await reaches(made.id, 'terminated')

    expect(gone).toMatchObject({ id: made.id, region: made.region, zone: made.zone })
    expect(gone.stateReason).not.toBe('')
    expect(await listed({ kind: 'tag', key: 'test', values: [made.tags.test ?? ''] })).toEqual([])
  })

  it('sets, overwrites and removes tags of many at once', async () => {
    const made = [await cloud().create(specWith()), await cloud().create(specWith())]
    const ids = made.map(({ id }) => id)

    await cloud().tag(ids, { owner: 'a', team: 'b' })
    await cloud().tag(ids, { owner: 'c' })
    await cloud().untag(ids, ['team', 'never-was'])

    for (const { id, tags } of made) {
      expect((await cloud().get(id))?.tags).toEqual({ ...tags, owner: 'c' })
    }
  })

  it('knows nothing of an id that never was, or could not be one', async () => {
    expect(await cloud().get(unknownId)).toBeUndefined()
    expect(await cloud().get('not-an-id')).toBeUndefined()
  })

  it.each(['start', 'stop', 'terminate'] as const)(
    'refuses to %s a call’s worth if one of them does not exist, does nothing, and names it',
    async (verb) => {
      const { id } = await running()
      const ids = [id, unknownId].slice(-cloud().guarantees.maxBatch)

      await expect(cloud()[verb](ids)).rejects.toMatchObject({
        name: 'CloudError',
        class: 'notFound',
        message: expect.stringContaining(unknownId),
        outcomeUnknown: false,
      })
      expect(await cloud().get(id)).toMatchObject({ state: 'running' })
    },
  )

  it.each(refused)(
    'refuses %s that does not exist, in the cloud’s words, and makes nothing',
    async (_, wrong, code) => {
      const asked = specWith(wrong)

      const attempt = cloud().create(asked)

      await expect(attempt).rejects.toMatchObject({ class: 'invalid', code: expect.stringMatching(code) })
      await expect(attempt).rejects.toMatchObject({ message: expect.stringMatching(/.../), outcomeUnknown: false })
      expect(await listed({ kind: 'tag', key: 'test', values: [asked.tags.test ?? ''] })).toEqual([])
    },
  )

  it.runIf(facts.checksStates)('refuses to resize what runs, and to start what is terminated', async () => {
    const { id } = await running()

    await expect(cloud().resize(id, otherType)).rejects.toMatchObject({ class: 'notReady' })
    await cloud().terminate([id])
    await reaches(id, 'terminated')
    const gone = facts.listsTerminated ? 'notReady' : 'notFound'
    await expect(cloud().start([id])).rejects.toMatchObject({ class: gone })
  })

  it.runIf(facts.honoursTokens)('gives the same instance for the same token', async () => {
    const wanted = specWith()

    const first = await cloud().create(wanted)
    const again = await cloud().create(wanted)

    expect(again.id).toBe(first.id)
  })

  it.runIf(facts.comparesSpecs)('refuses the same token for something else', async () => {
    const wanted = specWith()
    await cloud().create(wanted)

    await expect(cloud().create({ ...wanted, instanceType: otherType })).rejects.toMatchObject({
      class: 'conflict',
      code: 'IdempotentParameterMismatch',
    })
  })

  it.skipIf(facts.honoursTokens)('makes a second instance for the same token; the lookup finds both', async () => {
    const wanted = specWith()

    const first = await cloud().create(wanted)
    const again = await cloud().create(wanted)

    expect(again.id).not.toBe(first.id)
    expect(await listed({ kind: 'tag', key: 'test', values: [wanted.tags.test ?? ''] })).toHaveLength(2)
  })

  it('chooses a zone of its region where one has to be named, the same for a token, until it is refused', async () => {
    const token = unique()

    const first = await cloud().chooseZone(token, [])
    if (first === undefined) return expect(await cloud().chooseZone(token, ['any'])).toBeUndefined()

    expect(await cloud().chooseZone(token, [])).toBe(first)
    const tried: string[] = []
    for (let zone: string | undefined = first; zone; zone = await cloud().chooseZone(token, tried)) {
      expect(zone.startsWith(cloud().region)).toBe(true)
      expect(tried).not.toContain(zone)
      tried.push(zone)
    }
    expect(tried.length).toBeGreaterThan(1)
  })

  it('is told to stop by a signal, and says so with its reason', async () => {
    const reason = new Error('enough')

    await expect(cloud().get(unknownId, AbortSignal.abort(reason))).rejects.toBe(reason)
    await expect(cloud().create(specWith(), AbortSignal.abort(reason))).rejects.toBe(reason)
  })
}
