/**
 * What the facade asks of clouds, seen on the processes. Instances: of EC2 (moto's) and Compute Engine (the server in
 * test/gce/), in one shape. Prices: the operator's file, AWS's own price list (a stand-in for it), and the list that comes along;
 * and what two replicas tell of the same estimates.
 */
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { InstanceSpec } from '../../clouds/cloud.ts'
import { providers } from '../../clouds/providers.ts'
import { type PriceListServer, PUBLISHED, priceListServer } from '../clouds/price-list-server.ts'
import { type Moto, startMoto } from '../cluster/moto.ts'
import { startProgram } from '../cluster/program.ts'
import { aText, aTime, failure } from '../contract/forms.ts'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { type Person, until } from '../contract/rest.ts'
import { makeWorkspace } from '../contract/rows/team.ts'
import { type Gce, startGce } from '../gce/gce-server.ts'

const path = '/api/v1/providers/aws/cost-estimates'
const file = join(tmpdir(), `skyclust-prices-${crypto.randomUUID()}.yaml`)

let aws: PriceListServer
let moto: Moto
let gce: Gce
let installation: Installation
let elsewhere = ''

beforeAll(async () => {
  await writeFile(
    file,
    '{provider: aws, source: our agreement, date: 2026-11-01, currency: USD, types: {m5.xlarge: {us-east-1: 0.15}}}\n',
  )
  aws = await priceListServer({
    prices: { 'm5.large/us-east-1': '0.0955000000', 'm5.xlarge/us-east-1': '0.1910000000' },
  })
  ;[moto, gce] = await Promise.all([startMoto(), startGce()])
  vi.stubEnv('AWS_ENDPOINT_URL', moto.url)
  installation = await startInstallation({
    replicas: 2,
    env: {
      SKYCLUST_PRICES: file,
      SKYCLUST_ESTIMATES_PER_USER: '3',
      AWS_ENDPOINT_URL: moto.url,
      AWS_ENDPOINT_URL_PRICING: aws.url,
      SKYCLUST_GCP_ENDPOINT: gce.url,
    },
    controllerEnv: { SKYCLUST_GCP_ENDPOINT: gce.url },
  })
  elsewhere = installation.urls[1] ?? ''
})
afterAll(async () => {
  await installation?.[Symbol.asyncDispose]()
  await Promise.all([aws?.[Symbol.asyncDispose](), moto?.stop(), gce?.stop()])
  vi.unstubAllEnvs()
})

const estimate = (who: Pick<Person, 'post'>, instance_type: string, headers = {}) =>
  who.post(path, { body: { instance_type, region: 'us-east-1', duration_hours: 10 }, headers })

const awsKeys = { access_key: 'AKIDEXAMPLE', secret_key: 'a-secret' }

async function withCredential(
  name: string,
  provider = 'aws',
  credentials: object = { ...awsKeys, region: 'us-east-1' },
): Promise<Person> {
  const person = await installation.newcomer(name)
  const body = { workspace_id: await makeWorkspace(person), provider, credentials }
  expect((await person.post('/api/v1/credentials', { body })).status).toBe(201)
  await expect.poll(() => mayBeRead(body.workspace_id)).toBe(true)
  return person
}

/** Whether the controller has let the facade read the key of a credential there. */
async function mayBeRead(workspaceId: string): Promise<boolean> {
  const list = async (kind: string) =>
    JSON.parse(await installation.cluster.kubectl('get', kind, '--all-namespaces', '--output=json')).items
  const workspaces = await list('workspaces.skyclust.io')
  const { name } = workspaces.find(
    ({ metadata }: { metadata: { uid: string } }) => metadata.uid === workspaceId,
  ).metadata
  const bindings: { metadata: { namespace: string; name: string } }[] = await list('rolebindings')
  return bindings.some(
    ({ metadata }) => metadata.namespace === name && metadata.name.startsWith('skyclust-credential-'),
  )
}

