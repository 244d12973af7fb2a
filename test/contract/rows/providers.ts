import { expect, it } from 'vitest'
import { simProvider } from '../../../clouds/sim/provider.ts'
import { anId, aText, aTime, failure, invalid, NOBODY } from '../forms.ts'
import { type Person, until } from '../rest.ts'
import type { Subject } from '../subject.ts'
import { makeWorkspace } from './team.ts'

/** A key of an account of its own at the sim cloud, so that nobody else's instances are in it. */
export function simKey() {
  const account = String(Math.floor(1e11 + Math.random() * 8e11))
  return { access_key: `${account}-key`, secret_key: 'secret' }
}

type SimKey = ReturnType<typeof simKey>

async function makeCredential(owner: Person, workspaceId: string, key: SimKey, region?: string): Promise<string> {
  const credentials = { ...key, ...(region !== undefined && { region }) }
  const answer = await owner.post('/api/v1/credentials', {
    body: { workspace_id: workspaceId, provider: 'sim', credentials },
  })
  if (answer.status !== 201) throw new Error(`no credential: ${answer.text}`)
  return answer.body.data.id
}

export function providerRows(installation: () => Subject): void {
  /** Somebody else makes an instance, with nothing of SkyClust. */
  function madeElsewhere(key: SimKey, name: string, region = 'sim-1') {
    const cloud = simProvider({ simUrl: installation().simUrl }).connect({ secret: key }, region)
    return cloud.create({
      token: crypto.randomUUID(),
      tags: { Name: name },
      instanceType: 't3.micro',
      image: 'ubuntu',
      marketType: 'OnDemand',
    })
  }

  /** The sim cloud misbehaves for as long as `during` takes. */
  async function misbehaving<T>(fault: object, during: () => Promise<T>): Promise<T> {
    const control = (body: object) =>
      fetch(`${installation().simUrl}/control`, { method: 'PATCH', body: JSON.stringify(body) })
    expect((await control({ faults: [fault] })).status).toBe(200)
    try {
      return await during()
    } finally {
      await control({ faults: [] })
    }
  }

  it('GET providers → 200 {providers: [{name, version}]}, with the names as they are printed', async () => {
    const kim = await installation().newcomer('Kim')
    const answer = await kim.get('/api/v1/providers')

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ success: true, data: { providers: expect.any(Array) } })
    for (const name of ['AWS', 'GCP']) expect(answer.body.data.providers).toContainEqual({ name, version: aText })
    for (const provider of answer.body.data.providers) expect(provider).toEqual({ name: aText, version: aText })
  })

  it('GET providers/:name → 200 {name, version}, without regard to case; another → 404', async () => {
    const kim = await installation().newcomer('Kim')
    for (const name of ['aws', 'AWS', 'Aws', 'gcp', 'GCP', 'Gcp']) {
      const answer = await kim.get(`/api/v1/providers/${name}`)
      expect(answer.status).toBe(200)
      expect(answer.body).toEqual({ success: true, data: { name: name.toUpperCase(), version: aText } })
    }
    for (const path of ['', '/regions', '/instances', '/instances/i-1', '/cost-estimates']) {
      const answer = await kim.get(`/api/v1/providers/azure${path}`)
      expect(answer.status).toBe(404)
      expect(answer.body).toEqual(failure('NOT_FOUND'))
    }
  })

  it('GET providers/:name/regions → 200 [{name, display_name}], without a cloud account, in pages', async () => {
    const kim = await installation().newcomer('Kim')
    const answer = await kim.get('/api/v1/providers/AWS/regions')

    expect(answer.status).toBe(200)
    expect(answer.body.data).toContainEqual({ name: 'us-east-1', display_name: 'US East (N. Virginia)' })
    expect(answer.headers.get('x-total-count')).toBe(String(answer.body.data.length))
    const google = await kim.get('/api/v1/providers/gcp/regions')
    expect(google.body.data).toContainEqual({ name: 'us-central1', display_name: aText })
    for (const region of google.body.data) expect(region).toEqual({ name: aText, display_name: aText })
    const page = await kim.get('/api/v1/providers/aws/regions?limit=2&offset=1')
    expect(page.body.data).toEqual(answer.body.data.slice(1, 3))
    expect(page.headers.get('x-total-count')).toBe(answer.headers.get('x-total-count'))
  })

  it('GET providers/:name/instances without a credential → 200 []', async () => {
    const kim = await installation().newcomer('Kim')
    const workspace = await makeWorkspace(kim)
    for (const query of ['', '?region=us-east-1', `?workspace_id=${workspace}`]) {
      const answer = await kim.get(`/api/v1/providers/aws/instances${query}`)
      expect(answer.status).toBe(200)
      expect(answer.body).toEqual({ success: true, data: [] })
      expect(answer.headers.get('x-total-count')).toBe('0')
    }
  })

  it('GET providers/:name/instances → what the cloud has, whoever made it, right after the credential', async () => {
    const kim = await installation().newcomer('Kim')
    const key = simKey()
    const made = await madeElsewhere(key, 'not ours')
    await makeCredential(kim, await makeWorkspace(kim), key, 'sim-1')
    const answer = await kim.get('/api/v1/providers/SIM/instances')

    expect(answer.status).toBe(200)
    expect(answer.body.data).toEqual([
      {
        id: made.id,
        name: 'not ours',
        status: expect.stringMatching(/^(pending|running)$/),
        type: 't3.micro',
        region: 'sim-1',
        public_ip: expect.any(String),
        private_ip: expect.any(String),
        created_at: aTime,
      },
    ])
    const one = await until(
      () => kim.get(`/api/v1/providers/sim/instances/${made.id}`),
      ({ body }) => body.data?.status === 'running',
    )
    expect(one.body.data).toMatchObject({ id: made.id, name: 'not ours', type: 't3.micro', private_ip: aText })
  })

  it('?region= says where, else each credential’s own; a region that is none → 400', async () => {
    const kim = await installation().newcomer('Kim')
    const key = simKey()
    const [one, two] = [await madeElsewhere(key, 'one', 'sim-1'), await madeElsewhere(key, 'two', 'sim-2')]
    const workspace = await makeWorkspace(kim)
    await makeCredential(kim, workspace, key, 'sim-1')
    const idsIn = async (query: string) =>
      (await kim.get(`/api/v1/providers/sim/instances${query}`)).body.data.map(({ id }: { id: string }) => id)

    expect(await idsIn('')).toEqual([one.id])
    expect(await idsIn('?region=sim-2')).toEqual([two.id])
    expect((await kim.get(`/api/v1/providers/sim/instances/${two.id}`)).status).toBe(404)
    expect((await kim.get(`/api/v1/providers/sim/instances/${two.id}?region=sim-2`)).status).toBe(200)
    const nowhere = await kim.get('/api/v1/providers/sim/instances?region=nowhere')
    expect(nowhere.status).toBe(400)
    expect(nowhere.body).toEqual(invalid('region'))
    await makeCredential(kim, workspace, simKey())
    const nowhereOfItsOwn = await kim.get('/api/v1/providers/sim/instances')
    expect(nowhereOfItsOwn.body).toEqual(invalid('region'))
  })

  it('several credentials show each instance once; workspace_id and credential_id choose; pages are bounded', async () => {
    const kim = await installation().newcomer('Kim')
    const [key, otherKey] = [simKey(), simKey()]
    for (const name of ['a', 'b']) await madeElsewhere(key, name)
    await madeElsewhere(otherKey, 'c')
    const [workspace, other] = [await makeWorkspace(kim), await makeWorkspace(kim)]
    const credential = await makeCredential(kim, workspace, key, 'sim-1')
    await makeCredential(kim, workspace, key, 'sim-1')
    await makeCredential(kim, other, otherKey, 'sim-1')
    const list = (query: string) => kim.get(`/api/v1/providers/sim/instances${query}`)
    const names = async (query: string) =>
      (await list(query)).body.data.map(({ name }: { name: string }) => name).sort()

    expect(await names('')).toEqual(['a', 'b', 'c'])
    expect(await names(`?workspace_id=${workspace}`)).toEqual(['a', 'b'])
    expect(await names(`?workspace_id=${other}`)).toEqual(['c'])
    expect(await names(`?credential_id=${credential}`)).toEqual(['a', 'b'])
    expect((await list(`?workspace_id=${other}&credential_id=${credential}`)).status).toBe(404)
    expect((await list(`?credential_id=${NOBODY}`)).status).toBe(404)
    expect((await kim.get(`/api/v1/providers/aws/instances?credential_id=${credential}`)).status).toBe(404)

    const [whole, page] = [await list(''), await list('?limit=1&offset=2')]
    expect(page.body.data).toEqual([whole.body.data[2]])
    expect(page.headers.get('x-total-count')).toBe('3')
    expect((await list('?limit=1001')).body).toEqual(invalid('limit'))
  })

  it('a viewer may list instances; for an outsider the workspace and the credential are not there', async () => {
    const [kim, lee] = [await installation().newcomer('Kim'), await installation().newcomer('Lee')]
    const key = simKey()
    await madeElsewhere(key, 'seen')
    const workspace = await makeWorkspace(kim)
    const credential = await makeCredential(kim, workspace, key, 'sim-1')
    const path = '/api/v1/providers/sim/instances'

    expect((await lee.get(path)).body.data).toEqual([])
    const stranger = await lee.get(`${path}?workspace_id=${workspace}`)
    expect(stranger.status).toBe(404)
    expect(stranger.text).toBe((await lee.get(`${path}?workspace_id=${NOBODY}`)).text)
    expect((await lee.get(`${path}?credential_id=${credential}`)).text).toBe(stranger.text)

    await kim.post(`/api/v1/workspaces/${workspace}/members`, { body: { email: lee.email, role: 'viewer' } })
    expect((await lee.get(path)).body.data).toMatchObject([{ name: 'seen' }])
  })

  it('a cloud that refuses the key → 502 in its words, naming the credential and no secret', async () => {
    const kim = await installation().newcomer('Kim')
    const key = { access_key: 'bad-key', secret_key: 'bad-secret-value' }
    await makeCredential(kim, await makeWorkspace(kim), key, 'sim-1')
    for (const path of ['', '/i-0123456789abcdef0']) {
      const answer = await kim.get(`/api/v1/providers/sim/instances${path}`)
      expect(answer.status).toBe(502)
      expect(answer.body).toEqual(failure('BAD_GATEWAY', expect.stringContaining('validate the provided access')))
      expect(answer.text).not.toContain('bad-')
    }
  })

  it('a cloud that fails → 502 in its words; one that throttles → 503 with Retry-After', async () => {
    const kim = await installation().newcomer('Kim')
    await makeCredential(kim, await makeWorkspace(kim), simKey(), 'sim-1')
    const path = '/api/v1/providers/sim/instances'

    const error = { code: 'InternalError', message: 'The moon is in the way', status: 500 }
    const failed = await misbehaving({ action: 'DescribeInstances', error }, () => kim.get(path))
    expect(failed.status).toBe(502)
    expect(failed.body).toEqual(failure('BAD_GATEWAY', expect.stringContaining('The moon is in the way')))

    const throttled = await misbehaving(
      { action: 'DescribeInstances', error: { code: 'RequestLimitExceeded', message: 'Not so fast', status: 503 } },
      () => kim.get(path),
    )
    expect(throttled.status).toBe(503)
    expect(throttled.body).toEqual(failure('SERVICE_UNAVAILABLE', expect.stringContaining('Not so fast')))
    expect(throttled.headers.get('retry-after')).toMatch(/^\d+$/)
    expect((await kim.get(path)).status).toBe(200)
  })

  it('a cloud that does not answer → 504, while everything else is answered', async () => {
    const kim = await installation().newcomer('Kim')
    await makeCredential(kim, await makeWorkspace(kim), simKey(), 'sim-1')
    const answer = await misbehaving({ action: 'DescribeInstances', answer: 'never' }, async () => {
      const ended: string[] = []
      const note = (name: string) => () => void ended.push(name)
      const slow = kim.get('/api/v1/providers/sim/instances')
      await Promise.all([slow.then(note('slow')), kim.get('/api/v1/providers/aws/regions').then(note('other'))])
      expect(ended).toEqual(['other', 'slow'])
      return slow
    })
    expect(answer.status).toBe(504)
    expect(answer.body).toEqual(failure('GATEWAY_TIMEOUT', expect.stringContaining('Sim')))
  })
}

