import { partition } from '@aws-sdk/core/client'
import { describe, expect, it } from 'vitest'
import { awsRegions, isRegionCode, regionNamed } from './regions.ts'

describe('awsRegions', () => {
  it('are called what the SDK’s own table calls them, accents apart', () => {
    for (const { name, displayName } of awsRegions) {
      expect(partition(name)).toMatchObject({
        name: 'aws',
        description: displayName.normalize('NFD').replace(/\p{Mn}/gu, ''),
      })
    }
  })

  it('include one that opens tomorrow under its code', () => {
    expect(isRegionCode('us-west-9')).toBe(true)
    expect(regionNamed('us-west-9')).toEqual({ name: 'us-west-9', displayName: 'us-west-9' })
  })

  it.each(['', 'us-east-1.evil.example', 'us-east-1/', 'US-EAST-1', 'localhost', 'x@us-east-1', 'us-east-1#'])(
    'are none of what would make another host name: %j',
    (name) => {
      expect(isRegionCode(name)).toBe(false)
    },
  )
})
