import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from './resource.ts'
import { type Change, store } from './store.ts'

interface Thing extends KubeObject {
  readonly colors: readonly string[]
}

function thing(namespace: string, name: string, uid: string, version: number, colors: readonly string[] = []): Thing {
  const metadata = { namespace, name, uid, resourceVersion: String(version), creationTimestamp: '' }
  return { apiVersion: 'v1', kind: 'Thing', metadata, colors }
}

const byColor = { color: (object: Thing) => object.colors }

describe('store', () => {
  it('finds by key, namespace, uid and index, and says what changed', () => {
    const things = store<Thing>(byColor)
    const first = thing('a', 'one', 'u1', 1, ['red', 'blue'])
    const second = thing('a', 'one', 'u1', 2, ['blue'])
    const other = thing('b', 'one', 'u2', 3)

    expect(things.apply(first)).toEqual([{ type: 'apply', object: first }])
    expect(things.apply(second)).toEqual([{ type: 'apply', object: second, previous: first }])
    expect(things.apply(thing('a', 'one', 'u1', 2, ['blue']))).toEqual([])
    things.apply(other)

    expect(things.get({ namespace: 'a', name: 'one' })).toBe(second)
    expect(things.byUid('u2')).toBe(other)
    expect(things.list('a')).toEqual([second])
    expect(things.list()).toEqual([second, other])
    expect(things.index('color', 'red')).toEqual([])
    expect(things.index('color', 'blue')).toEqual([second])
    expect(() => things.index('colour', 'blue')).toThrow('no index "colour"; there is color')
  })

  it('tells of the end of the old object when another took its name', () => {
    const things = store<Thing>()
    const old = thing('a', 'one', 'u1', 1)
    const young = thing('a', 'one', 'u2', 5)
    things.apply(old)

    expect(things.apply(young)).toEqual([
      { type: 'delete', object: old },
      { type: 'apply', object: young },
    ])
    expect(things.byUid('u1')).toBeUndefined()
    expect(things.delete(thing('a', 'one', 'u1', 4))).toEqual([]) // of the one that is gone already
    expect(things.get({ namespace: 'a', name: 'one' })).toBe(young)
  })

  it('gives what a plain list of all objects would, however it came about', () => {
    const object = fc.record({
      namespace: fc.constantFrom('a', 'b', ''),
      name: fc.constantFrom('one', 'two', 'three'),
      generation: fc.integer({ min: 0, max: 1 }),
      version: fc.integer({ min: 1, max: 9 }),
      colors: fc.subarray(['red', 'green', 'blue']),
    })
    const step = fc.oneof(
      fc.record({ do: fc.constant('apply' as const), object }),
      fc.record({ do: fc.constant('delete' as const), object }),
      fc.record({
        do: fc.constant('replace' as const),
        objects: fc.uniqueArray(object, { selector: (o) => `${o.namespace}/${o.name}` }),
      }),
    )
    const make = (o: { namespace: string; name: string; generation: number; version: number; colors: string[] }) =>
      thing(o.namespace, o.name, `${o.namespace}/${o.name}#${o.generation}`, o.version, o.colors)

    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const things = store<Thing>(byColor)
        const plain = new Map<string, Thing>()
        const mirror = new Map<string, Thing>()
        const follow = (changes: readonly Change<Thing>[]) => {
          for (const change of changes) {
            const { uid } = change.object.metadata
            if (change.type === 'apply') expect(mirror.get(uid)).toBe(change.previous)
            else expect(mirror.has(uid)).toBe(true)
            if (change.type === 'apply') mirror.set(uid, change.object)
            else mirror.delete(uid)
          }
        }
        for (const one of steps) {
          if (one.do === 'apply') {
            const object = make(one.object)
            const key = `${one.object.namespace}/${one.object.name}`
            const known = plain.get(key)
            const isSame =
              known?.metadata.uid === object.metadata.uid &&
              known.metadata.resourceVersion === object.metadata.resourceVersion
            if (!isSame) plain.set(key, object)
            follow(things.apply(object))
          } else if (one.do === 'delete') {
            const object = make(one.object)
            const key = `${one.object.namespace}/${one.object.name}`
            if (plain.get(key)?.metadata.uid === object.metadata.uid) plain.delete(key)
            follow(things.delete(object))
          } else {
            const objects = one.objects.map(make)
            const before = new Map(plain)
            plain.clear()
            for (const object of objects) {
              const key = `${object.metadata.namespace}/${object.metadata.name}`
              const known = before.get(key)
              const isSame =
                known?.metadata.uid === object.metadata.uid &&
                known.metadata.resourceVersion === object.metadata.resourceVersion
              plain.set(key, isSame && known ? known : object)
            }
            follow(things.replaceAll(objects))
          }
          const all = new Set(plain.values())
          expect(new Set(things.list())).toEqual(all)
          expect(new Set(mirror.values())).toEqual(all)
          expect(things.size).toBe(all.size)
          for (const namespace of ['a', 'b', '']) {
            expect(new Set(things.list(namespace))).toEqual(
              new Set([...all].filter((o) => o.metadata.namespace === namespace)),
            )
          }
          for (const color of ['red', 'green', 'blue']) {
            expect(new Set(things.index('color', color))).toEqual(
              new Set([...all].filter((o) => o.colors.includes(color))),
            )
          }
          for (const object of all) expect(things.byUid(object.metadata.uid)).toBe(object)
        }
      }),
      { numRuns: 300 },
    )
  })
})
