/** What is said, of whatever kind, while a cloud says nothing: since when, so that whoever waits knows that it is not for them to act. */
import { wholeSeconds } from '../kube/conditions.ts'

/** A cloud that says nothing for so long is told of. Their answers take a second or two. */
export const silenceToldAfterMs = 10_000

/** @param since milliseconds since 1970 */
export function silenceWords(since: number): string {
  return `The cloud has not answered since ${wholeSeconds(new Date(since))}.`
}
