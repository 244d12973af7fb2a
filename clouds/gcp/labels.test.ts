import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { labelKeysOf, labelsFrom, searchLabel, tagsFrom } from './labels.ts'

const uid = '22222222-2222-4222-8222-222222222222'

describe('tags as labels', () => {
  it('are what the contract says for the tags of SkyClust', () => {
    const tags = {
      'skyclust.io/vm-uid': uid,
      'skyclust.io/vm': 'team-a/web-1',
      'skyclust.io/cluster': uid,
      'skyclust.io/incarnation': '0',
      Name: 'web-1',
    }

    expect(labelsFrom(tags)).toEqual({
      'skyclust-vm-uid': uid,
      'skyclust-vm': 'team-a_web-1',
      'skyclust-cluster': uid,
      'skyclust-incarnation': '0',
      'skyclust-name': 'web-1',
    })
  })

  it('stay as they are when they are labels already', () => {
    const tags = { team: 'a', cost_center: '42-b', name: 'mine', empty: '' }

    expect(labelsFrom(tags)).toEqual(tags)
    expect(tagsFrom(tags)).toEqual(tags)
  })

  it('go on in further labels when the names of Namespace and VM are as long as Kubernetes lets them be', () => {
    const value = `${'n'.repeat(63)}/${'v'.repeat(63)}`

    const labels = labelsFrom({ 'skyclust.io/vm': value })

    expect(Object.keys(labels)).toEqual(['skyclust-vm', 'skyclust-vm-2', 'skyclust-vm-3'])
    expect(tagsFrom(labels)).toEqual({ 'skyclust.io/vm': value })
    expect(labelKeysOf('skyclust.io/vm')).toEqual(Object.keys(labels))
    expect(searchLabel('skyclust.io/vm', value)).toEqual(['skyclust-vm', 'n'.repeat(63)])
  })

  it('are refused by name when there is no room for them', () => {
    expect(() => labelsFrom({ note: 'X'.repeat(40) })).toThrow(
      expect.objectContaining({ class: 'invalid', message: expect.stringContaining('"note"') }),
    )
  })

  it('keep to the rules of labels and are read back as they were, whatever they are', () => {
    const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
    const key = fc.oneof(
      fc.string({ minLength: 1, maxLength: 18 }),
      fc.constantFrom(
        'Name',
        'name',
        'skyclust-x',
        'skyclust.io/name',
        'skyclust.io/vm-2',
        'x-_',
        'x-_2f',
        'skyclust.io/vm',
        '__proto__',
      ),
    )
    const value = fc.oneof(
      fc.string({ maxLength: 19, unit: 'grapheme' }).filter((text) => Buffer.from(text).length <= 19),
      fc.tuple(name, name).map((parts) => parts.join('/').slice(0, 60)),
      fc.constantFrom('a_b', 'a/b', 'x-_', 'x-_61', 'a.b/c', '_', '/'),
    )

    fc.assert(
      fc.property(fc.dictionary(key, value, { maxKeys: 8 }), (tags) => {
        let labels: Readonly<Record<string, string>>
        try {
          labels = labelsFrom(tags)
        } catch {
          return // no room, which the test before is about
        }
        for (const [label, text] of Object.entries(labels)) {
          expect(label).toMatch(/^[a-z][a-z0-9_-]{0,62}$/)
          expect(text).toMatch(/^[a-z0-9_-]{0,63}$/)
        }
        expect(tagsFrom(labels)).toEqual(tags)
      }),
      { numRuns: 2_000 },
    )
  })
})
