import { describe, expect, it } from 'vitest'
import { parsePriceLists, shippedPriceLists } from './price-list.ts'

const ours = `
provider: aws
source: our agreement
date: 2026-11-01
currency: USD
types:
  m5.large: {us-east-1: 0.081, eu-west-1: 0.09}
`

describe('a price list', () => {
  it('knows what it names, and nothing else', () => {
    const [list] = parsePriceLists(ours, 'prices.yaml')

    expect(list?.find({ provider: 'aws', region: 'us-east-1', instanceType: 'm5.large' })).toEqual({
      amount: '0.081',
      currency: 'USD',
      source: 'our agreement',
      pricedAt: '2026-11-01T00:00:00Z',
    })
    expect(list?.find({ provider: 'aws', region: 'us-east-2', instanceType: 'm5.large' })).toBeUndefined()
    expect(list?.find({ provider: 'aws', region: 'us-east-1', instanceType: 'm5.xlarge' })).toBeUndefined()
    expect(list?.find({ provider: 'gcp', region: 'us-east-1', instanceType: 'm5.large' })).toBeUndefined()
  })

  it('may stand with others in one file', () => {
    const sim = ours.replace('provider: aws', 'provider: sim')
    expect(parsePriceLists(`${ours}---${sim}`, 'prices.yaml')).toHaveLength(2)
    const two = `- ${ours.trim().replaceAll('\n', '\n  ')}\n- ${sim.trim().replaceAll('\n', '\n  ')}\n`
    expect(parsePriceLists(two, 'prices.yaml')).toHaveLength(2)
    expect(() => parsePriceLists(`${ours}---${ours.replace('USD', 'EUR')}`, 'prices.yaml')).toThrow(
      'prices.yaml, list 2: currency: ',
    )
  })

  it.each([
    ['a misspelt field', ours.replace('source', 'sauce'), 'prices.yaml: source: '],
    ['a provider that is none', ours.replace('aws', 'azure'), 'prices.yaml: provider: '],
    ['another currency', ours.replace('USD', 'EUR'), 'prices.yaml: currency: '],
    ['a date that is none', ours.replace('2026-11-01', 'yesterday'), 'prices.yaml: date: '],
    ['a negative price', ours.replace('0.081', '-1'), 'prices.yaml: types.m5.large.us-east-1: '],
    ['a price that is no number', ours.replace('0.081', 'cheap'), 'prices.yaml: types.m5.large.us-east-1: '],
    ['a key twice', `${ours}  m5.large: {us-east-1: 0.5}\n`, 'prices.yaml: Map keys must be unique'],
    ['no list at all', '', 'prices.yaml: '],
    ['no YAML', 'types: {', 'prices.yaml: '],
  ])('is refused whole for %s, in one line that says where', (_what, text, line) => {
    const read = () => parsePriceLists(text, 'prices.yaml')
    expect(read).toThrow(line)
    expect(read).not.toThrow('\n')
  })
})

describe('the shipped lists', () => {
  const lists = shippedPriceLists()
  const price = (provider: string, region: string, instanceType: string) =>
    lists.map((list) => list.find({ provider, region, instanceType })).find((found) => found !== undefined)

  it('name their source and date', () => {
    expect(price('aws', 'us-east-1', 't3.micro')).toMatchObject({ amount: '0.0104', pricedAt: '2026-01-19T00:00:00Z' })
    expect(price('aws', 'us-east-1', 't3.micro')?.source).toContain('AWS Price List')
    expect(price('gcp', 'us-central1', 'e2-micro')?.source).toContain('Google Cloud')
  })

  it.each([
    ['aws', 'us-east-1', 'm5.large', '0.096'],
    ['aws', 'us-west-2', 'm5.large', '0.096'],
    ['aws', 'eu-west-1', 'm5.large', '0.107'],
    ['aws', 'ap-northeast-2', 'm5.large', '0.118'],
    ['aws', 'ap-northeast-2', 't3.micro', '0.013'],
    ['gcp', 'us-central1', 'n1-standard-1', '0.04749975'],
    ['gcp', 'us-central1', 'n2-standard-2', '0.097118'],
    ['gcp', 'europe-west1', 'n1-standard-96', '5.016168'],
    ['gcp', 'asia-northeast3', 'e2-highcpu-4', '0.12706212'],
  ])('%s %s %s is %s, as published', (provider, region, instanceType, amount) => {
    expect(price(provider, region, instanceType)?.amount).toBe(amount)
  })

  it('guess nothing', () => {
    expect(price('aws', 'us-east-1', 'm5.gigantic')).toBeUndefined()
    expect(price('gcp', 'us-central1', 'e2-custom-4-8192')).toBeUndefined()
  })
})
