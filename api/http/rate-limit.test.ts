import { describe, expect, it } from 'vitest'
import { rateLimit } from './rate-limit.ts'

function limit(options = { perSecond: 50, burst: 200 }) {
  let t = 0
  const limited = rateLimit({ name: 'user', ...options, now: () => t })
  return {
    ...limited,
    wait(ms: number) {
      t += ms
    },
    /** How many of `calls` pass at once. */
    passing: (key: string, calls: number) =>
      Array.from({ length: calls }, () => limited.take(key)).filter((verdict) => verdict.allowed).length,
  }
}

describe('rateLimit', () => {
  it('lets the burst through and then keeps to the rate', () => {
    const limited = limit()

    expect(limited.passing('alice', 300)).toBe(200)
    limited.wait(1000)
    expect(limited.passing('alice', 300)).toBe(50)
  })

  it('counts everybody apart', () => {
    const limited = limit()

    expect(limited.passing('alice', 250)).toBe(200)
    expect(limited.passing('bob', 250)).toBe(200)
  })

  it('says how it stands, and when to come back', () => {
    const limited = limit({ perSecond: 1, burst: 2 })

    expect(limited.take('a')).toEqual({
      allowed: true,
      policy: '"user";q=2;w=2',
      standing: '"user";r=1;t=1',
      retryAfterSeconds: 0,
    })
    limited.take('a')
    expect(limited.take('a')).toMatchObject({ allowed: false, standing: '"user";r=0;t=2', retryAfterSeconds: 1 })
  })

  it('never fills beyond the burst, and forgets nobody who still owes', () => {
    const limited = limit({ perSecond: 10, burst: 100 })
    limited.passing('alice', 100)

    limited.wait(5000)
    expect(limited.passing('alice', 100)).toBe(50)
    limited.wait(9000)
    expect(limited.passing('alice', 100)).toBe(90)
    limited.wait(3_600_000)
    expect(limited.passing('alice', 200)).toBe(100)
  })
})
