import { describe, expect, it } from 'vitest'
import { leaseType, namespaceType, secretType } from './builtin-types.ts'
import {
  apiVersionOf,
  collectionPath,
  compareResourceVersions,
  keyOf,
  keyString,
  objectPath,
  parseKey,
} from './resource.ts'

describe('paths', () => {
  it('are those of the core group and of named groups, of one namespace and of all', () => {
    expect(collectionPath(secretType, 'team-a')).toBe('/api/v1/namespaces/team-a/secrets')
    expect(collectionPath(secretType)).toBe('/api/v1/secrets')
    expect(collectionPath(leaseType, 'team-a')).toBe('/apis/coordination.k8s.io/v1/namespaces/team-a/leases')
    expect(objectPath(namespaceType, { name: 'team-a' }, 'status')).toBe('/api/v1/namespaces/team-a/status')
    expect(apiVersionOf(secretType)).toBe('v1')
    expect(apiVersionOf(leaseType)).toBe('coordination.k8s.io/v1')
  })

  it('never let a name become a part of the path', () => {
    expect(objectPath(namespaceType, { name: '../pods?x=#' })).toBe('/api/v1/namespaces/..%2Fpods%3Fx%3D%23')
    expect(() => objectPath(namespaceType, { name: '' })).toThrow('Namespace needs a name')
    expect(() => objectPath(secretType, { name: 'a' })).toThrow('Secret a needs a namespace')
  })
})

describe('keys', () => {
  it('say the same as text and as parts', () => {
    for (const key of [{ name: 'a' }, { namespace: 'team-a', name: 'web.1' }])
      expect(parseKey(keyString(key))).toEqual(key)
    expect(keyOf({ metadata: { namespace: 'team-a', name: 'a' } })).toEqual({ namespace: 'team-a', name: 'a' })
  })
})

describe('compareResourceVersions', () => {
  it('compares as integers of any length, not as text', () => {
    expect(compareResourceVersions('9', '10')).toBeLessThan(0)
    expect(compareResourceVersions('10', '9')).toBeGreaterThan(0)
    expect(compareResourceVersions('90071992547409931', '90071992547409930')).toBeGreaterThan(0)
    expect(compareResourceVersions('123', '123')).toBe(0)
  })
})
