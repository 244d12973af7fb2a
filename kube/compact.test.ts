import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compactor } from './compact.ts'

describe('compactor', () => {
  it('changes nothing that can be read', () => {
    const compact = compactor()
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(compact(structuredClone(value))).toEqual(value)
      }),
    )
  })

  it('freezes all the way down', () => {
    const object = compactor()({ spec: { tags: [{ key: 'a' }] } })
    expect(() => Object.assign(object.spec.tags[0] ?? {}, { key: 'b' })).toThrow(TypeError)
    expect(() => object.spec.tags.push({ key: 'c' })).toThrow(TypeError)
  })
})
