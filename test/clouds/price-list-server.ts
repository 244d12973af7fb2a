/**
 * Stands where AWS's Price List Query API would, and answers GetProducts in its form (JSON 1.1, one JSON text a product) from
 * the prices that it is given, by `type/region`. It cannot vouch for which attributes AWS's own products carry.
 *
 * @see https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PriceListServer extends AsyncDisposable {
  readonly url: string
  /** The filters of each request, by field. */
  readonly asked: readonly Readonly<Record<string, string>>[]
  /** Of each request: the region for which it was signed. */
  readonly signedFor: readonly string[]
}

export interface PriceListServerOptions {
  readonly prices?: Readonly<Record<string, string>>
  /** Refuses everybody instead. */
  readonly refuses?: { readonly status: number; readonly code: string; readonly message: string }
}

export const PUBLISHED = '2026-06-01T12:00:00Z'

export async function priceListServer({ prices = {}, refuses }: PriceListServerOptions): Promise<PriceListServer> {
  const asked: Record<string, string>[] = []
  const signedFor: string[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { Filters } = JSON.parse(Buffer.concat(chunks).toString()) as { Filters: { Field: string; Value: string }[] }
    const filters = Object.fromEntries(Filters.map(({ Field, Value }) => [Field, Value]))
    asked.push(filters)
    signedFor.push(/Credential=[^/]+\/\d+\/([^/]+)\/pricing/.exec(request.headers.authorization ?? '')?.[1] ?? '')
    response.setHeader('content-type', 'application/x-amz-json-1.1')
    if (refuses !== undefined) {
      response.statusCode = refuses.status
      response.end(JSON.stringify({ __type: refuses.code, Message: refuses.message, message: refuses.message }))
      return
    }
    const price = prices[`${filters.instanceType}/${filters.regionCode}`]
    response.end(JSON.stringify({ FormatVersion: 'aws_v1', PriceList: price === undefined ? [] : [product(price)] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    signedFor,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function product(USD: string): string {
  const dimension = { unit: 'Hrs', beginRange: '0', endRange: 'Inf', pricePerUnit: { USD } }
  return JSON.stringify({
    product: { productFamily: 'Compute Instance', sku: 'SKU' },
    terms: { OnDemand: { 'SKU.JRTCKXETXF': { priceDimensions: { 'SKU.JRTCKXETXF.6YS6EN2CT7': dimension } } } },
    publicationDate: PUBLISHED,
  })
}
