import { describe, expect, it } from 'vitest'
import { rateKey, sourceAddress } from './source-address.ts'

describe('sourceAddress', () => {
  it('is the peer of the connection, whatever the caller claims', () => {
    const source = sourceAddress([])

    expect(source('203.0.113.7', '198.51.100.1')).toBe('203.0.113.7')
    expect(source('::ffff:203.0.113.7', null)).toBe('203.0.113.7')
  })

  it('is what a trusted proxy says, from the end as far as every hop is trusted', () => {
    const source = sourceAddress(['10.0.0.0/8', '::1'])

    expect(source('10.1.2.3', '198.51.100.1')).toBe('198.51.100.1')
    expect(source('10.1.2.3', '6.6.6.6, 198.51.100.1, 10.9.9.9')).toBe('198.51.100.1')
    expect(source('::1', '2001:db8::7')).toBe('2001:db8::7')
    expect(source('203.0.113.7', '198.51.100.1')).toBe('203.0.113.7')
  })

  it('stops at what is no address', () => {
    expect(sourceAddress(['10.0.0.0/8'])('10.1.2.3', 'unknown, 10.0.0.2')).toBe('10.0.0.2')
    expect(sourceAddress(['10.0.0.0/8'])('10.1.2.3', '')).toBe('10.1.2.3')
  })
})

describe('rateKey', () => {
  it('takes an IPv6 network of 64 bits for one caller', () => {
    expect(rateKey('203.0.113.7')).toBe('203.0.113.7')
    expect(rateKey('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64')
    expect(rateKey('2001:db8::1')).toBe('2001:db8:0:0::/64')
    expect(rateKey('::1')).toBe('0:0:0:0::/64')
    expect(rateKey('2001:db8:1:2::')).toBe('2001:db8:1:2::/64')
  })
})
