/**
 * Does what was decided: one action, at most one side effect at the cloud, and says what is known afterwards. A
 * failure is thrown.
 */

import { isCloudError } from '../../clouds/cloud-error.ts'
import type { MeteredCloud } from '../../clouds/metered-cloud.ts'
import { finalizers, instanceTags } from '../../crds/names.ts'
import type { VM } from '../../crds/vm.ts'
import type { Result } from '../../kube/controller.ts'
import { hasFinalizer } from '../../kube/finalizers.ts'
import { keyOf } from '../../kube/resource.ts'
import { pausedConditions } from '../pause.ts'
import type { Action, ActionOf } from './action.ts'
import { createInstance, recordInstance } from './create-instance.ts'
import { formerTag } from './decide-restored.ts'
import { cloudFailure, ToldFailure } from './failure.ts'
import { belongsTo, bindingTags, createToken, incarnationOf } from './identity.ts'
import type { Findings, Pass, VMWorld } from './pass.ts'
import { type Recollection, withTags } from './recollection.ts'
import { isLive, shownFrom, sightingOf } from './sightings.ts'
import { tellSilence } from './silence.ts'
import { addFinalizer, insistOnOwning, letGo, writeStatus } from './status-writer.ts'
import { readUserData } from './user-data.ts'
import { statusOf, type Verdict, verdictOn } from './verdict.ts'
import { elsewhere } from './zone-choice.ts'

/** Decide again with this, or be done with the pass. */
export type Step = { readonly next: Findings } | { readonly result: Result }

type Performer<K extends Action['kind']> = (world: VMWorld, pass: Pass, action: ActionOf<K>) => Promise<Step>

export function execute(world: VMWorld, pass: Pass, action: Action): Promise<Step> {
  const perform = performers[action.kind] as Performer<Action['kind']>
  return perform(world, pass, action)
}

