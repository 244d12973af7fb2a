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
  readonly facts: {
    /** Whether a repeated token gives the same instance. */
    readonly honoursTokens: boolean
    /** Whether a mutation is refused that the instance's state does not allow. */
    readonly checksStates: boolean
    /** Whether a key pair that does not exist is refused. */
    readonly checksKeys: boolean
  }
}

export function behavesAsACloud({ cloud, spec, otherType, regionName, facts }: CloudUnderTest): void {
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
    await expect.poll(async () => (await cloud().get(id))?.state, { timeout: 20_000 }).toBe(state)
    const instance = await cloud().get(id)
    if (!instance) throw new Error(`${id} is gone`)
    return instance
  }

  async function running(more: Partial<InstanceSpec> = {}): Promise<Instance> {
    const { id } = await cloud().create(specWith(more))
    return reaches(id, 'running')
  }

  it('says who a key belongs to', async () => {
    const { account, identity } = await cloud().verify()

    expect(account).toMatch(/^\d{12}$/)
    expect(identity).toContain(account)
  })

  it('lists its regions with the names that people know', async () => {
    const regions = await cloud().regions()

    expect(regions.length).toBeGreaterThan(1)
    expect(regions).toContainEqual(regionName)
  })

  it('makes an instance that has its tags, its token and its type from the first moment', async () => {
    const wanted = specWith()

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
    const zone = `${cloud().region}b`

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

  it('shows a terminated instance for a while, with its tags', async () => {
    const made = await running()
    await cloud().terminate([made.id])
    await reaches(made.id, 'terminated')

    const [found] = await listed({ kind: 'tag', key: 'test', values: [made.tags.test ?? ''] })

    expect(found).toMatchObject({ id: made.id, state: 'terminated', publicIP: '' })
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
    expect(await cloud().get('i-00000000000000000')).toBeUndefined()
    expect(await cloud().get('not-an-id')).toBeUndefined()
  })

  it.each(['start', 'stop', 'terminate'] as const)(
    'refuses to %s many if one of them does not exist, does nothing, and names it',
    async (verb) => {
      const { id } = await running()

      await expect(cloud()[verb]([id, 'i-00000000000000000'])).rejects.toMatchObject({
        name: 'CloudError',
        class: 'notFound',
        code: 'InvalidInstanceID.NotFound',
        message: expect.stringContaining('i-00000000000000000'),
        outcomeUnknown: false,
      })
      expect(await cloud().get(id)).toMatchObject({ state: 'running' })
    },
  )

  it.each([
    ['an image', { image: 'ami-00000000000000bad' }, /^InvalidAMIID\./],
    ['a subnet', { subnetId: 'bad-subnet' }, /^InvalidSubnetI[Dd]\.NotFound$/],
    ['a security group', { securityGroupIds: ['bad-group'] }, /^InvalidGroup\.NotFound$/],
    ['a zone', { zone: 'nowhere-1a' }, /^InvalidParameterValue$/],
  ] as const)('refuses %s that does not exist, in the cloud’s words, and makes nothing', async (what, wrong, code) => {
    const asked = specWith(what === 'an image' && cloud().provider === 'sim' ? { image: 'bad-image' } : wrong)

    const refused = cloud().create(asked)

    await expect(refused).rejects.toMatchObject({ class: 'invalid', code: expect.stringMatching(code) })
    await expect(refused).rejects.toMatchObject({ message: expect.stringMatching(/.../), outcomeUnknown: false })
    expect(await listed({ kind: 'tag', key: 'test', values: [asked.tags.test ?? ''] })).toEqual([])
  })

  it.runIf(facts.checksKeys)('refuses a key pair that does not exist', async () => {
    await expect(cloud().create(specWith({ sshKeyName: 'bad-key' }))).rejects.toMatchObject({
      class: 'invalid',
      code: 'InvalidKeyPair.NotFound',
    })
  })

  it.runIf(facts.checksStates)('refuses to resize what runs, and to start what is terminated', async () => {
    const { id } = await running()

    await expect(cloud().resize(id, otherType)).rejects.toMatchObject({ class: 'notReady' })
    await cloud().terminate([id])
    await reaches(id, 'terminated')
    await expect(cloud().start([id])).rejects.toMatchObject({ class: 'notReady', code: 'IncorrectInstanceState' })
  })

  it.runIf(facts.honoursTokens)('gives the same instance for the same token', async () => {
    const wanted = specWith()

    const first = await cloud().create(wanted)
    const again = await cloud().create(wanted)

    expect(again.id).toBe(first.id)
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

  it('is told to stop by a signal, and says so with its reason', async () => {
    const reason = new Error('enough')

    await expect(cloud().get('i-00000000000000000', AbortSignal.abort(reason))).rejects.toBe(reason)
    await expect(cloud().create(specWith(), AbortSignal.abort(reason))).rejects.toBe(reason)
  })
}
