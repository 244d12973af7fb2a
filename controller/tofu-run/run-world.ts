/** Finds out what `decide` wants to know of the world, and asks for no more than the phase of the run needs. */
import type { TofuRun } from '../../crds/tofu-run.ts'
import { keyString } from '../../kube/resource.ts'
import type { Execution, World } from './decide.ts'
import type { Executor } from './executor.ts'
import { phaseOf, queuedRun } from './run-facts.ts'
import { type Turn, turns } from './run-queue.ts'
import type { ResultStore } from './state/result-store.ts'
import { fenced, hasBegun, newest, type RunPhase } from './state/stack-head.ts'
import type { Stack, StateStore } from './state/state-store.ts'

export interface WorldOptions {
  readonly allRuns: () => readonly TofuRun[]
  readonly states: StateStore
  readonly results: ResultStore
  readonly executor: Executor
  readonly stackOf: (run: TofuRun) => Promise<Stack>
  readonly parallel: number
  readonly stopGraceMs: number
  readonly startGraceMs: number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export interface RunWorld {
  of(run: TofuRun, signal: AbortSignal): Promise<World>
  /** This process lets the run go: it counts as active although the cache does not show it yet. */
  admit(run: TofuRun): void
  dismiss(run: TofuRun): void
  /** Remembers under which version a run was first seen, which is its place among those of the same second. */
  see(run: TofuRun): void
  ticketOf(run: TofuRun): string
}

export function runWorld(options: WorldOptions): RunWorld {
  const { allRuns, states, results, executor, stackOf, parallel, stopGraceMs, startGraceMs, now } = options
  const admitted = new Set<string>()
  const firstSeen = new Map<string, string>()
  const ticketOf = ({ metadata, status }: TofuRun) =>
    status?.ticket ?? firstSeen.get(metadata.uid) ?? metadata.resourceVersion

  function turnOf(run: TofuRun): Turn {
    const queue = allRuns().map((one) => ({ ...queuedRun(one, admitted.has(one.metadata.uid)), ticket: ticketOf(one) }))
    return turns(queue, parallel).get(keyString(run.metadata)) ?? { go: true }
  }

  async function executionOf(run: TofuRun, phase: RunPhase, signal: AbortSignal): Promise<Execution> {
    const { uid } = run.metadata
    const stored = await results.find(uid, phase, signal)
    if (stored !== undefined) return { kind: 'finished', result: stored.result }
    const seen = await executor.observe(run, phase, signal)
    const head = await states.head(await stackOf(run), signal)
    const claim = { run: uid, phase }
    // The stack was taken before anything was started: whoever is there without it was made to let go, and may have begun.
    const begun = hasBegun(head, claim) || (seen.kind !== 'absent' && fenced(head, claim) !== undefined)
    switch (seen.kind) {
      case 'running':
        return { ...seen, begun }
      case 'finished':
        return seen
      case 'gone':
        // Its result may have arrived between the two looks.
        return reread(await results.find(uid, phase, signal), { kind: 'lost', begun, message: seen.message })
      case 'absent':
        if (!begun) return { kind: 'absent' }
        return reread(await results.find(uid, phase, signal), { kind: 'lost', begun, message: 'Its runner is gone.' })
    }
  }

  return {
    async of(run, signal) {
      const phase = phaseOf(run)
      const work = phase === 'Planning' ? 'plan' : phase === 'Applying' ? 'apply' : undefined
      const waits = phase === 'Pending' || phase === 'AwaitingApproval'
      const stateVersion =
        phase === 'AwaitingApproval' ? (newest(await states.head(await stackOf(run), signal))?.version ?? 0) : 0
      return {
        nowMs: now(),
        turn: waits ? turnOf(run) : { go: true },
        execution: work === undefined ? { kind: 'absent' } : await executionOf(run, work, signal),
        stateVersion,
        stopGraceMs,
        startGraceMs,
      }
    },
    admit: (run) => void admitted.add(run.metadata.uid),
    dismiss: (run) => void admitted.delete(run.metadata.uid),
    see({ metadata: { uid, resourceVersion } }) {
      if (!firstSeen.has(uid)) firstSeen.set(uid, resourceVersion)
    },
    ticketOf,
  }
}

function reread(
  stored: { readonly result: (Execution & { kind: 'finished' })['result'] } | undefined,
  otherwise: Execution,
): Execution {
  return stored === undefined ? otherwise : { kind: 'finished', result: stored.result }
}
