/**
 * The zone that a create names where the spec names none and the cloud does not choose by itself.
 *
 * It stands in the intent before the create is sent, so that every attempt whose outcome is not known is repeated in the same
 * zone, by whichever process: a name or a token protects only there. The next zone is tried only after the cloud has
 * said that the one before has no room, or not that type, and made nothing.
 */
import type { VM } from '../../crds/vm.ts'
import type { CloudFailure } from './failure.ts'
import type { CreateIntent } from './intent.ts'
import type { Pass, VMWorld } from './pass.ts'
import { progressing, type Verdict } from './verdict.ts'

/** The intent with the zone that it is for. */
export async function withZone(
  world: VMWorld,
  { vm, cloud, signal }: Pass,
  intent: CreateIntent,
): Promise<CreateIntent> {
  if (vm.spec.zone || intent.zone || !cloud) return intent
  const refused = world.recollections.of(vm).fullZones ?? []
  const zone = await cloud.chooseZone(intent.token, refused, signal)
  return zone === undefined ? intent : { ...intent, zone }
}

/** After a refusal: what is to be said when another zone is tried; `undefined` when there is none to try. */
export async function elsewhere(
  world: VMWorld,
  { vm, cloud, signal }: Pass,
  { token, zone }: Pick<CreateIntent, 'token' | 'zone'>,
  failure: CloudFailure,
): Promise<Verdict | undefined> {
  if (!failure.zonal || zone === undefined || vm.spec.zone) return undefined
  const fullZones = [...(world.recollections.of(vm).fullZones ?? []), zone]
  const next = await cloud?.chooseZone(token, fullZones, signal)
  world.recollections.update(vm, { fullZones: next === undefined ? [] : fullZones }) // the next round tries all again
  if (next === undefined) return undefined
  const why = failure.class === 'capacity' ? 'has no room' : 'does not take it'
  const message = `Zone ${zone} ${why}: ${failure.message} Zone ${next} is tried.`
  const reason = failure.class === 'capacity' ? 'ZoneFull' : 'ZoneRefused'
  return { ...progressing(reason, message), event: 'Warning' }
}

/** It has found room: where there was none before says nothing about the next time. */
export function forgetFullZones(world: VMWorld, vm: VM): void {
  if (world.recollections.of(vm).fullZones?.length) world.recollections.update(vm, { fullZones: [] })
}
