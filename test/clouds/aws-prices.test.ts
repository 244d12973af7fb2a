/** What AWS's own price list is asked, and what is made of its answers, with the real SDK. */
import { afterEach, expect, it, vi } from 'vitest'
import { awsProvider } from '../../clouds/aws/provider.ts'
import { type PriceListServerOptions, PUBLISHED, priceListServer } from './price-list-server.ts'

const identity = { secret: { access_key: 'AKIDEXAMPLE', secret_key: 'a-secret' } }
const type = { region: 'ap-northeast-2', instanceType: 'm5.large' }

async function asking(options: PriceListServerOptions) {
  const server = await priceListServer(options)
  vi.stubEnv('AWS_ENDPOINT_URL_PRICING', server.url)
  return Object.assign(server, { price: () => awsProvider().listPrice?.(identity, type) })
}

afterEach(() => vi.unstubAllEnvs())

it('asks in us-east-1 for the one product that is meant, and gives its price as of the publication', async () => {
  await using server = await asking({ prices: { 'm5.large/ap-northeast-2': '0.1180000000' } })

  expect(await server.price()).toEqual({
    amount: '0.118',
    currency: 'USD',
    source: 'AWS Price List API',
    pricedAt: PUBLISHED,
  })
  expect(server.signedFor).toEqual(['us-east-1'])
  expect(server.asked).toEqual([
    {
      regionCode: 'ap-northeast-2',
      instanceType: 'm5.large',
      operatingSystem: 'Linux',
      preInstalledSw: 'NA',
      licenseModel: 'No License required',
      tenancy: 'Shared',
      capacitystatus: 'Used',
      marketoption: 'OnDemand',
    },
  ])
})

it('has no price when AWS names none', async () => {
  await using server = await asking({})
  expect(await server.price()).toBeUndefined()
})

it('says in AWS’s words that a key may not read prices', async () => {
  const message = 'User: arn:aws:iam::1:user/x is not authorized to perform: pricing:GetProducts'
  await using server = await asking({ refuses: { status: 400, code: 'AccessDeniedException', message } })
  await expect(server.price()).rejects.toMatchObject({ class: 'forbidden', action: 'GetProducts', message })
})
