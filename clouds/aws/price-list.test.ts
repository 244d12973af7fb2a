import { describe, expect, it } from 'vitest'
import { priceIn } from './price-list.ts'

/** As the Price List Query API gives it, abridged to what counts; the figures are those of an m5.large in us-east-1. */
function product(
  prices: Readonly<Record<string, string>> = { Hrs: '0.0960000000' },
  publicationDate = '2026-01-16T21:02:48Z',
) {
  const dimensions = Object.entries(prices).map(([unit, USD], index) => [
    `JRTCKXETXF.6YS6EN2CT${index}`,
    { unit, beginRange: '0', endRange: 'Inf', pricePerUnit: { USD }, appliesTo: [] },
  ])
  return JSON.stringify({
    product: { productFamily: 'Compute Instance', attributes: { instanceType: 'm5.large' }, sku: 'ABC' },
    serviceCode: 'AmazonEC2',
    terms: {
      OnDemand: { 'ABC.JRTCKXETXF': { priceDimensions: Object.fromEntries(dimensions), sku: 'ABC' } },
      Reserved: { 'ABC.38NPMPTW36': { priceDimensions: { x: { unit: 'Hrs', pricePerUnit: { USD: '0.0410' } } } } },
    },
    version: '20260116210248',
    publicationDate,
  })
}

describe('the price in an answer of GetProducts', () => {
  it('is the On-Demand price of an hour, as of the publication of the list', () => {
    expect(priceIn([product()])).toEqual({
      amount: '0.096',
      currency: 'USD',
      source: 'AWS Price List API',
      pricedAt: '2026-01-16T21:02:48Z',
    })
  })

  it('may be said twice alike', () => {
    expect(priceIn([product(), product()])?.amount).toBe('0.096')
  })

  it('is none when there are several, or none, or nothing to pay, or not by the hour', () => {
    expect(priceIn([product(), product({ Hrs: '0.102' })])).toBeUndefined()
    expect(priceIn([])).toBeUndefined()
    expect(priceIn([product({ Hrs: '0.0000000000' })])).toBeUndefined()
    expect(priceIn([product({ Quantity: '12' })])).toBeUndefined()
  })

  it('is none in an answer of another form', () => {
    expect(
      priceIn(['{', '"text"', '{"terms": {}}', product({ Hrs: '-1' }), product(undefined, 'lately')]),
    ).toBeUndefined()
  })
})
