import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../kube/resource.ts'
import { changeLog } from './change-log.ts'

function vm(name: string, namespace: string, resourceVersion: number): KubeObject {
  const metadata = { name, namespace, uid: `uid-${namespace}-${name}`, resourceVersion: String(resourceVersion) }
  return { apiVersion: 'skyclust.io/v1alpha1', kind: 'VM', metadata: { ...metadata, creationTimestamp: '' } }
}

function listedAt(resourceVersion: number, capacity?: number) {
  const log = changeLog<KubeObject>(capacity === undefined ? {} : { capacity })
  log.heard({ type: 'init' })
  log.heard({ type: 'ready', resourceVersion: String(resourceVersion) })
  return log
}

function apply(log: ReturnType<typeof listedAt>, object: KubeObject) {
  log.changed({ type: 'apply', object })
  log.heard({ type: 'apply', object })
}

const names = (changes: readonly { name: string }[] | undefined) => changes?.map((change) => change.name).sort()

describe('changeLog', () => {
  it('gives what changed after a position, each object once, in the namespaces asked for', () => {
    const log = listedAt(10)
    apply(log, vm('a', 'one', 11))
    apply(log, vm('b', 'two', 12))
    apply(log, vm('a', 'one', 13))
    apply(log, vm('c', 'one', 14))

    expect(names(log.since('10', ['one']))).toEqual(['a', 'c'])
    expect(names(log.since('12', ['one', 'two']))).toEqual(['a', 'c'])
    expect(names(log.since('11', ['one', 'two']))).toEqual(['a', 'b', 'c'])
    expect(log.since('14', ['one', 'two'])).toEqual([])
  })

  it('says so when it does not reach back that far, or has not come that far yet', () => {
    const log = listedAt(10, 2)
    expect(log.since('9', ['one'])).toBeUndefined()
    expect(log.since('11', ['one'])).toBeUndefined()

    for (const version of [11, 12, 13]) apply(log, vm('a', 'one', version))
    expect(log.since('10', ['one'])).toBeUndefined()
    expect(names(log.since('11', ['one']))).toEqual(['a'])
  })

  it('knows nothing before the first list', () => {
    const log = changeLog<KubeObject>()
    log.heard({ type: 'init' })
    log.heard({ type: 'apply', object: vm('a', 'one', 5) })

    expect(log.position).toBeUndefined()
    expect(log.since('5', ['one'])).toBeUndefined()
  })

  it('takes a relist as one batch at the version of its list, in whatever order it tells', () => {
    const log = listedAt(10)
    const heard: [number, string][] = []
    log.onAdvance((changes, position) => heard.push([changes.length, position]))

    log.heard({ type: 'init' })
    log.heard({ type: 'apply', object: vm('b', 'one', 19) })
    log.heard({ type: 'apply', object: vm('c', 'one', 15) })
    log.changed({ type: 'delete', object: vm('a', 'one', 9) })
    log.changed({ type: 'apply', object: vm('b', 'one', 19) })
    log.changed({ type: 'apply', object: vm('c', 'one', 15) })
    log.heard({ type: 'ready', resourceVersion: '20' })

    expect(heard).toEqual([[3, '20']])
    expect(names(log.since('19', ['one']))).toEqual(['a', 'b', 'c'])
  })

  it('moves on with bookmarks, so that a quiet listener keeps its place', () => {
    const log = listedAt(10)
    log.heard({ type: 'bookmark', resourceVersion: '500' })

    expect(log.position).toBe('500')
    expect(log.since('500', ['one'])).toEqual([])
  })

  it('gives exactly the objects that changed, or nothing at all, whatever happened and whatever was evicted', () => {
    const step = fc.record({ name: fc.constantFrom('a', 'b', 'c'), namespace: fc.constantFrom('one', 'two', 'three') })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 95, max: 170 }),
        fc.subarray(['one', 'two', 'three']),
        (steps, capacity, after, namespaces) => {
          const log = listedAt(100, capacity)
          for (const [index, { name, namespace }] of steps.entries()) apply(log, vm(name, namespace, 101 + index))
          const end = 100 + steps.length

          const found = log.since(String(after), namespaces)

          const oldestKept = Math.max(100, end - capacity)
          if (after < oldestKept || after > end) {
            expect(found).toBeUndefined()
            return
          }
          const expected = steps
            .slice(after - 100)
            .filter(({ namespace }) => namespaces.includes(namespace))
            .map(({ name, namespace }) => `uid-${namespace}-${name}`)
          expect(found?.map((change) => change.uid).sort()).toEqual([...new Set(expected)].sort())
        },
      ),
    )
  })
})