describe('instances of a cloud, whoever made them', () => {
  const clouds = () => providers({ enabled: ['aws', 'gcp'], gcpEndpoint: gce.url })
  const key = () => ({ service_account_key: gce.accounts.keyFile() })

  const instanceOf = (type: string, region: string) => ({
    id: aText,
    name: expect.any(String),
    status: expect.stringMatching(/^(pending|running)$/),
    type,
    region,
    public_ip: expect.any(String),
    private_ip: aText,
    created_at: aTime,
  })

  const rows: readonly {
    readonly name: 'AWS' | 'GCP'
    readonly region: string
    readonly secret: () => Record<string, string>
    readonly spec: Pick<InstanceSpec, 'instanceType' | 'image'>
    readonly unknown: string
  }[] = [
    {
      name: 'AWS',
      region: 'us-east-1',
      secret: () => awsKeys,
      spec: { instanceType: 't3.micro', image: 'ami-12c6146b' },
      unknown: 'i-0123456789abcdef0',
    },
    {
      name: 'GCP',
      region: 'us-central1',
      secret: key,
      spec: { instanceType: 'e2-micro', image: 'debian-cloud/debian-12' },
      unknown: '1234567890123456789',
    },
  ]

  it.each(rows)('of $name, in the one shape', async ({ name, region, secret, spec, unknown }) => {
    const provider = name.toLowerCase()
    const cloud = clouds().named(name)?.connect({ secret: secret() }, region)
    const made = await cloud?.create({ ...spec, token: 'elsewhere-1', tags: {}, marketType: 'OnDemand' })
    const kim = await withCredential('Kim', provider, { ...secret(), region })
    const answer = await kim.get(`/api/v1/providers/${name}/instances`)

    expect(answer.status).toBe(200)
    expect(answer.body.data).toEqual([instanceOf(spec.instanceType, region)])
    expect(answer.body.data[0].id).toBe(made?.id)
    const one = await kim.get(`/api/v1/providers/${provider}/instances/${made?.id}`)
    expect(one.body.data).toEqual(instanceOf(spec.instanceType, region))
    expect((await kim.get(`/api/v1/providers/${provider}/instances/${unknown}`)).status).toBe(404)
    expect((await kim.get(`/api/v1/providers/${provider}/instances/no such id`)).status).toBe(404)
  })
})

describe('the price of an estimate', () => {
  it('is the shipped list’s for who has no credential, and nobody is asked', async () => {
    const kim = await installation.newcomer('Kim')
    const { data } = (await estimate(kim, 'm5.large')).body

    expect(data).toMatchObject({ estimated_cost: 0.96, priced_at: '2026-01-19T00:00:00Z' })
    expect(aws.asked).toEqual([])
  })

  it('is what AWS says to a credential of the caller, as of then; saved estimates stay as they were', async () => {
    const kim = await withCredential('Kim')
    const { data } = (await estimate(kim, 'm5.large')).body

    expect(data).toMatchObject({
      hourly_price: 0.0955,
      estimated_cost: 0.955,
      price_source: 'AWS Price List API',
      priced_at: PUBLISHED,
    })
    expect(aws.asked.map(({ instanceType }) => instanceType)).toEqual(['m5.large'])
    expect((await kim.get(path)).body.data).toEqual([data])
  })

  it('is the operator’s before all, without asking', async () => {
    const kim = await withCredential('Kim')
    const asked = aws.asked.length
    const { data } = (await estimate(kim, 'm5.xlarge')).body

    expect(data).toMatchObject({ estimated_cost: 1.5, price_source: 'our agreement' })
    expect(aws.asked).toHaveLength(asked)
  })

  it('is none for what neither AWS nor a list knows, though AWS was asked', async () => {
    const kim = await withCredential('Kim')
    const asked = aws.asked.length
    expect((await estimate(kim, 'm5.gigantic')).status).toBe(400)
    expect(aws.asked).toHaveLength(asked + 1)
  })
})

