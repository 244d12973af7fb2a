import { describe, expect, it } from 'vitest'
import { masked, sensitive, summarisePlan } from './plan-summary.ts'

const change = (address: string, actions: string[], rest: object = {}) => ({ address, change: { actions, ...rest } })

describe('summarisePlan', () => {
  it('counts as tofu does: a replacement is one to add and one to destroy, reads and no-ops are nothing', () => {
    const summary = summarisePlan(
      JSON.stringify({
        resource_changes: [
          change('a.new', ['create']),
          change('a.old', ['delete']),
          change('a.other', ['update']),
          change('a.again', ['delete', 'create']),
          change('a.same', ['no-op']),
          change('data.a.read', ['read']),
        ],
      }),
    )
    expect(summary).toMatchObject({ add: 2, change: 1, destroy: 2, changesLeftOut: 0 })
    expect(summary.changes.map(({ address }) => address)).toEqual(['a.new', 'a.old', 'a.other', 'a.again'])
  })

  it('lists a bounded number of changes and says how many it left out', () => {
    const resource_changes = Array.from({ length: 150 }, (_, index) => change(`a.r[${index}]`, ['create']))
    expect(summarisePlan(JSON.stringify({ resource_changes }))).toMatchObject({ add: 150, changesLeftOut: 50 })
  })

  it('has no sensitive value in its document', () => {
    const secret = { before: null, after: { password: 'hunter2', size: 1 }, after_sensitive: { password: true } }
    const output_changes = { key: { actions: ['create'], before: null, after: 'hunter3', after_sensitive: true } }
    const { document } = summarisePlan(
      JSON.stringify({ resource_changes: [change('a.b', ['create'], secret)], output_changes }),
    )
    expect(document).not.toMatch(/hunter/)
    expect(document).toContain('"size": 1')
  })

  it('is content with a plan that changes nothing', () => {
    expect(summarisePlan('{}')).toMatchObject({ add: 0, change: 0, destroy: 0, changes: [] })
  })
})

describe('masked', () => {
  it('hides what the mask names, at any depth, and leaves null visible', () => {
    const value = { list: [{ a: 'x', b: 'y' }, { a: 'z' }], none: null, plain: 1 }
    const mask = { list: [{ a: true }, {}], none: true }
    expect(masked(value, mask)).toEqual({ list: [{ a: sensitive, b: 'y' }, { a: 'z' }], none: null, plain: 1 })
    expect(masked({ a: 1 }, true)).toBe(sensitive)
  })
})
