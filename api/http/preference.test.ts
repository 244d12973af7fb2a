import { expect, it } from 'vitest'
import { waitPreference } from './preference.ts'

it('waits five seconds unless it is asked otherwise, a minute at most', () => {
  expect(waitPreference(undefined)).toBe(5_000)
  expect(waitPreference('wait=10')).toBe(10_000)
  expect(waitPreference('return=minimal, Wait="0"')).toBe(0)
  expect(waitPreference('wait=3600')).toBe(60_000)
})

it('does not wait when the answer may come later', () => {
  expect(waitPreference('respond-async')).toBe(0)
  expect(waitPreference('respond-async, wait=10')).toBe(0)
})

it('takes what it cannot understand for no preference', () => {
  for (const header of ['', 'wait', 'wait=-1', 'wait=soon', 'wait=1.5', '=;,'])
    expect(waitPreference(header)).toBe(5_000)
})
