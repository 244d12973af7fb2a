/**
 * What is done when a VM wants attention: gather, decide, execute, until there is nothing more to do now. See `decide.ts`
 * for the state machine and the order of its side effects.
 */
import { isCloudError } from '../../clouds/cloud-error.ts'
import type { VM } from '../../crds/vm.ts'
import { backoffMs } from '../../kube/backoff.ts'
import type { Reconcile, Result } from '../../kube/controller.ts'
import { keyString } from '../../kube/resource.ts'
import { decide } from './decide.ts'
import { execute } from './execute.ts'
import { type CloudFailure, failureOf, slowRetryMs, ToldFailure, toldFromFailure } from './failure.ts'
import { gather, type Pass, type VMWorld } from './pass.ts'
import { sightingOf } from './sightings.ts'
import { isWorthTelling, silenceOf } from './silence.ts'
import { writeStatus } from './status-writer.ts'
import { statusOf, verdictOn } from './verdict.ts'

/** A decision leads to the next a few times; more than this is a defect. */
const maxSteps = 20
/** What was read too early is read again soon; usually the cache's news comes first. */
const outdatedMs = 1_000

export function vmReconciler(world: VMWorld): Reconcile {
  return async function reconcile(key, signal, aside) {
    const vm = world.vms.get(key)
    if (!vm) return undefined
    if (world.recollections.isBehind(vm)) return { requeueAfterMs: outdatedMs }

    const waiting = { signal, aside }
    let pass = gather(world, { vm }, waiting)
    try {
      for (let steps = 0; steps < maxSteps; steps++) {
        const step = await execute(world, pass, decide(pass.situation))
        if ('result' in step) return step.result
        pass = gather(world, step.next, waiting)
      }
    } catch (error) {
      return failed(world, pass, error)
    }
    throw new Error(`${keyString(key)} did not come to rest within ${maxSteps} steps`)
  }
}

/** The one place that turns an error into what is said and when it is tried again. */
async function failed(world: VMWorld, pass: Pass, error: unknown): Promise<Result> {
  const failure = failureOf(error)
  if (failure.kind === 'outdated') return { requeueAfterMs: outdatedMs }
  if (failure.kind === 'internal' || pass.signal.aborted) throw error

  const { vm, situation } = pass
  const { recollections, random } = world
  const failures = (recollections.of(vm).failures ?? 0) + 1
  const retryMs = failure.slowly
    ? slowRetryMs * (0.8 + 0.4 * random())
    : backoffMs(failures, { baseMs: 500, maxMs: 60_000, random })
  recollections.update(vm, { failures })
  if (failure.slowly && situation.access.kind === 'ready') {
    const { version: accessVersion } = situation.access
    const generation = vm.metadata.generation ?? 0
    recollections.update(vm, { notBefore: { at: world.wallClock() + retryMs, generation, accessVersion } })
  }
  const worthTelling = failure.slowly || failures >= toldFromFailure || isWorthTelling(world, vm, pass.cloud)
  const silence = isCloudError(error) && error.unanswered ? silenceOf(pass.cloud) : undefined
  if (worthTelling && !(error instanceof ToldFailure)) await tell(world, pass, failure, silence)
  return { requeueAfterMs: retryMs }
}

async function tell(
  world: VMWorld,
  { vm, situation }: Pass,
  failure: CloudFailure,
  silence: string | undefined,
): Promise<void> {
  const id = vm.status?.instanceID
  const instance = id === undefined ? undefined : sightingOf(situation, id)?.instance
  const verdict = verdictOn(failure, `${silence ? `${silence} ` : ''}${doing(vm)}`)
  try {
    await writeStatus(world, vm, statusOf(vm, verdict, instance, situation.now), verdict)
  } catch (error) {
    if (failureOf(error).kind !== 'outdated') throw error
  }
}

function doing(vm: VM): string {
  if (vm.metadata.deletionTimestamp) return 'The instance could not be deleted'
  return vm.status?.instanceID
    ? 'The instance could not be made as the spec wants it'
    : 'The instance could not be created'
}
