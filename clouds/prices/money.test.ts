import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asNumber, costOf, sumOf } from './money.ts'

describe('costOf', () => {
  it('is exact where binary numbers are not', () => {
    expect(0.1 * 3).not.toBe(0.3)
    expect(costOf('0.0208', 3)).toBe(0.0624)
    expect(costOf('0.0104', 24)).toBe(0.2496)
    expect(costOf('0.1', 3)).toBe(0.3)
    expect(costOf('0.0083764275', 720)).toBe(6.031028)
  })

  it('takes parts of an hour', () => {
    expect(costOf('0.0104', 0.5)).toBe(0.0052)
    expect(costOf('4.608', 0.1)).toBe(0.4608)
  })

  it('rounds once, half a millionth away from zero', () => {
    expect(costOf('0.000001', 0.5)).toBe(0.000001)
    expect(costOf('0.000001', 0.49)).toBe(0)
  })

  it('of whole micro-dollars and hours is what integers give, whatever they are', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400_000_000 }), fc.integer({ min: 0, max: 87_600 }), (micros, hours) => {
        const price = `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`
        const product = BigInt(micros) * BigInt(hours)
        const text = `${product / 1_000_000n}.${String(product % 1_000_000n).padStart(6, '0')}`
        expect(costOf(price, hours)).toBe(Number(text))
      }),
    )
  })
})

describe('sumOf', () => {
  it('adds a thousand dimes to a hundred dollars', () => {
    expect(sumOf(Array.from({ length: 1000 }, () => '0.1'))).toBe(100)
    expect(sumOf(['0.1', '0.2'])).toBe(0.3)
    expect(sumOf([])).toBe(0)
  })

  it('rounds the sum, not its parts', () => {
    expect(sumOf(Array.from({ length: 10 }, () => '0.00000000004'))).toBe(0.0000000004)
  })

  it('adds up to what is shown of each', () => {
    expect(sumOf(['0.0083764275', '0.0083764275'])).toBe(2 * asNumber('0.0083764275'))
  })
})

it('asNumber is the number as written', () => {
  expect(asNumber('0.021811590')).toBe(0.02181159)
  expect(asNumber('113.9328')).toBe(113.9328)
})
