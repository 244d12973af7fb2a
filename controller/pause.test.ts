import { describe, expect, it } from 'vitest'
import { annotations } from '../crds/names.ts'
import type { Condition } from '../kube/conditions.ts'
import { isPaused, pausedConditions, pauseNews } from './pause.ts'

const now = new Date('2026-01-02T03:04:05Z')
const condition = (type: string, status: Condition['status'] = 'True'): Condition => ({
  ...{ type, status, reason: 'Reason', message: 'Words.', observedGeneration: 1 },
  lastTransitionTime: '2026-01-01T00:00:00Z',
})
const object = (conditions?: readonly Condition[]) => ({
  metadata: { name: 'a', uid: 'u', resourceVersion: '1', creationTimestamp: '', generation: 2 },
  status: { conditions },
})

describe('a paused object', () => {
  it('is one whose annotation says "true", and no other word', () => {
    const { metadata } = object()
    const marked = (value: string) =>
      isPaused({ metadata: { ...metadata, annotations: { [annotations.paused]: value } } })
    expect([marked('true'), marked('false'), marked(''), isPaused({ metadata })]).toEqual([true, false, false, false])
  })

  it('says so for the generation that it has, and leaves standing what was said of the one before', () => {
    const before = [condition('Ready'), condition('Reconciling'), condition('Drifted', 'False')]
    const after = pausedConditions(object(before), now)
    expect(after).toContainEqual(condition('Ready'))
    expect(after).toContainEqual(condition('Drifted', 'False'))
    expect(after.map(({ type }) => type)).not.toContain('Reconciling')
    expect(after).toContainEqual(expect.objectContaining({ type: 'Paused', status: 'True', observedGeneration: 2 }))
  })

  it('is news when it begins and when it ends, and not while it lasts', () => {
    const [free, paused] = [[condition('Ready')], [condition('Ready'), condition('Paused')]]
    expect(pauseNews(undefined, paused)?.reason).toBe('Paused')
    expect(pauseNews(paused, paused)).toBeUndefined()
    expect(pauseNews(paused, free)?.reason).toBe('Resumed')
    expect(pauseNews(free, undefined)).toBeUndefined()
  })
})
