import { describe, expect, it } from 'vitest'
import { givenVM, now } from './given.ts'
import { recollections } from './recollection.ts'

describe('what is remembered of failures', () => {
  const vm = givenVM()

  it('counts only those in a row: a pass that goes through begins anew, and what holds off or guards is kept', () => {
    const remembered = recollections()
    const notBefore = { at: now + 1_000, generation: 1, accessVersion: 'key-1' }
    remembered.update(vm, { failures: 2, notBefore, releasedAt: now })

    remembered.wentThrough(vm)

    expect(remembered.of(vm)).toEqual({ notBefore, releasedAt: now })
  })

  it('is nothing once everything went as it should, but for what guards against a stale view', () => {
    const remembered = recollections()
    const notBefore = { at: now + 1_000, generation: 1, accessVersion: 'key-1' }
    remembered.update(vm, { failures: 2, notBefore, resizedAt: now })

    remembered.settle(vm)

    expect(remembered.of(vm)).toEqual({ resizedAt: now })
  })
})
