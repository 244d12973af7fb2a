import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { instanceName, requestId } from './names.ts'

const token = 'skyclust-22222222-2222-4222-8222-222222222222-0'

describe('the name of an instance', () => {
  it('is the token where that can be a name', () => {
    expect(instanceName(token)).toBe(token)
  })

  it('is always a name of Compute Engine, and another one for another token', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ maxLength: 80 }), { minLength: 2, maxLength: 2 }),
        ([one = '', two = '']) => {
          expect(instanceName(one)).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/)
          expect(instanceName(one)).not.toBe(instanceName(two))
        },
      ),
    )
  })
})

describe('the requestId of an insert', () => {
  it('is a UUID that follows from token, zone and series alone', () => {
    const id = requestId(token, 'us-central1-a', '1')

    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(requestId(token, 'us-central1-a', '1')).toBe(id)
    expect(requestId(token, 'us-central1-b', '1')).not.toBe(id)
    expect(requestId(token, 'us-central1-a', '2')).not.toBe(id)
  })
})
