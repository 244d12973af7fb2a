/**
 * What is made of Google's price catalogue, from a server that pages it as the Cloud Billing Catalog API is documented to. The
 * figures are Google's own of us-central1; which entries the whole catalogue has, this server cannot vouch for.
 */
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { gcpProvider } from '../../clouds/gcp/provider.ts'

const service_account_key = JSON.stringify({
  type: 'service_account',
  project_id: 'my-project',
  private_key_id: 'key-1',
  private_key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  client_email: 'prices@my-project.iam.gserviceaccount.com',
  client_id: '1',
  token_uri: 'https://oauth2.googleapis.com/token',
})
const identity = { secret: { service_account_key } }

function sku(description: string, nanos: number, more: { unit?: string; usageType?: string; regions?: string[] } = {}) {
  const { unit = 'h', usageType = 'OnDemand', regions = ['us-central1', 'us-east1', 'us-west1'] } = more
  return {
    name: 'services/6F81-5844-456A/skus/0000-0000-0000',
    skuId: '0000-0000-0000',
    description,
    category: { serviceDisplayName: 'Compute Engine', resourceFamily: 'Compute', resourceGroup: 'CPU', usageType },
    serviceRegions: regions,
    pricingInfo: [
      {
        effectiveTime: '2026-06-01T00:00:00Z',
        pricingExpression: {
          usageUnit: unit,
          displayQuantity: 1,
          tieredRates: [{ startUsageAmount: 0, unitPrice: { currencyCode: 'USD', units: '0', nanos } }],
        },
        currencyConversionRate: 1,
      },
    ],
    serviceProviderName: 'Google',
  }
}

const skus = [
  sku('E2 Instance Core running in Americas', 21_811_590),
  sku('Spot Preemptible E2 Instance Core running in Americas', 8_724_000, { usageType: 'Preemptible' }),
  sku('E2 Instance Ram running in Americas', 2_923_530, { unit: 'GiBy.h' }),
  sku('E2 Custom Instance Core running in Americas', 99_000_000),
  sku('Commitment v1: E2 Cpu in Americas for 1 Year', 13_000_000, { usageType: 'Commit1Yr' }),
  sku('N2 Instance Core running in Americas', 31_611_000),
  sku('N2 Instance Core running in Iowa', 32_000_000, { regions: ['us-central1'] }),
  sku('N2 Instance Ram running in Americas', 4_237_000, { unit: 'GiBy.h' }),
  { description: 'Network Egress', category: { resourceFamily: 'Network' } },
]

/** A catalogue of two pages, which can be held back. */
async function catalogue({ status = 200, held = Promise.resolve() }: { status?: number; held?: Promise<void> } = {}) {
  const asked: URL[] = []
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost')
    asked.push(url)
    await held
    const isSecond = url.searchParams.get('pageToken') === 'second'
    const found = { skus: isSecond ? skus.slice(4) : skus.slice(0, 4), nextPageToken: isSecond ? '' : 'second' }
    const message = 'Cloud Billing API has not been used in project my-project before or it is disabled.'
    const refusal = { error: { code: status, message, status: 'PERMISSION_DENIED' } }
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(status === 200 ? found : refusal))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const gcp = gcpProvider({ gcpEndpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  return {
    asked,
    price: (instanceType: string, signal?: AbortSignal, region = 'us-east1') =>
      gcp.listPrice?.(identity, { region, instanceType }, signal),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

it('prices a predefined type by its vCPUs and gigabytes, and reads the catalogue once', async () => {
  await using google = await catalogue()
  const [standard, micro] = await Promise.all([google.price('e2-standard-2'), google.price('e2-micro')])

  expect(standard).toMatchObject({ amount: '0.06701142', currency: 'USD' })
  expect(standard?.source).toBe('Google Cloud Billing Catalog API')
  expect(standard?.pricedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  expect(micro?.amount).toBe('0.0083764275')
  expect((await google.price('n2-standard-2'))?.amount).toBe('0.097118')
  expect(google.asked.map(({ searchParams }) => searchParams.get('pageToken'))).toEqual([null, 'second'])
  expect(google.asked[0]?.pathname).toBe('/v1/services/6F81-5844-456A/skus')
})

it('has no price for what is said twice and differently, elsewhere, or of a shape that it does not know', async () => {
  await using google = await catalogue()
  expect(await google.price('n2-standard-2', undefined, 'us-central1')).toBeUndefined()
  expect(await google.price('e2-standard-2', undefined, 'europe-west1')).toBeUndefined()
  for (const type of [
    'e2-standard-3',
    'e2-custom-4-8192',
    'n1-standard-1',
    'constructor-standard-2',
    'e2-standard-02',
  ]) {
    expect(await google.price(type)).toBeUndefined()
  }
})

it('goes on reading when nobody waits any longer', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  await using google = await catalogue({ held })
  await expect(google.price('e2-standard-2', AbortSignal.timeout(50))).rejects.toMatchObject({ class: 'notReady' })
  release()
  expect((await google.price('e2-standard-2'))?.amount).toBe('0.06701142')
  expect(google.asked).toHaveLength(2)
})

it('says in Google’s words why it may not read it', async () => {
  await using google = await catalogue({ status: 403 })
  await expect(google.price('e2-standard-2')).rejects.toMatchObject({
    class: 'forbidden',
    message: expect.stringContaining('Cloud Billing API has not been used in project'),
  })
})
