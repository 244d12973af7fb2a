import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CloudError } from './cloud-error.ts'
import type { ErrorClass } from './error-classes.ts'
import { takingApart } from './taking-apart.ts'

const id = (n: number) => `i-${n.toString(16).padStart(17, '0')}`

/** One in so many ids is bad. */
const rarity = fc.integer({ min: 1, max: 50 })

/** A cloud that refuses a whole call for the bad ids in it, and keeps what it did. */
function refusing(bad: readonly string[], { names }: { readonly names: 'all' | 'first' | 'none' }) {
  const done: string[] = []
  let calls = 0
  return {
    done,
    calls: () => calls,
    async call(ids: readonly string[]): Promise<void> {
      calls++
      const found = ids.filter((one) => bad.includes(one))
      if (found.length === 0) return void done.push(...ids)
      const named = names === 'all' ? found.join(', ') : names === 'first' ? (found[0] ?? '') : ''
      throw refusal('notFound', `The instance IDs '${named}' do not exist`)
    },
  }
}

function refusal(errorClass: ErrorClass, message: string): CloudError {
  return new CloudError(message, { class: errorClass, action: 'StopInstances' })
}

describe('takingApart', () => {
  it('is one call when nothing is wrong', async () => {
    const cloud = refusing([], { names: 'all' })

    const outcomes = await takingApart([id(1), id(2)], cloud.call)

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    expect(cloud.calls()).toBe(1)
  })

  it('sends the rest again at once when the cloud names the bad ids', async () => {
    const cloud = refusing([id(2), id(3)], { names: 'all' })

    const outcomes = await takingApart([id(1), id(2), id(3), id(4)], cloud.call)

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    expect(cloud.calls()).toBe(2)
  })

  it.each(['all', 'first', 'none'] as const)(
    'harms no good id, whatever else is in the call, when the cloud names %s of the bad ones',
    async (names) => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 200 }), rarity, async (lots, rare) => {
          const ids = lots.map((_, index) => id(index))
          const bad = ids.filter((_, index) => (lots[index] ?? 0) % rare === 0)
          const cloud = refusing(bad, { names })

          const outcomes = await takingApart(ids, cloud.call)

          for (const [index, outcome] of outcomes.entries()) {
            const isBad = bad.includes(ids[index] ?? '')
            if (isBad) expect(outcome.status).toBe('rejected')
            // A good id is done, or told that it was not tried; it is never told that it does not exist.
            else if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ class: 'transient' })
          }
          const fulfilled = ids.filter((_, index) => outcomes[index]?.status === 'fulfilled')
          expect(cloud.done.toSorted()).toEqual(fulfilled.toSorted())
          expect(cloud.calls()).toBeLessThanOrEqual(24)
        }),
      )
    },
  )

  it('does all of the good ones of a thousand when a few are bad and none is named', async () => {
    const ids = Array.from({ length: 1_000 }, (_, n) => id(n))
    const cloud = refusing([id(7)], { names: 'none' })

    const outcomes = await takingApart(ids, cloud.call)

    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1)
    expect(cloud.calls()).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(1_000)) + 1)
  })

  it.each(['throttled', 'transient', 'unauthorized'] as const)(
    'does not take a call apart that failed as %s: that is nobody’s fault',
    async (errorClass) => {
      let calls = 0
      const outcomes = await takingApart([id(1), id(2)], async () => {
        calls++
        throw refusal(errorClass, 'no')
      })

      expect(calls).toBe(1)
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    },
  )

  it('does not blame an id because the name of another begins with it', async () => {
    const cloud = refusing(['i-1234abcd0'], { names: 'all' })

    const outcomes = await takingApart(['i-1234abcd', 'i-1234abcd0'], cloud.call)

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })

  it('tries an id that was asked for twice once, and tells both', async () => {
    const cloud = refusing([], { names: 'all' })

    const outcomes = await takingApart([id(1), id(1)], cloud.call)

    expect(outcomes).toHaveLength(2)
    expect(cloud.done).toEqual([id(1)])
  })
})
