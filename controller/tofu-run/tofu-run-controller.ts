/**
 * The controller of TofuRuns: looks at a run and at the world, decides, carries out.
 *
 * Guarantees: see `decide.ts` (what) and `carry-out.ts` (in which order). It trusts no memory of its own: the stack's head, the stored results
 * and the run are all that it goes by.
 */
import { type TofuRun, tofuRunKind } from '../../crds/tofu-run.ts'
import type { Cache } from '../../kube/cache.ts'
import type { Result } from '../../kube/controller.ts'
import { ensureFinalizer, hasFinalizer } from '../../kube/finalizers.ts'
import { keyString, type ObjectKey } from '../../kube/resource.ts'
import type { Change } from '../../kube/store.ts'
import { type CarryOutOptions, carryOut, finalizer } from './carry-out.ts'
import { decide } from './decide.ts'
import { factsOf, isFinished, phaseOf } from './run-facts.ts'
import { type RunWorld, runWorld, type WorldOptions } from './run-world.ts'

export type TofuRunControllerOptions = Omit<WorldOptions, 'allRuns'> &
  Omit<CarryOutOptions, 'world'> & { readonly runs: Cache<TofuRun> }

export function tofuRunController(options: TofuRunControllerOptions) {
  const { client, runs } = options
  const world: RunWorld = runWorld({ ...options, allRuns: () => runs.list() })
  const act = carryOut({ ...options, world })
  for (const run of runs.list()) world.see(run)

  return {
    name: 'tofu-run',
    type: tofuRunKind,

    async reconcile(key: ObjectKey, signal: AbortSignal): Promise<Result> {
      const found = runs.get(key)
      if (found === undefined) return undefined
      if (isLetGo(found)) return undefined
      const run = isFinished(found) ? found : await ensureFinalizer(client, tofuRunKind, found, finalizer, { signal })
      const action = decide(factsOf(run), await world.of(run, signal))
      return act(run, action, signal)
    },

    /** Whom a change concerns: the run itself, and when it let go of something, all that wait. */
    concerned({ type, object }: Pick<Change<TofuRun>, 'type' | 'object'>): string[] {
      world.see(object)
      const own = keyString(object.metadata)
      const holds = !isFinished(object) && phaseOf(object) !== 'AwaitingApproval'
      if (type !== 'delete' && holds) return [own]
      return [
        own,
        ...runs
          .list()
          .filter((run) => !isFinished(run))
          .map((run) => keyString(run.metadata)),
      ]
    },
  }
}

/** Deleted, and nothing of ours keeps it: only somebody else's finalizer does. */
function isLetGo(run: TofuRun): boolean {
  return run.metadata.deletionTimestamp !== undefined && !hasFinalizer(run, finalizer)
}
