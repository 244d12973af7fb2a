/**
 * What Google itself says a machine type costs: the Cloud Billing Catalog API has a price for a vCPU and one for a gigabyte of
 * each family in each region, and a predefined type costs what it is made of.
 *
 * The catalogue has tens of thousands of entries and cannot be searched, so it is read whole, page by page, at most once a day, and
 * two numbers a family and region are kept. That takes longer than anybody waits: who asks meanwhile hears `notReady`. An
 * entry that is there twice with different prices counts for nothing.
 *
 * @see https://cloud.google.com/billing/v1/how-tos/catalog-api
 * @see https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list
 */
import Big from 'big.js'
import { z } from 'zod'
import { CloudError, isCloudError } from '../cloud-error.ts'
import type { Price } from '../prices/price.ts'
import { unlessAborted } from '../unless-aborted.ts'
import type { GcpConnections } from './connections.ts'
import { noAnswer, refusal } from './gcp-error.ts'
import type { GcpIdentity } from './identity.ts'
import { machineShape } from './machine-shapes.ts'

export interface BillingCatalog {
  /** Throws a `CloudError`: `notReady` when the signal ends the wait for a catalogue that is still being read. */
  price(
    identity: GcpIdentity,
    type: { readonly region: string; readonly instanceType: string },
    signal?: AbortSignal,
  ): Promise<Price | undefined>
}

export interface BillingCatalogOptions {
  readonly connections: Pick<GcpConnections, 'outside' | 'endpoint'>
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

const GOOGLE = 'https://cloudbilling.googleapis.com'
/** Compute Engine, as the catalogue numbers services. */
const SERVICE = '6F81-5844-456A'
/** Of a page: small enough that reading its JSON holds up nobody. */
const PAGE_SIZE = 500
const MAX_PAGES = 500
const READ_WITHIN_MS = 5 * 60_000
const FRESH_MS = 24 * 3_600_000
const FAILED = { action: 'skus.list', mutation: false } as const

const page = z.object({ skus: z.array(z.unknown()).default([]), nextPageToken: z.string().default('') })

const sku = z.object({
  description: z.string(),
  category: z.object({ resourceFamily: z.literal('Compute'), usageType: z.literal('OnDemand') }),
  serviceRegions: z.array(z.string()),
  pricingInfo: z.tuple([
    z.object({
      pricingExpression: z.object({
        usageUnit: z.enum(['h', 'GiBy.h']),
        tieredRates: z.tuple([
          z.object({
            unitPrice: z.object({
              currencyCode: z.literal('USD'),
              units: z.string().regex(/^\d+$/).default('0'),
              nanos: z.int().min(0).max(999_999_999).default(0),
            }),
          }),
        ]),
      }),
    }),
  ]),
})

const partName = /^(E2|N1 Predefined|N2|C4) Instance (Core|Ram) running in /
const usualUnit = { Core: 'h', Ram: 'GiBy.h' } as const

/** By part (`e2/Core/us-central1`): dollars an hour, or `ambiguous`. */
type Parts = Map<string, Big | 'ambiguous'>

export function billingCatalog({ connections, now = Date.now }: BillingCatalogOptions): BillingCatalog {
  const { outside, endpoint } = connections
  let known: { readonly parts: Parts; readonly readAt: number } | undefined
  let reading: Promise<void> | undefined

  async function readPage(identity: GcpIdentity, token: string, signal: AbortSignal) {
    const query = new URLSearchParams({ currencyCode: 'USD', pageSize: String(PAGE_SIZE) })
    if (token !== '') query.set('pageToken', token)
    const url = `${endpoint.foreignOrigin ?? GOOGLE}/v1/services/${SERVICE}/skus?${query}`
    try {
      const authorization = await identity.authorization(signal)
      const answer = await outside.fetch(url, { headers: { authorization }, signal })
      const body: unknown = await answer.json().catch(() => undefined)
      if (answer.status === 401) identity.forget()
      const parsed = page.safeParse(body)
      if (!answer.ok || !parsed.success) throw refusal(answer.status, body, FAILED)
      return parsed.data
    } catch (error) {
      throw isCloudError(error) ? error : noAnswer(error, FAILED)
    }
  }

  async function read(identity: GcpIdentity): Promise<void> {
    const signal = AbortSignal.timeout(READ_WITHIN_MS)
    const parts: Parts = new Map()
    let token = ''
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const { skus, nextPageToken } = await readPage(identity, token, signal)
      for (const one of skus) addPart(parts, one)
      token = nextPageToken
      if (token === '') break
    }
    known = { parts, readAt: now() }
  }

  function readOnce(identity: GcpIdentity): Promise<void> {
    reading ??= read(identity).finally(() => {
      reading = undefined
    })
    reading.catch(() => undefined) // whoever waits is told
    return reading
  }

  return {
    async price(identity, { region, instanceType }, signal) {
      const shape = machineShape(instanceType)
      if (shape === undefined) return undefined
      if (known === undefined || now() - known.readAt >= FRESH_MS) {
        const waiting = readOnce(identity)
        await (signal === undefined ? waiting : unlessAborted(waiting, signal)).catch((error: unknown) => {
          throw isCloudError(error) ? error : stillReading()
        })
      }
      const core = known?.parts.get(`${shape.family}/Core/${region}`)
      const ram = known?.parts.get(`${shape.family}/Ram/${region}`)
      if (known === undefined || !(core instanceof Big) || !(ram instanceof Big)) return undefined
      const amount = core.times(shape.vcpus).plus(ram.times(shape.gigabytes)).toFixed()
      const pricedAt = `${new Date(known.readAt).toISOString().slice(0, 19)}Z`
      return { amount, currency: 'USD', source: 'Google Cloud Billing Catalog API', pricedAt }
    },
  }
}

function addPart(parts: Parts, entry: unknown): void {
  const parsed = sku.safeParse(entry)
  if (!parsed.success) return
  const { description, serviceRegions, pricingInfo } = parsed.data
  const [, family = '', part = ''] = partName.exec(description) ?? []
  const { usageUnit, tieredRates } = pricingInfo[0].pricingExpression
  if (usualUnit[part as keyof typeof usualUnit] !== usageUnit) return
  const { units, nanos } = tieredRates[0].unitPrice
  const amount = new Big(nanos).div(1e9).plus(units)
  for (const region of serviceRegions) {
    const key = `${family.slice(0, 2).toLowerCase()}/${part}/${region}`
    const before = parts.get(key)
    const isSame = before === undefined || (before instanceof Big && before.eq(amount))
    parts.set(key, isSame ? amount : 'ambiguous')
  }
}

function stillReading(): CloudError {
  return new CloudError('The price catalogue is still being read.', { class: 'notReady', action: FAILED.action })
}
