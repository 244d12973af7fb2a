/**
 * A mutation of many ids fails as a whole, even if one id is to blame. This finds out which: ids that the cloud
 * names in its words get the error and the rest is sent again; when it names none, the call is halved. So one bad
 * id harms no other.
 *
 * Errors that are about the call and not about an id (throttling, an outage, a rejected key) are everybody's at
 * once: taking such a call apart would multiply it. Assumes that the mutation is harmless when repeated.
 */
import { CloudError } from './cloud-error.ts'
import type { ErrorClass } from './error-classes.ts'

/** A call that took so many attempts has too many bad ids in it: those not yet tried are for the next one. */
const MAX_CALLS = 24

const aboutTheCall: ReadonlySet<ErrorClass> = new Set(['throttled', 'transient', 'unauthorized'])

/** Gives each id its own outcome, in their order. */
export async function takingApart(
  ids: readonly string[],
  call: (ids: readonly string[]) => Promise<void>,
): Promise<PromiseSettledResult<void>[]> {
  const outcomes = new Map<string, PromiseSettledResult<void>>()
  const toTry: (readonly string[])[] = [[...new Set(ids)]]
  let calls = 0
  for (let part = toTry.shift(); part !== undefined; part = toTry.shift()) {
    const tried = part
    if (tried.length === 0) continue
    if (calls === MAX_CALLS) {
      conclude(tried, { status: 'rejected', reason: leftForLater() })
      continue
    }
    calls++
    try {
      await call(tried)
      conclude(tried, { status: 'fulfilled', value: undefined })
    } catch (error) {
      const blamed = blamedIn(error, tried)
      conclude(blamed, { status: 'rejected', reason: error })
      const others = tried.filter((id) => !blamed.includes(id))
      if (blamed.length > 0) toTry.push(others)
      else toTry.push(others.slice(0, others.length / 2), others.slice(others.length / 2))
    }
  }
  return ids.map((id) => outcomes.get(id) ?? { status: 'rejected', reason: leftForLater() })

  function conclude(concluded: readonly string[], outcome: PromiseSettledResult<void>): void {
    for (const id of concluded) outcomes.set(id, outcome)
  }
}

function blamedIn(error: unknown, ids: readonly string[]): readonly string[] {
  if (ids.length === 1 || !(error instanceof CloudError) || aboutTheCall.has(error.class)) return ids
  const words = new Set(error.message.match(/[\w-]+/g))
  return ids.filter((id) => words.has(id))
}

function leftForLater(): CloudError {
  return new CloudError('It was sent together with others that the cloud refused, and is yet to be tried by itself.', {
    class: 'transient',
    action: '',
    outcomeUnknown: false,
  })
}
