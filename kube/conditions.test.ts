import { describe, expect, it } from 'vitest'
import {
  type Condition,
  getCondition,
  isTrue,
  removeCondition,
  sameConditions,
  setCondition,
  wholeSeconds,
} from './conditions.ts'

const early = new Date('2026-01-01T00:00:00.999Z')
const late = new Date('2026-01-01T01:00:00Z')
const ready = {
  type: 'Ready',
  status: 'False',
  reason: 'Creating',
  message: 'It is being made.',
  observedGeneration: 1,
} as const

describe('setCondition', () => {
  it('moves the transition time with the status, and only with it', () => {
    const first = setCondition(undefined, ready, early)
    const reworded = setCondition(first, { ...ready, reason: 'Waiting', observedGeneration: 2 }, late)
    const turned = setCondition(reworded, { ...ready, status: 'True' }, late)

    expect(getCondition(first, 'Ready')?.lastTransitionTime).toBe('2026-01-01T00:00:00Z')
    expect(getCondition(reworded, 'Ready')).toMatchObject({
      reason: 'Waiting',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    })
    expect(getCondition(turned, 'Ready')).toMatchObject({ status: 'True', lastTransitionTime: '2026-01-01T01:00:00Z' })
  })

  it('gives back the very list when nothing changed', () => {
    const conditions = setCondition(undefined, ready, early)
    expect(setCondition(conditions, { ...ready }, late)).toBe(conditions)
  })

  it('leaves the others, their order and the list it was given alone', () => {
    const both = setCondition(setCondition([], ready, early), { ...ready, type: 'Synced' }, early)
    const frozen = Object.freeze(both.map((condition) => Object.freeze(condition)))

    const changed = setCondition(frozen, { ...ready, status: 'True' }, late)

    expect(changed.map(({ type }) => type)).toEqual(['Ready', 'Synced'])
    expect(changed[1]).toBe(frozen[1])
    expect(isTrue(changed, 'Ready')).toBe(true)
    expect(isTrue(frozen, 'Ready')).toBe(false)
  })
})

describe('removeCondition', () => {
  it('takes one away, and gives back the very list when it is not there', () => {
    const conditions = setCondition(undefined, ready, early)
    expect(removeCondition(conditions, 'Ready')).toEqual([])
    expect(removeCondition(conditions, 'Stalled')).toBe(conditions)
    expect(removeCondition(undefined, 'Stalled')).toEqual([])
  })
})

describe('sameConditions', () => {
  it('does not mind the order, and minds everything else', () => {
    const a: Condition = { ...ready, lastTransitionTime: wholeSeconds(early) }
    const b: Condition = { ...a, type: 'Synced' }
    expect(sameConditions([a, b], [b, a])).toBe(true)
    expect(sameConditions([a], [a, b])).toBe(false)
    expect(sameConditions([a], [{ ...a, message: 'else' }])).toBe(false)
    expect(sameConditions(undefined, [])).toBe(true)
  })
})
