/**
 * The one act that must never happen twice. Between the intent and the send there is no wait and no other call: the
 * buckets and the lookup came before. What is not answered stays an intent, for whoever comes next; see `intent.ts`.
 */
import type { Instance } from '../../clouds/cloud.ts'
import type { VM } from '../../crds/vm.ts'
import type { ActionOf } from './action.ts'
import { launching, unresolved } from './decide-create.ts'
import { failureOf, mayHaveTakenEffect, ToldFailure } from './failure.ts'
import { instanceSpec } from './instance-spec.ts'
import { type CreateIntent, createDeadlineMs, isWithinSendWindow, repeatableAt } from './intent.ts'
import type { Pass, VMWorld } from './pass.ts'
import type { Access } from './situation.ts'
import { insistOnOwning, writeStatus } from './status-writer.ts'
import { statusOf, type Verdict, type VMStatus, verdictOn } from './verdict.ts'
import { elsewhere, forgetFullZones, withZone } from './zone-choice.ts'

type ReadyPass = Pass & { readonly situation: { readonly access: Access & { kind: 'ready' } } }

/** Resolves with the VM as written; throws a definite refusal after it was written down. */
export async function createInstance(world: VMWorld, pass: ReadyPass, action: ActionOf<'create'>): Promise<VM> {
  const { vm } = pass
  const { verdict } = action
  const intent = await withZone(world, pass, action.intent)
  world.admissions.close(vm.metadata.uid)
  const intended = await writeStatus(world, vm, intendedStatus(pass, intent, verdict), verdict)
  if (!isWithinSendWindow(intent, world.wallClock())) return withdraw(world, intended, vm)

  try {
    insistOnOwning(world, intended)
    const instance = await send(world, pass, intent)
    world.events.record(intended, {
      type: 'Normal',
      reason: 'InstanceCreated',
      message: `The instance ${instance.id} has been created.`,
    })
    forgetFullZones(world, vm)
    return await recordInstance(world, { ...pass, vm: intended }, instance, launching(instance.id))
  } catch (error) {
    if (failureOf(error).kind === 'outdated' || !isFromTheSend(error)) throw error
    return failed(world, pass, intended, intent, error.cause)
  }
}

function intendedStatus({ vm, situation }: ReadyPass, create: CreateIntent, verdict: Verdict): VMStatus {
  const { account, region } = situation.access
  const tagKeys = [...new Set([...(vm.status?.tagKeys ?? []), ...Object.keys(vm.spec.tags ?? {})])].sort()
  return {
    ...statusOf(vm, verdict, undefined, situation.now),
    create,
    account,
    region,
    ...(tagKeys.length > 0 ? { tagKeys } : {}),
  }
}

/** It was not sent and will not be: the intent is as it was before. */
function withdraw(world: VMWorld, intended: VM, before: VM): Promise<VM> {
  const { create: _, ...status } = intended.status ?? {}
  const earlier = before.status?.create
  return writeStatus(world, intended, earlier ? { ...status, create: earlier } : status)
}

/** Wraps what the send itself threw, to tell it from what a write threw. */
class SendFailed extends Error {
  override readonly name = 'SendFailed'
}

function isFromTheSend(error: unknown): error is SendFailed {
  return error instanceof SendFailed
}

async function send(
  world: VMWorld,
  { vm, cloud, eyes, situation, signal }: ReadyPass,
  intent: CreateIntent,
): Promise<Instance> {
  const { clusterUID, userData } = situation
  const text = userData.kind === 'read' ? userData.text : undefined
  const spec = instanceSpec(vm, { intent, clusterUID, userData: text })
  const deadline = new AbortController()
  const cancel = world.clock.after(createDeadlineMs, () => deadline.abort(new Error('no answer in time')))
  try {
    if (!cloud) throw new Error('a create needs a cloud')
    const instance = await cloud.createAdmitted(spec, AbortSignal.any([signal, deadline.signal]))
    eyes?.note([instance], world.wallClock())
    eyes?.expect(vm.metadata.uid, { restart: true })
    return instance
  } catch (error) {
    throw new SendFailed('the create failed', { cause: error })
  } finally {
    cancel()
  }
}

async function failed(
  world: VMWorld,
  pass: ReadyPass,
  intended: VM,
  intent: CreateIntent,
  error: unknown,
): Promise<VM> {
  const { situation } = pass
  const now = world.wallClock()
  if (mayHaveTakenEffect(error)) {
    const ended: CreateIntent = { ...intent, endedAt: new Date(now).toISOString() }
    const verdict = unresolved(repeatableAt(ended, situation.access.guarantees, now))
    return writeStatus(world, intended, { ...statusOf(intended, verdict, undefined, now), create: ended }, verdict)
  }
  const failure = failureOf(error)
  const { create: _, ...status } = intended.status ?? {}
  if (failure.kind === 'cloud') {
    // A cloud may have shown the instance until the launch failed.
    if (pass.cloud) await pass.eyes?.askAgain(intended.metadata.uid, pass.cloud)
    const another = await elsewhere(world, pass, intent, failure)
    const verdict = another ?? verdictOn(failure, 'The instance could not be created')
    const told = await writeStatus(world, intended, statusOf({ ...intended, status }, verdict, undefined, now), verdict)
    if (another) return told
    throw new ToldFailure(failure)
  }
  await writeStatus(world, intended, status)
  throw error
}

/** Writes down which instance is the VM's; with that, an intent is fulfilled. */
export function recordInstance(world: VMWorld, pass: Pass, instance: Instance, verdict: Verdict): Promise<VM> {
  const { vm, situation } = pass
  const { access } = situation
  const { create: _, ...status } = vm.status ?? {}
  const place = access.kind === 'ready' ? { account: access.account, region: access.region } : {}
  const next = statusOf({ ...vm, status: { ...status, ...place } }, verdict, instance, world.wallClock())
  return writeStatus(world, vm, next, verdict)
}
