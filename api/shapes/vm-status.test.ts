import { describe, expect, it } from 'vitest'
import type { VM } from '../../crds/vm.ts'
import { problemOf } from './vm-status.ts'

/** Of a VM that is not Ready for that reason; `also` is the condition beside. */
function statusFor(reason: string, also: 'Stalled' | 'Reconciling', state = 'pending'): VM['status'] {
  const said = { reason, message: `The words of ${reason}.`, lastTransitionTime: '2026-01-01T00:00:00Z' }
  const conditions = [
    { type: 'Ready', status: 'False', ...said },
    { type: also, status: 'True', ...said },
  ]
  return { state, conditions } as VM['status']
}

describe('the error of a VM', () => {
  it('is what only somebody can mend', () => {
    expect(problemOf(statusFor('StopRequired', 'Stalled'))).toBe('The words of StopRequired.')
  })

  it('is what the cloud fails at, or that it does not answer, though it is tried again', () => {
    expect(problemOf(statusFor('CloudUnavailable', 'Reconciling'))).toBe('The words of CloudUnavailable.')
    expect(problemOf(statusFor('Throttled', 'Reconciling'))).toBe('The words of Throttled.')
  })

  it('is none while a VM comes up as it should', () => {
    expect(problemOf(statusFor('Launching', 'Reconciling'))).toBe('')
    expect(problemOf(undefined)).toBe('')
  })
})
