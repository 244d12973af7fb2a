import { expect, it } from 'vitest'
import { priceCatalogue } from './catalogue.ts'
import { parsePriceLists } from './price-list.ts'

const list = (source: string, price: number) =>
  parsePriceLists(
    `{provider: aws, source: ${source}, date: 2026-01-01, currency: USD, types: {m5.large: {us-east-1: ${price}}}}`,
    source,
  )
const m5 = { provider: 'aws', region: 'us-east-1', instanceType: 'm5.large' }
const said = { amount: '0.2', currency: 'USD', source: 'the cloud', pricedAt: '2026-06-01T00:00:00Z' } as const

it('what the cloud says replaces the shipped list, and the operator replaces both', () => {
  const catalogue = priceCatalogue({ shipped: list('shipped', 0.1) })
  expect(catalogue.find(m5)?.source).toBe('shipped')
  catalogue.learn(m5, said)
  expect(catalogue.find(m5)).toEqual(said)

  const withOperator = priceCatalogue({ shipped: list('shipped', 0.1), operators: list('operator', 0.3) })
  withOperator.learn(m5, said)
  expect(withOperator.find(m5)).toMatchObject({ source: 'operator', amount: '0.3' })
  expect(withOperator.operators(m5)?.source).toBe('operator')
})

it('has no price for what nobody named', () => {
  const catalogue = priceCatalogue({ shipped: list('shipped', 0.1) })
  catalogue.learn(m5, said)

  expect(catalogue.find({ ...m5, instanceType: 'm5.xlarge' })).toBeUndefined()
  expect(catalogue.find({ ...m5, region: 'us-east-2' })).toBeUndefined()
  expect(catalogue.find({ ...m5, provider: 'gcp' })).toBeUndefined()
})

it('its version changes when a price does, and not when the same is heard again', () => {
  const catalogue = priceCatalogue({ shipped: [] })
  const versions = [catalogue.version]
  for (const price of [said, said, { ...said, amount: '0.25' }]) {
    catalogue.learn(m5, price)
    versions.push(catalogue.version)
  }
  expect(versions).toEqual([0, 1, 1, 2])
})
