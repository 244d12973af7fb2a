/** A run that cannot go on, for a reason that its author can mend: what goes into the condition and the words that go with it. */
import type { Exceeded } from './limits-watch.ts'

export class RunFailure extends Error {
  override readonly name = 'RunFailure'
  readonly reason: FailureWord

  constructor(reason: FailureWord, message: string) {
    super(message)
    this.reason = reason
  }
}

export type FailureWord =
  | 'InvalidSource'
  | 'SourceUnavailable'
  | 'TofuFailed'
  | 'RunnerFailed'
  | 'PlanDamaged'
  | 'ProcessLimitExceeded'
  | Exceeded['reason']
