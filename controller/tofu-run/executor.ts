/**
 * Where the runner of a phase lives: a Job's pod, or a child process. Both keep one contract.
 *
 * `start` is harmless when repeated: a phase has at most one runner that gets through, whatever is started. `clean` may be called at any
 * time, ends what is left and forgets it; after it, `observe` says `absent`.
 */
import type { TofuRun } from '../../crds/tofu-run.ts'
import type { PhaseResult } from './protocol.ts'
import type { RunPhase } from './state/stack-head.ts'

export type Observation =
  | { readonly kind: 'absent' }
  | { readonly kind: 'running'; readonly message?: string }
  /** It could not deliver its result, and left it where the executor finds it. */
  | { readonly kind: 'finished'; readonly result: PhaseResult }
  /** It has ended; why, as far as is known, and in whose words if somebody ended it. */
  | { readonly kind: 'gone'; readonly message: string; readonly endedBy?: string }

export interface Executor {
  start(run: TofuRun, phase: RunPhase, signal?: AbortSignal): Promise<void>
  observe(run: TofuRun, phase: RunPhase, signal?: AbortSignal): Promise<Observation>
  /** Ends the runner without asking. */
  kill(run: TofuRun, phase: RunPhase, signal?: AbortSignal): Promise<void>
  /** A state that a runner left behind which is gone. */
  leftState(run: TofuRun, phase: RunPhase): Promise<Buffer | undefined>
  clean(run: TofuRun, phase: RunPhase, signal?: AbortSignal): Promise<void>
  /** The process ends: what cannot go on without it is stopped within `graceMs`. */
  close(graceMs: number): Promise<void>
}

/** What a runner is told by its environment, beside where tofu and its providers are. */
export interface RunnerAddress {
  readonly url: string
  readonly token: string
}