describe('saved estimates', () => {
  it('are the same on every replica', async () => {
    const kim = await installation.newcomer('Kim')
    const made = (await estimate(kim, 't3.micro')).body.data
    const there = kim.at(elsewhere)
    const seen = await until(
      () => there.get(path),
      ({ body }) => body.data.length === 1,
    )
    expect(seen.body.data).toEqual([made])

    const later = (await estimate(kim, 't3.small')).body.data
    expect((await there.delete(`${path}/${later.id}`)).status).toBe(200) // whether it has arrived there or not
    expect((await there.get(path)).body.data).toEqual([made])
  })

  it('are bounded: one more than allowed is refused, and one less makes room', async () => {
    const kim = await installation.newcomer('Kim')
    const key = { 'idempotency-key': crypto.randomUUID() }
    const first = (await estimate(kim, 't3.micro', key)).body.data
    for (const type of ['t3.small', 't3.medium']) expect((await estimate(kim, type)).status).toBe(201)

    const refused = await estimate(kim, 't3.large')
    expect(refused.status).toBe(409)
    expect(refused.body).toEqual(failure('CONFLICT', expect.stringContaining('3')))
    expect((await estimate(kim, 't3.micro', key)).body.data).toEqual(first)
    await kim.delete(`${path}/${first.id}`)
    expect((await estimate(kim, 't3.large')).status).toBe(201)
  })
})

it('a price file with a mistake stops the start with one line that names it', async () => {
  const wrong = `${file}.wrong`
  await writeFile(wrong, '{provider: aws, source: us, date: 2026-11-01, currency: EUR, types: {}}\n')
  const env = { SKYCLUST_PRICES: wrong, KUBECONFIG: installation.cluster.kubeconfig, SKYCLUST_PROVIDERS: 'aws' }
  await using program = startProgram({ main: 'api/main.ts', env })
  const { code } = await program.exited

  expect(code).not.toBe(0)
  expect(program.lines).toEqual([expect.stringContaining(`SKYCLUST_PRICES: ${wrong}: currency: `)])
})

describe('a key of Google Cloud that is no good', () => {
  afterEach(() => {
    Object.assign(gce.settings, { apiEnabled: true, billingEnabled: true, clockAheadMs: 0 })
  })

  const bad: readonly (readonly [string, () => void, RegExp])[] = [
    [
      'because the API is not on in its project',
      () => Object.assign(gce.settings, { apiEnabled: false }),
      /has not been used in project .* Enable the Compute Engine API/,
    ],
    [
      'because its project has no billing',
      () => Object.assign(gce.settings, { billingEnabled: false }),
      /requires billing to be enabled.* Link the project to an active billing account/,
    ],
    [
      'because our clock is off',
      () => Object.assign(gce.settings, { clockAheadMs: 2 * 3_600_000 }),
      /reasonable timeframe.* 120 min earlier than at Google.* its operator has to set it/,
    ],
    ['because its account is deleted', () => gce.accounts.delete(), /account not found\. Make a new key/],
  ]

  it.each(bad)(
    '%s, is told in Google’s words, with what to do, by the credential and by whoever uses it',
    async (_, spoil, words) => {
      const kim = await installation.newcomer('Kim')
      const workspace_id = await makeWorkspace(kim)
      // Another key each time: a token that another one has already would do until it ends.
      const service_account_key = gce.accounts.keyFile({ client_id: crypto.randomUUID() })
      const credentials = { service_account_key, region: 'us-central1' }
      spoil()
      const { status, body } = await kim.post('/api/v1/credentials', {
        body: { workspace_id, provider: 'gcp', credentials },
      })
      expect(status).toBe(201)

      const english = { headers: { 'accept-language': 'en' } }
      const { body: shown } = await until(
        () => kim.get(`/api/v1/credentials/${body.data.id}`, english),
        (answer) => words.test(answer.body.data.error),
      )
      expect(shown.data.ready).toBe(false)
      const used = await kim.get(`/api/v1/providers/gcp/instances?credential_id=${body.data.id}`, english)
      expect(used).toMatchObject({ status: 502, body: failure('BAD_GATEWAY') })
      expect(used.body.error.message).toMatch(words)
    },
  )
})
