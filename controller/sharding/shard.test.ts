import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fairShare, scopeOf, shardOf } from './shard.ts'

describe('shardOf', () => {
  it('gives a name the same shard on every replica of every version', () => {
    expect([shardOf('team-a', 8), shardOf('team-b', 8), shardOf('team-a', 1)]).toEqual([4, 2, 0])
  })

  it('spreads names evenly', () => {
    const counts = new Array<number>(8).fill(0)
    for (let i = 0; i < 8_000; i++) {
      const shard = shardOf(`team-${i}`, 8)
      counts[shard] = (counts[shard] ?? 0) + 1
    }
    for (const count of counts) expect(count).toBeGreaterThan(800)
  })

  it('goes by the namespace, or by the name of what has none', () => {
    expect(scopeOf({ namespace: 'team-a', name: 'web' })).toBe(scopeOf({ name: 'team-a' }))
  })
})

describe('fairShare', () => {
  it('always leaves room for every shard, and for no more than one to spare a replica', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 256 }), fc.integer({ min: 1, max: 64 }), (shards, replicas) => {
        const share = fairShare(shards, replicas)
        expect(share * replicas).toBeGreaterThanOrEqual(shards)
        expect((share - 1) * replicas).toBeLessThan(shards)
      }),
    )
  })
})
