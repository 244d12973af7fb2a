/**
 * What AWS itself says an hour of an instance type costs: GetProducts of the Price List Query API. It needs the permission
 * `pricing:GetProducts`, and is asked in us-east-1 whatever the region of the type.
 *
 * The filters name the one product that is meant: Linux without a licence, shared tenancy, On-Demand. Where they leave no price or
 * several different ones, there is no answer rather than a chosen one.
 *
 * @see https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
 */
import type { PricingClient } from '@aws-sdk/client-pricing'
import Big from 'big.js'
import { z } from 'zod'
import type { Price } from '../prices/price.ts'
import { awsError } from './aws-error.ts'

export const PRICING_REGION = 'us-east-1'

/** @see https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-the-aws-price-list-bulk-api-understanding-offer-files.html */
const product = z.object({
  publicationDate: z.iso.datetime({ offset: true }),
  terms: z.object({
    OnDemand: z
      .record(
        z.string(),
        z.object({
          priceDimensions: z.record(
            z.string(),
            z.object({ unit: z.string(), pricePerUnit: z.object({ USD: z.string().regex(/^\d+(\.\d+)?$/) }) }),
          ),
        }),
      )
      .default({}),
  }),
})

/** @throws CloudError */
export async function awsListPrice(
  pricing: PricingClient,
  { region, instanceType }: { readonly region: string; readonly instanceType: string },
  abortSignal?: AbortSignal,
): Promise<Price | undefined> {
  const { GetProductsCommand } = await import('@aws-sdk/client-pricing')
  const wanted = {
    regionCode: region,
    instanceType,
    operatingSystem: 'Linux',
    preInstalledSw: 'NA',
    licenseModel: 'No License required',
    tenancy: 'Shared',
    capacitystatus: 'Used',
    marketoption: 'OnDemand',
  }
  const Filters = Object.entries(wanted).map(([Field, Value]) => ({ Type: 'TERM_MATCH' as const, Field, Value }))
  const command = new GetProductsCommand({ ServiceCode: 'AmazonEC2', Filters, MaxResults: 10 })
  const answer = await pricing.send(command, { ...(abortSignal && { abortSignal }) }).catch((error: unknown) => {
    throw awsError(error, { action: 'GetProducts', mutation: false })
  })
  return priceIn((answer.PriceList ?? []).map(String))
}

/** @param products each the JSON of one product */
export function priceIn(products: readonly string[]): Price | undefined {
  const found = new Map<string, Price>()
  for (const text of products) {
    const parsed = product.safeParse(parsedJson(text))
    if (!parsed.success) continue
    const { publicationDate, terms } = parsed.data
    for (const { priceDimensions } of Object.values(terms.OnDemand)) {
      for (const { unit, pricePerUnit } of Object.values(priceDimensions)) {
        if (unit !== 'Hrs') continue
        const amount = new Big(pricePerUnit.USD).toFixed()
        const pricedAt = `${new Date(publicationDate).toISOString().slice(0, 19)}Z`
        found.set(amount, { amount, currency: 'USD', source: 'AWS Price List API', pricedAt })
      }
    }
  }
  const [only, another] = [...found.values()]
  return another === undefined && only !== undefined && only.amount !== '0' ? only : undefined
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