const performers: { readonly [K in Action['kind']]: Performer<K> } = {
  nothing: async () => ({ result: undefined }),
  pause: async (world, { vm, situation }) => {
    await writeStatus(world, vm, { ...vm.status, conditions: [...pausedConditions(vm, new Date(situation.now))] })
    return { result: undefined }
  },
  listen: async (_, { vm, eyes }, { expecting, againAfterMs }) => {
    if (expecting) eyes?.expect(vm.metadata.uid)
    return { result: resultOf(expecting, againAfterMs) }
  },
  wait,
  addFinalizer: async (world, pass) => ({ next: { ...findings(pass), vm: await addFinalizer(world, pass.vm) } }),
  removeFinalizer: async (world, { vm }, { why }) => {
    await letGo(world, vm)
    if (hasFinalizer(vm, finalizers.vm)) world.events.record(vm, { type: 'Normal', reason: 'Deleted', message: why })
    return { result: undefined }
  },
  look,
  admit: async (world, { vm, cloud }) => {
    if (cloud) world.admissions.ask(vm.metadata.uid, cloud, () => world.wake(keyOf(vm)))
    return { result: undefined }
  },
  readUserData: async (world, pass) => ({
    next: { ...findings(pass), userData: await readUserData(world, pass.vm, pass.signal) },
  }),
  create: async (world, pass, action) => {
    const { access } = pass.situation
    if (access.kind !== 'ready') throw new Error('a create needs an access')
    const vm = await createInstance(world, { ...pass, situation: { ...pass.situation, access } }, action)
    const { userData } = pass
    return { next: { vm, ...(userData && { userData }) } } // what was looked up is older than what was done since
  },
  record: async (world, pass, { instance, how, verdict }) => {
    const vm = await recordInstance(world, pass, instance, verdict)
    const [reason, what] = recorded[how]
    world.events.record(vm, { type: 'Normal', reason, message: `The instance ${instance.id} has been ${what}.` })
    world.admissions.close(vm.metadata.uid)
    return { next: { ...findings(pass), vm } }
  },
  replace: async (world, pass, { verdict }) => ({ next: { vm: await nextIncarnation(world, pass, verdict) } }),
  relaunch: async (world, pass, { failure: { class: errorClass, message, remedy } }) => {
    const { vm } = pass
    const failure = cloudFailure(errorClass, { message, remedy })
    const zone = vm.status?.zone
    const token = createToken(vm, incarnationOf(vm))
    const another = await elsewhere(world, pass, { token, ...(zone && { zone }) }, failure)
    const told = await nextIncarnation(world, pass, another ?? verdictOn(failure, 'The instance could not be launched'))
    if (!another) throw new ToldFailure(failure)
    return { next: { vm: told } }
  },
  recordTagKeys: async (world, pass, { tagKeys }) => {
    const vm = await writeStatus(world, pass.vm, { ...pass.vm.status, tagKeys: [...tagKeys] })
    return { next: { ...findings(pass), vm } }
  },
  start: async (world, pass, { id, outside }) => {
    await mutate(world, pass, (cloud) => cloud.start([id], pass.signal))
    const why = outside ? 'It was stopped outside' : 'The spec wants it to run'
    return told(world, pass, outside ? 'StoppedOutside' : 'Starting', `${why}; the instance ${id} is being started.`, {
      power: { kind: 'start', at: world.wallClock() },
    })
  },
  stop: async (world, pass, { id, outside }) => {
    await mutate(world, pass, (cloud) => cloud.stop([id], pass.signal))
    const why = outside ? 'It was started outside' : 'The spec wants it to be stopped'
    return told(world, pass, outside ? 'StartedOutside' : 'Stopping', `${why}; the instance ${id} is being stopped.`, {
      power: { kind: 'stop', at: world.wallClock() },
    })
  },
  resize: async (world, pass, { id, instanceType, outside }) => {
    await mutate(world, pass, (cloud) => cloud.resize(id, instanceType, pass.signal))
    const why = outside ? 'Its type was changed outside' : 'The spec wants another type'
    return told(
      world,
      pass,
      outside ? 'ResizedOutside' : 'Resizing',
      `${why}; the instance ${id} is made a ${instanceType}.`,
      {
        resizedAt: world.wallClock(),
      },
    )
  },
  tag: async (world, pass, { id, tags, outside }) => {
    await mutate(world, pass, (cloud) => cloud.tag([id], tags, pass.signal))
    const keys = Object.keys(tags).join(', ')
    return told(
      world,
      pass,
      outside ? 'TagsRestored' : 'TagsSet',
      `The tags ${keys} of the instance ${id} have been set.`,
      { tagged: withTags(pass.situation.recollection, Object.entries(tags), world.wallClock()) },
    )
  },
  untag: async (world, pass, { id, keys }) => {
    await mutate(world, pass, (cloud) => cloud.untag([id], keys, pass.signal))
    return told(world, pass, 'TagsRemoved', `The tags ${keys.join(', ')} have been taken off the instance ${id}.`, {
      tagged: withTags(
        pass.situation.recollection,
        keys.map((key) => [key, undefined]),
        world.wallClock(),
      ),
    })
  },
  terminate: async (world, pass, { ids, why }) => {
    await mutate(world, pass, (cloud) => unlessUnknown(cloud.terminate(ids, pass.signal)))
    const at = world.wallClock()
    const { terminatedAt } = pass.situation.recollection
    const change = { terminatedAt: { ...terminatedAt, ...Object.fromEntries(ids.map((id) => [id, at])) } }
    return why === 'deleted'
      ? told(world, pass, 'Terminating', `The instance ${ids.join(', ')} is being terminated.`, change)
      : told(
          world,
          pass,
          'DuplicateTerminated',
          `The instance ${ids.join(', ')} carried this VM's tag as well, and is being terminated.`,
          change,
        )
  },
  release: async (world, pass, { ids }) => {
    await mutate(world, pass, (cloud) => unlessUnknown(cloud.untag(ids, bindingTags, pass.signal)))
    return told(world, pass, 'InstanceReleased', `The instance ${ids.join(', ')} is left as it is, without our tags.`, {
      releasedAt: world.wallClock(),
    })
  },
}

/** Lets go of the instance, so that another one is made. */
function nextIncarnation(world: VMWorld, { vm, situation }: Pass, verdict: Verdict): Promise<VM> {
  const { instanceID: _, publicIP: __, privateIP: ___, ...status } = vm.status ?? {}
  const next = {
    ...statusOf({ ...vm, status }, verdict, undefined, situation.now),
    incarnation: incarnationOf(vm) + 1,
  }
  return writeStatus(world, vm, next, verdict)
}

/** While a change is expected, what is known is judged anew this often: a lagging view becomes believable with time. */
const reconsiderMs = 10_000

