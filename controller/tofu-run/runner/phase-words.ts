/** What a person is told of a phase that did not come to its end, and what to look at then. */
import type { Bundle, StopReason } from '../protocol.ts'
import { diagnosticsOf } from './diagnostics.ts'
import type { ChildEnd } from './guarded-child.ts'
import { RunFailure } from './run-failure.ts'
import { noSandbox } from './sandbox.ts'

/** Go's last words. */
const ranOutOfMemory = /^fatal error: .*(out of memory|cannot allocate memory)/m

/** What a shell says of a program that is not there. */
const notFound = 127

const mayExist =
  'Resources may exist that the state does not know: look at the output and the cloud before the next run.'

/** What a person must know who stopped a run. */
export function stoppedWords(bundle: Bundle, reason: StopReason, stopped: ChildEnd['stopped']): string {
  const why = {
    cancelled: 'Cancelled',
    timedOut: `Stopped after the timeout of ${Math.round(bundle.timeoutMs / 1000)} s`,
    interrupted: 'Stopped because the runner had to end',
  }[reason]
  if (bundle.phase === 'plan') return `${why} while planning; nothing was changed.`
  if (stopped < 2)
    return `${why} while applying. tofu finished what was under way and saved the state; the rest was not applied.`
  return `${why} while applying, and tofu had to be ${stopped === 2 ? 'interrupted twice' : 'killed'}. ${mayExist}`
}

/** Why tofu failed, which nobody had told to stop. */
export function failureOf(options: {
  readonly phase: Bundle['phase']
  readonly tofu: string
  readonly code: number | undefined
  readonly output: string
}): RunFailure {
  const { phase, tofu, code, output } = options
  const consequence = phase === 'apply' ? mayExist : 'Nothing was changed.'
  if (code === undefined) {
    return new RunFailure('RunnerFailed', `tofu was killed from outside, perhaps for its memory. ${consequence}`)
  }
  if (ranOutOfMemory.test(output)) {
    return new RunFailure('RunnerFailed', `tofu needed more than the 2 GiB of memory that it may have. ${consequence}`)
  }
  if (code === notFound) {
    const remedy = 'SKYCLUST_TOFU of the controller, or of the image of the runner, must name one'
    return new RunFailure('RunnerFailed', `there is no program ${tofu}: ${remedy}`)
  }
  if (code === noSandbox) return new RunFailure('RunnerFailed', `the sandbox could not be made: ${output.trim()}`)
  return new RunFailure('TofuFailed', diagnosticsOf(output))
}