export function costEstimateRows(installation: () => Subject): void {
  const aws = '/api/v1/providers/aws/cost-estimates'
  const wanted = { instance_type: 't3.micro', region: 'us-east-1', duration_hours: 24 }

  it('POST providers/:name/cost-estimates → 201 {id, …, estimated_cost, currency, created_at}, with source and date', async () => {
    const kim = await installation().newcomer('Kim')
    const answer = await kim.post(aws, { body: wanted })

    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({
      success: true,
      data: {
        id: anId,
        instance_type: 't3.micro',
        region: 'us-east-1',
        estimated_cost: 0.2496,
        currency: 'USD',
        created_at: aTime,
        duration_hours: 24,
        hourly_price: 0.0104,
        price_source: expect.stringContaining('AWS Price List'),
        priced_at: aTime,
      },
    })
  })

  it('a GCP type alike', async () => {
    const kim = await installation().newcomer('Kim')
    const body = { instance_type: 'e2-standard-2', region: 'us-central1', duration_hours: 100 }
    const answer = await kim.post('/api/v1/providers/GCP/cost-estimates', { body })

    expect(answer.status).toBe(201)
    expect(answer.body.data).toMatchObject({ ...body, id: anId, estimated_cost: 6.701142, currency: 'USD' })
    expect(answer.body.data.price_source).toContain('Google Cloud')
  })

  it('costs are exact, for parts of an hour and for ten years', async () => {
    const kim = await installation().newcomer('Kim')
    const cost = async (instance_type: string, duration_hours: number) =>
      (await kim.post(aws, { body: { ...wanted, instance_type, duration_hours } })).body.data.estimated_cost

    expect(await cost('t3.small', 3)).toBe(0.0624)
    expect(await cost('t3.nano', 0.5)).toBe(0.0026)
    expect(await cost('m5.large', 730)).toBe(70.08)
    expect(await cost('c7a.large', 87_600)).toBe(8991.264)
  })

  it('GET providers/:name/cost-estimates → 200 [ … ], the caller’s own for that provider, in pages', async () => {
    const [kim, lee] = [await installation().newcomer('Kim'), await installation().newcomer('Lee')]
    const made = []
    for (const hours of [1, 2, 3]) {
      made.push((await kim.post(aws, { body: { ...wanted, duration_hours: hours } })).body.data)
    }
    await kim.post('/api/v1/providers/sim/cost-estimates', { body: { ...wanted, region: 'sim-1' } })
    const answer = await kim.get('/api/v1/providers/AWS/cost-estimates')

    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-total-count')).toBe('3')
    expect(new Set(answer.body.data.map(JSON.stringify))).toEqual(new Set(made.map((one) => JSON.stringify(one))))
    const page = await kim.get(`${aws}?limit=1&offset=1`)
    expect(page.body.data).toEqual([answer.body.data[1]])
    expect(page.headers.get('x-total-count')).toBe('3')
    expect((await kim.get('/api/v1/providers/sim/cost-estimates')).body.data).toHaveLength(1)
    expect((await lee.get(aws)).body).toEqual({ success: true, data: [] })
  })

  it('a type without a known price → 400, never a guess; so is a region that is none', async () => {
    const kim = await installation().newcomer('Kim')
    for (const instance_type of ['m5.gigantic', 'e2-micro', 'T3.MICRO', '../../etc']) {
      const answer = await kim.post(aws, { body: { ...wanted, instance_type } })
      expect(answer.status).toBe(400)
      expect(answer.body).toEqual(invalid('instance_type'))
    }
    const nowhere = await kim.post(aws, { body: { ...wanted, region: 'us-central1' } })
    expect(nowhere.body).toEqual(invalid('region'))
    expect((await kim.get(aws)).body.data).toEqual([])
  })

  it('what does not validate → 400, naming the field', async () => {
    const kim = await installation().newcomer('Kim')
    for (const duration_hours of [0, -1, 87_601, '24', null, true, 1e308, 0.001]) {
      const answer = await kim.post(aws, { body: { ...wanted, duration_hours } })
      expect(answer.status).toBe(400)
      expect(answer.body).toEqual(invalid('duration_hours'))
    }
    expect((await kim.post(aws, { body: {} })).body).toEqual(invalid('instance_type', 'region', 'duration_hours'))
    expect((await kim.post(aws, { body: { ...wanted, currency: 'EUR' } })).body).toEqual(invalid('currency'))
    expect((await kim.get(`${aws}?limit=0`)).body).toEqual(invalid('limit'))
  })

  it('repeated with its Idempotency-Key it makes one', async () => {
    const kim = await installation().newcomer('Kim')
    const headers = { 'idempotency-key': crypto.randomUUID() }
    const [first, again] = [
      await kim.post(aws, { body: wanted, headers }),
      await kim.post(aws, { body: wanted, headers }),
    ]

    expect(again.status).toBe(201)
    expect(again.text).toBe(first.text)
    expect((await kim.get(aws)).headers.get('x-total-count')).toBe('1')
    expect((await kim.post(aws, { body: { ...wanted, duration_hours: 1 }, headers })).status).toBe(409)
  })

  it('DELETE providers/:name/cost-estimates/:id → 200 message; somebody else’s → 404', async () => {
    const [kim, lee] = [await installation().newcomer('Kim'), await installation().newcomer('Lee')]
    const { id } = (await kim.post(aws, { body: wanted })).body.data

    expect((await lee.delete(`${aws}/${id}`)).status).toBe(404)
    expect((await kim.delete(`/api/v1/providers/sim/cost-estimates/${id}`)).status).toBe(404)
    const answer = await kim.delete(`${aws}/${id}`)
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ success: true, message: '견적이 삭제되었습니다.' })
    expect((await kim.get(aws)).body.data).toEqual([])
    expect((await kim.delete(`${aws}/${id}`)).status).toBe(404)
  })

  it('they go with their user', async () => {
    const kim = await installation().newcomer('Kim')
    await kim.post(aws, { body: wanted })
    const { cluster } = installation()
    const left = async () =>
      JSON.parse(await cluster.kubectl('get', 'costestimates', '--all-namespaces', '--output=json')).items.filter(
        ({ spec }: { spec: { userUID: string } }) => spec.userUID === kim.id,
      )
    expect(await left()).toHaveLength(1)
    expect((await kim.delete('/api/v1/users/me')).status).toBe(200)
    await expect.poll(left, { timeout: 180_000, interval: 500 }).toEqual([])
  })

  it('every VM shows what it costs an hour as it is now, and its workspace the sum', async () => {
    const kim = await installation().newcomer('Kim')
    const workspace_id = await makeWorkspace(kim)
    await makeCredential(kim, workspace_id, simKey(), 'sim-1')
    const workspace = () => kim.get(`/api/v1/workspaces/${workspace_id}`)
    expect((await workspace()).body.data.hourly_estimate).toEqual({ amount: 0, currency: 'USD', unpriced_vms: 0 })

    const vm = (name: string, instance_type: string) =>
      kim.post('/api/v1/vms', {
        body: { workspace_id, name, provider: 'sim', instance_type, region: 'sim-1', image_id: 'ubuntu' },
      })
    const micro = (await vm('micro', 't3.micro')).body.data
    expect(micro.hourly_estimate).toEqual({
      amount: 0.0104,
      currency: 'USD',
      price_source: expect.stringContaining('simulated'),
      priced_at: aTime,
    })
    await vm('large', 'm5.large')
    expect((await vm('odd', 'odd.large')).body.data.hourly_estimate).toBeNull()
    const seen = await until(workspace, ({ body }) => body.data.hourly_estimate.unpriced_vms === 1)
    expect(seen.body.data.hourly_estimate).toEqual({ amount: 0.1064, currency: 'USD', unpriced_vms: 1 })

    await kim.post(`/api/v1/vms/${micro.id}/stop`)
    const stopped = await until(
      () => kim.get(`/api/v1/vms/${micro.id}`),
      ({ body }) => body.data.status === 'stopped',
    )
    expect(stopped.body.data.hourly_estimate.amount).toBe(0)
    const since = await kim.get(`/api/v1/workspaces/${workspace_id}`, {
      headers: { 'if-none-match': seen.headers.get('etag') ?? '' },
    })
    expect(since.body.data.hourly_estimate.amount).toBe(0.096)
    const listed = (await kim.get('/api/v1/workspaces')).body.data
    expect(listed).toMatchObject([{ id: workspace_id, hourly_estimate: { amount: 0.096 } }])
    const change = await kim.put(`/api/v1/workspaces/${workspace_id}`, {
      body: { name: 'seen' },
      headers: { 'if-match': seen.headers.get('etag') ?? '' },
    })
    expect(change.status).toBe(200)
  })
}
