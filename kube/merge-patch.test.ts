import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mergePatchBetween, sameJson } from './merge-patch.ts'

/** As RFC 7386 writes it down. */
function applyPatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const isObject = typeof target === 'object' && target !== null && !Array.isArray(target)
  const result: Record<string, unknown> = isObject ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = applyPatch(result[key], value)
  }
  return result
}

/** Objects as the API has them: no nulls, which a merge patch cannot say. */
const { object } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ maxLength: 2 }),
    fc.integer({ min: 0, max: 3 }),
    fc.boolean(),
    tie('list'),
    tie('object'),
  ),
  list: fc.array(fc.oneof(fc.integer({ min: 0, max: 2 }), tie('object')), { maxLength: 3 }),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto'), tie('value'), { maxKeys: 4, noNullPrototype: true }),
}))

describe('mergePatchBetween', () => {
  it('gives the patch that turns one object into the other, and nothing when they say the same', () => {
    fc.assert(
      fc.property(object, object, (before, after) => {
        const patch = mergePatchBetween(before, after)
        if (patch === undefined) expect(before).toEqual(after)
        else expect(applyPatch(before, patch)).toEqual(after)
        expect(sameJson(before, after)).toBe(patch === undefined)
      }),
      { numRuns: 2_000 },
    )
  })

  it('says no more than differs', () => {
    const before = { state: 'running', ip: '10.0.0.1', network: { subnet: 'a', public: true } }
    const after = { state: 'stopped', ip: undefined, network: { subnet: 'a', public: false } }
    expect(mergePatchBetween(before, after)).toEqual({ state: 'stopped', ip: null, network: { public: false } })
  })

  it('replaces lists whole, and takes undefined for absent', () => {
    expect(mergePatchBetween({ list: [1, 2] }, { list: [1, 3] })).toEqual({ list: [1, 3] })
    expect(mergePatchBetween({ a: 1, b: undefined }, { a: 1, c: undefined })).toBeUndefined()
    expect(mergePatchBetween({}, { nested: {} })).toEqual({ nested: {} })
  })
})