function resultOf(expecting: boolean, againAfterMs: number | undefined): Result {
  const requeueAfterMs = againAfterMs ?? (expecting ? reconsiderMs : undefined)
  return requeueAfterMs === undefined ? undefined : { requeueAfterMs }
}

async function wait(world: VMWorld, pass: Pass, { verdict, expecting, againAfterMs }: ActionOf<'wait'>): Promise<Step> {
  const { vm, eyes, situation } = pass
  const id = vm.status?.instanceID
  const instance = id === undefined ? undefined : sightingOf(situation, id)?.instance
  const written = await writeStatus(world, vm, statusOf(vm, verdict, instance, situation.now), verdict)
  if (expecting) eyes?.expect(vm.metadata.uid)
  else eyes?.met(vm.metadata.uid)
  if (verdict.phase === 'settled') world.recollections.settle(written)
  else world.recollections.wentThrough(written)
  return { result: resultOf(expecting, againAfterMs) }
}

const recorded = {
  adopted: ['InstanceAdopted', 'taken over'],
  found: ['InstanceFound', 'found again'],
  restored: ['InstanceRestored', 'taken over after a restore'],
} as const

/** Asks by the VM's tag, and by token and id where that is wanted; after a restore also by the name of the VM. Waits aside, as `mutate` does. */
async function look(world: VMWorld, pass: Pass, { token, id }: ActionOf<'look'>): Promise<Step> {
  const { cloud, eyes, signal, aside, situation } = pass
  if (!cloud || !eyes) throw new Error('a lookup needs an access')
  const at = world.wallClock()
  const tag = { key: instanceTags.vmUID, value: pass.vm.metadata.uid }
  const formerOwner = formerTag(situation)
  const answer = aside(() =>
    Promise.all([
      cloud.lookup(token === undefined ? { tag } : { tag, token }, signal),
      formerOwner === undefined ? [] : cloud.lookup({ tag: formerOwner }, signal),
      id === undefined ? undefined : cloud.get(id, signal),
    ]),
  )
  const vm = await tellSilence(world, pass, answer)
  const [own, former, byId] = await answer
  const found = [...own, ...former]
  eyes.note(byId ? [...found, byId] : found, at)
  const shouldBeShown =
    at >= (shownFrom(situation) ?? Number.POSITIVE_INFINITY) && situation.recollection.tagged === undefined
  if (byId && isLive(byId) && shouldBeShown && belongsTo(byId, vm) && !found.some((one) => one.id === byId.id)) {
    eyes.noteUnlisted(byId)
  }
  return {
    next: {
      ...findings(pass),
      vm,
      look: {
        at,
        token,
        id: id === undefined ? undefined : { id, known: byId !== undefined, ...(byId && { found: byId }) },
      },
      foundIds: [...found.map((one) => one.id), ...(byId ? [byId.id] : [])],
    },
  }
}

/** A mutation that is harmless when repeated; what it changes is looked for soon. Waits aside: a call takes in all who wait. */
async function mutate(
  world: VMWorld,
  { vm, cloud, eyes, aside }: Pass,
  call: (cloud: MeteredCloud) => Promise<void>,
): Promise<void> {
  if (!cloud) throw new Error('a mutation needs an access')
  insistOnOwning(world, vm)
  await aside(() => call(cloud))
  eyes?.expect(vm.metadata.uid, { restart: true })
}

/** An id that the cloud does not know: gone, or too new. Which of the two, time tells. */
async function unlessUnknown(call: Promise<void>): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!isCloudError(error) || error.class !== 'notFound') throw error
  }
}

const outsideReasons = new Set([
  'StoppedOutside',
  'StartedOutside',
  'ResizedOutside',
  'TagsRestored',
  'DuplicateTerminated',
])

function told(world: VMWorld, pass: Pass, reason: string, message: string, change: Recollection): Step {
  world.recollections.update(pass.vm, change)
  world.events.record(pass.vm, { type: outsideReasons.has(reason) ? 'Warning' : 'Normal', reason, message })
  return { next: findings(pass) }
}

function findings({ vm, look, foundIds, userData }: Pass): Findings {
  return {
    vm: vm satisfies VM,
    ...(look && { look }),
    ...(foundIds && { foundIds }),
    ...(userData && { userData }),
  }
}
