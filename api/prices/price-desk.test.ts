import { describe, expect, it } from 'vitest'
import { CloudError } from '../../clouds/cloud-error.ts'
import { priceCatalogue } from '../../clouds/prices/catalogue.ts'
import type { Price } from '../../clouds/prices/price.ts'
import { parsePriceLists } from '../../clouds/prices/price-list.ts'
import type { Provider } from '../../clouds/provider.ts'
import type { Credential } from '../../crds/credential.ts'
import { priceDesk } from './price-desk.ts'

const HOUR_MS = 3_600_000
const list = (source: string) =>
  parsePriceLists(
    `{provider: aws, source: ${source}, date: 2026-01-01, currency: USD, types: {m5.large: {us-east-1: 0.1}}}`,
    source,
  )
const said: Price = { amount: '0.2', currency: 'USD', source: 'the cloud', pricedAt: '2026-06-01T00:00:00Z' }

function credential(uid: string): Credential {
  return { metadata: { uid, name: uid } } as unknown as Credential
}

/** A desk before a cloud that answers so; by the Credential's uid. */
function desk(
  answer: (uid: string) => Promise<Price | undefined>,
  options: { readonly operators?: boolean; readonly asksClouds?: boolean } = {},
) {
  const asked: string[] = []
  let now = 0
  const catalogue = priceCatalogue({
    shipped: list('shipped'),
    operators: options.operators ? list('operator') : [],
    now: () => now,
  })
  const provider = {
    name: 'aws',
    listPrice: ({ secret }: { secret: { uid: string } }) => {
      asked.push(secret.uid)
      return answer(secret.uid)
    },
  } as unknown as Provider
  const made = priceDesk({
    catalogue,
    identityOf: async ({ metadata }) => ({ secret: { uid: metadata.uid } }),
    asksClouds: options.asksClouds ?? true,
    now: () => now,
  })
  const price = (uids: readonly string[], instanceType = 'm5.large') =>
    made.priceOf({ provider, region: 'us-east-1', instanceType, credentials: uids.map(credential) })
  const pass = (ms: number) => {
    now += ms
  }
  return { asked, price, pass, version: () => made.known.version }
}

const forbidden = () => Promise.reject(new CloudError('no', { class: 'forbidden', action: 'GetProducts' }))

describe('the price desk', () => {
  it('takes the shipped list for who has no credential', async () => {
    const { price, asked } = desk(async () => said)
    expect((await price([]))?.source).toBe('shipped')
    expect(asked).toEqual([])
  })

  it('lets the cloud replace the list, for everybody, and asks again after a day', async () => {
    const { price, asked, pass } = desk(async () => said)
    expect(await price(['one'])).toEqual(said)
    expect(await price([])).toEqual(said)
    pass(23 * HOUR_MS)
    await price(['two'])
    expect(asked).toEqual(['one'])
    pass(2 * HOUR_MS)
    await price(['two'])
    expect(asked).toEqual(['one', 'two'])
  })

  it('never asks about what the operator has priced, nor where it is told not to ask', async () => {
    const priced = desk(async () => said, { operators: true })
    expect((await priced.price(['one']))?.source).toBe('operator')
    const silent = desk(async () => said, { asksClouds: false })
    expect((await silent.price(['one']))?.source).toBe('shipped')
    expect([...priced.asked, ...silent.asked]).toEqual([])
  })

  it('takes the list when the cloud refuses, tries another credential, and leaves the refused alone for an hour', async () => {
    const { price, asked, pass } = desk((uid) => (uid === 'good' ? Promise.resolve(said) : forbidden()))
    expect((await price(['bad']))?.source).toBe('shipped')
    expect((await price(['bad']))?.source).toBe('shipped')
    expect(asked).toEqual(['bad'])
    expect(await price(['bad', 'good'])).toEqual(said)
    expect(asked).toEqual(['bad', 'good'])
    pass(25 * HOUR_MS)
    await price(['bad'])
    expect(asked).toEqual(['bad', 'good', 'bad'])
  })

  it('asks again soon when the cloud’s list is still being read', async () => {
    let isRead = false
    const notReady = () => Promise.reject(new CloudError('wait', { class: 'notReady', action: 'skus.list' }))
    const { price } = desk(() => (isRead ? Promise.resolve(said) : notReady()))
    expect((await price(['one']))?.source).toBe('shipped')
    isRead = true
    expect(await price(['one'])).toEqual(said)
  })

  it('tries three credentials and no more', async () => {
    const { price, asked } = desk(forbidden)
    await price(['a', 'b', 'c', 'd'])
    expect(asked).toEqual(['a', 'b', 'c'])
  })

  it('has no price for a type that neither cloud nor list knows, and does not ask for it at once again', async () => {
    const { price, asked } = desk(async () => undefined)
    expect(await price(['one'], 'm5.gigantic')).toBeUndefined()
    expect(await price(['one'], 'm5.gigantic')).toBeUndefined()
    expect(asked).toEqual(['one'])
  })

  it('asks once for all who wait for the same type, and for no more than eight types at a time', async () => {
    const { promise, resolve } = Promise.withResolvers<Price>()
    const { price, asked } = desk(() => promise)
    const waiting = [price(['one']), price(['two'])]
    const others = Array.from({ length: 9 }, (_, index) => price(['one'], `type-${index}`))
    await Promise.race(others) // the ninth and tenth type found no place, and the list has none of them
    resolve(said)
    expect(await Promise.all(waiting)).toEqual([said, said])
    await Promise.all(others)
    expect(asked).toHaveLength(8)
  })
})
