/**
 * Every write of the VM controller to the API server: on top of the very version that was decided upon, so that a stale cache
 * gives a conflict and never a wrong act; only while this replica owns the VM; only when something differs.
 */
import { finalizers } from '../../crds/names.ts'
import { type VM, vmKind } from '../../crds/vm.ts'
import { getCondition } from '../../kube/conditions.ts'
import { ensureFinalizer, removeFinalizer } from '../../kube/finalizers.ts'
import { patchStatus } from '../../kube/status.ts'
import { pauseNews } from '../pause.ts'
import { NotOwner } from './failure.ts'
import type { VMWorld } from './pass.ts'
import type { Verdict, VMStatus } from './verdict.ts'

/** Throws when this replica may not act on the VM at this moment. To be called right before every side effect. */
export function insistOnOwning(world: VMWorld, vm: VM): void {
  const namespace = vm.metadata.namespace ?? ''
  if (!world.owns(namespace)) throw new NotOwner(`namespace ${namespace} is another replica's now`)
}

/** Resolves with the VM as it is after the write. The verdict's event is told if its reason is new. */
export async function writeStatus(world: VMWorld, vm: VM, next: VMStatus, verdict?: Verdict): Promise<VM> {
  insistOnOwning(world, vm)
  const written = await patchStatus(world.client, vmKind, vm, next)
  if (!written) return vm
  world.recollections.update(written, { writtenVersion: written.metadata.resourceVersion })
  const pause = pauseNews(vm.status?.conditions, next.conditions)
  if (pause) world.events.record(written, pause)
  if (verdict?.event && isNews(vm, verdict)) {
    const { reason, message, event: type } = verdict
    world.events.record(written, { type, reason, message })
  }
  return written
}

function isNews(before: VM, { reason, phase }: Verdict): boolean {
  const ready = getCondition(before.status?.conditions, 'Ready')
  return ready?.reason !== reason || (ready.status === 'True') !== (phase === 'settled')
}

export async function addFinalizer(world: VMWorld, vm: VM): Promise<VM> {
  insistOnOwning(world, vm)
  const written = await ensureFinalizer(world.client, vmKind, vm, finalizers.vm)
  world.recollections.update(written, { writtenVersion: written.metadata.resourceVersion })
  return written
}

export async function letGo(world: VMWorld, vm: VM): Promise<void> {
  insistOnOwning(world, vm)
  await removeFinalizer(world.client, vmKind, vm, finalizers.vm)
}
