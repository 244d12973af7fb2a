/** What is said of a VM while the cloud says nothing: since when, so that whoever waits knows that it is not for them to wait. */
import { errorClasses } from '../../clouds/error-classes.ts'
import type { MeteredCloud } from '../../clouds/metered-cloud.ts'
import type { VM } from '../../crds/vm.ts'
import { sleep } from '../../kube/clock.ts'
import { getCondition } from '../../kube/conditions.ts'
import { silenceToldAfterMs, silenceWords } from '../silence-words.ts'
import type { Pass, VMWorld } from './pass.ts'
import { writeStatus } from './status-writer.ts'
import { progressing, statusOf, type Verdict } from './verdict.ts'

/** Since when it has been silent; `undefined` while it answers. */
export function silenceOf(cloud: MeteredCloud | undefined): string | undefined {
  const since = cloud?.silentSince
  return since === undefined ? undefined : silenceWords(since)
}

/** Whether it is worth telling of a VM at once, however few of its calls have failed: somebody waits for it, and it has been long. */
export function isWorthTelling({ wallClock }: VMWorld, vm: VM, cloud: MeteredCloud | undefined): boolean {
  const since = cloud?.silentSince
  return since !== undefined && wallClock() - since >= silenceToldAfterMs && isAwaited(vm)
}

/** Not of one at rest: a single call that is lost is not worth that it says something else for a moment. */
function isAwaited({ metadata, status }: VM): boolean {
  const isSaid = (type: string) => getCondition(status?.conditions, type) !== undefined
  return status?.observedGeneration !== metadata.generation || !isSaid('Ready') || isSaid('Reconciling')
}

/** Says so of a VM that has no instance yet, if the answer is not there in time. Resolves, once it is there or that is said, with the VM as it is then. */
export async function tellSilence(world: VMWorld, pass: Pass, answer: Promise<unknown>): Promise<VM> {
  const { vm, cloud } = pass
  const answered = new AbortController()
  const stop = () => answered.abort()
  answer.then(stop, stop)
  for (;;) {
    await sleep(world.clock, silenceToldAfterMs, answered.signal).catch(() => undefined)
    if (answered.signal.aborted || vm.status?.instanceID !== undefined || isTold(vm)) return vm
    if (!isWorthTelling(world, vm, cloud)) continue
    const verdict = unanswered(silenceOf(cloud) ?? '')
    return writeStatus(world, vm, statusOf(vm, verdict, undefined, world.wallClock()), verdict)
  }
}

const { reason } = errorClasses.transient

function unanswered(silence: string): Verdict {
  return { ...progressing(reason, `${silence} It is asked until it does.`), event: 'Warning' }
}

function isTold({ status }: VM): boolean {
  return getCondition(status?.conditions, 'Ready')?.reason === reason
}
