/** What a person is told of a phase that did not come to its end, and what to look at then. */
import { type Bundle, mostProcesses, type PhaseResult, type StopReason } from '../protocol.ts'
import { LinkRefused } from './controller-link.ts'
import { diagnosticsOf, hasDiagnostics } from './diagnostics.ts'
import type { ChildEnd } from './guarded-child.ts'
import { type Exceeded, sizeWords } from './limits-watch.ts'
import { RunFailure } from './run-failure.ts'
import { noSandbox } from './sandbox.ts'

/** Why a phase has to end: it was told to, or used more than it may. */
export type StopCause = StopReason | Exceeded

/** Go's last words. */
const ranOutOfMemory = /^fatal error: .*(out of memory|cannot allocate memory)/m

/** Go's as well (`newosproc` in runtime/os_linux.go). */
const ranOutOfProcesses = /^runtime: failed to create new OS thread/m

/** What a shell says of a program that is not there. */
const notFound = 127

const mayExist =
  'Resources may exist that the state does not know: look at the output and the cloud before the next run.'

export type Outcome = Omit<PhaseResult, 'finishedAt' | 'rescuedState'>

/** The result of a phase that threw this. @throws LinkRefused: it has none then */
export function failed(error: unknown, stop: AbortSignal): Outcome {
  if (error instanceof LinkRefused) throw error
  const message = error instanceof Error ? error.message : String(error)
  if (stop.aborted) {
    const cause: StopCause = stop.reason
    if (typeof cause === 'string') return { outcome: cause, reason: '', error: message }
    return { outcome: 'failed', reason: cause.reason, error: message }
  }
  return { outcome: 'failed', reason: error instanceof RunFailure ? error.reason : 'RunnerFailed', error: message }
}

/** What a person must know whose run was stopped. */
export function stoppedWords(options: {
  readonly bundle: Bundle
  readonly cause: StopCause
  readonly end?: ChildEnd
  readonly output?: string
}): string {
  const { bundle, cause, end, output = '' } = options
  const words = `${whyStopped(bundle, cause)} ${consequenceOf(bundle, end)}`
  // Whoever was told to stop complains of nothing that matters; whoever had no room may say for what.
  return typeof cause === 'string' || !hasDiagnostics(output) ? words : `${words}\n\n${diagnosticsOf(output)}`
}

function consequenceOf({ phase }: Bundle, end: ChildEnd | undefined): string {
  if (phase === 'plan') return 'while planning; nothing was changed.'
  const { stopped = 0, code } = end ?? {}
  if (stopped === 3 || (end !== undefined && stopped === 0 && code === undefined)) {
    return `while applying, and tofu had to be killed. ${mayExist}`
  }
  if (stopped === 2) return `while applying, and tofu had to be interrupted twice. ${mayExist}`
  return 'while applying. tofu finished what was under way and saved the state; the rest was not applied.'
}

function whyStopped({ timeoutMs }: Bundle, cause: StopCause): string {
  switch (cause) {
    case 'cancelled':
      return 'Cancelled'
    case 'timedOut':
      return `Stopped after the timeout of ${Math.round(timeoutMs / 1000)} s`
    case 'interrupted':
      return 'Stopped because the runner had to end'
    default:
      return `Stopped because ${cause.why},`
  }
}

/** Why tofu failed, which nobody had told to stop. */
export function failureOf(options: {
  readonly bundle: Bundle
  readonly tofu: string
  readonly code: number | undefined
  readonly output: string
}): RunFailure {
  const { bundle, tofu, code, output } = options
  const { phase, limits } = bundle
  const consequence = phase === 'apply' ? mayExist : 'Nothing was changed.'
  if (code === undefined) {
    return new RunFailure('RunnerFailed', `tofu was killed from outside, perhaps for its memory. ${consequence}`)
  }
  if (ranOutOfMemory.test(output)) {
    const limit = sizeWords(limits.memoryBytes)
    return new RunFailure(
      'MemoryLimitExceeded',
      `tofu needed more than the ${limit} of memory that it may have. ${consequence}`,
    )
  }
  if (ranOutOfProcesses.test(output)) {
    const why = `there were more than the ${mostProcesses} processes and threads that a run may have`
    return new RunFailure('ProcessLimitExceeded', `tofu could not go on: ${why}. ${consequence}`)
  }
  if (code === notFound) {
    const remedy = 'SKYCLUST_TOFU of the controller, or of the image of the runner, must name one'
    return new RunFailure('RunnerFailed', `there is no program ${tofu}: ${remedy}`)
  }
  if (code === noSandbox) return new RunFailure('RunnerFailed', `the sandbox could not be made: ${output.trim()}`)
  return new RunFailure('TofuFailed', diagnosticsOf(output))
}
