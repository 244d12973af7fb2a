/**
 * What people and the world do in the campaign, a step at a time. A step acts, and then may say what is waited for before the next
 * one; without that the next follows in the middle of things.
 */
import { instanceTags } from '../../crds/names.ts'
import { type VM, vmKind } from '../../crds/vm.ts'
import { getCondition } from '../../kube/conditions.ts'
import { isAlive } from './liveness.ts'
import { namespace, type World } from './world.ts'

export interface Scenario {
  readonly name: string
  readonly steps: readonly Step[]
  /** What must be left in the end, beside that nothing is stuck. Gives what is wrong. */
  readonly end: (world: World) => string | undefined
}

export interface Step {
  readonly act: (world: World) => void
  /** Left out: the next step comes a moment later, whatever is under way. */
  readonly until?: (world: World) => boolean
}

export const key = { namespace, name: 'web-1' }

export function theVM(world: World): VM | undefined {
  return world.cluster.user.get(vmKind, key)
}

export const create = (spec: Partial<VM['spec']> = {}): Step => ({
  act: ({ cluster, cloud }) =>
    void cluster.user.create(vmKind, {
      metadata: key,
      spec: {
        provider: cloud.provider,
        credentialRef: { name: 'main' },
        instanceType: 'e2-micro',
        image: 'ami-1',
        powerState: 'Running',
        deletionPolicy: 'Delete',
        replacePolicy: 'Never',
        marketType: 'OnDemand',
        ...spec,
      },
    }),
  until: isReady,
})

export const change = (spec: Partial<VM['spec']>): Step => ({
  act: ({ cluster }) => void cluster.user.patch(vmKind, key, { spec }),
  until: isReady,
})

export const remove: Step = {
  act: ({ cluster }) => cluster.user.delete(vmKind, key),
  until: (world) => theVM(world) === undefined,
}

/** The same without waiting for what it leads to. */
export const atOnce = (step: Step): Step => ({ act: step.act })

export const outside = (action: 'stop' | 'start' | 'terminate' | 'interrupt', until: Step['until']): Step => ({
  act: ({ cloud }) => {
    const ids = cloud
      .instances()
      .filter(isAlive)
      .map(({ id }) => id)
    if (ids.length > 0) cloud.outside({ action, ids })
  },
  ...(until && { until }),
})

export const retag: Step = {
  act: ({ cloud }) => {
    const ids = cloud
      .instances()
      .filter(isAlive)
      .map(({ id }) => id)
    if (ids.length === 0) return
    cloud.outside({ action: 'untag', ids, keys: [instanceTags.vmUID, instanceTags.cluster] })
    cloud.outside({ action: 'tag', ids, tags: { Name: 'mine now' } })
  },
  until: ({ cloud }) =>
    cloud
      .instances()
      .filter(isAlive)
      .every(({ tags }) => tags[instanceTags.vmUID] && tags.Name === 'web-1'),
}

export function isReady(world: World): boolean {
  const vm = theVM(world)
  return (
    getCondition(vm?.status?.conditions, 'Ready')?.status === 'True' &&
    vm?.status?.observedGeneration === vm?.metadata.generation
  )
}

export function hasReason(reason: string): (world: World) => boolean {
  return (world) => getCondition(theVM(world)?.status?.conditions, 'Ready')?.reason === reason
}

export const nothingLeft = ({ cloud }: World): string | undefined => {
  const alive = cloud.instances().filter(isAlive)
  return alive.length === 0 ? undefined : `${alive.map(({ id, state }) => `${id} (${state})`).join(', ')} is left`
}

export const oneLeftUntagged = ({ cloud }: World): string | undefined => {
  const alive = cloud.instances().filter(isAlive)
  if (alive.length !== 1) return `${alive.length} instances are left, not one`
  return alive[0]?.tags[instanceTags.vmUID] === undefined ? undefined : 'it still carries our tags'
}

const isBack = (world: World) => (world.cloud.keepsSpot ? isReadyAgain(world) : replaced(world))
const replaced = (world: World) => isReady(world) && (theVM(world)?.status?.incarnation ?? 0) > 0

export const scenarios: readonly Scenario[] = [
  { name: 'created and deleted', steps: [create(), remove], end: nothingLeft },
  { name: 'deleted while it is made', steps: [atOnce(create()), remove], end: nothingLeft },
  {
    name: 'stopped and started',
    steps: [create(), change({ powerState: 'Stopped' }), change({ powerState: 'Running' }), remove],
    end: nothingLeft,
  },
  {
    name: 'changed its mind',
    steps: [
      create({ powerState: 'Stopped' }),
      atOnce(change({ powerState: 'Running' })),
      atOnce(change({ powerState: 'Stopped' })),
      change({ powerState: 'Running' }),
      remove,
    ],
    end: nothingLeft,
  },
  {
    name: 'resized while stopped',
    steps: [
      create({ powerState: 'Stopped' }),
      change({ instanceType: 'e2-standard-2' }),
      change({ powerState: 'Running' }),
      remove,
    ],
    end: nothingLeft,
  },
  {
    name: 'tagged and untagged',
    steps: [create({ tags: { team: 'a' } }), change({ tags: { tier: 'web' } }), retag, remove],
    end: nothingLeft,
  },
  {
    name: 'terminated outside and replaced',
    steps: [create({ replacePolicy: 'OnTermination' }), outside('terminate', replaced), remove],
    end: nothingLeft,
  },
  {
    name: 'terminated outside for good',
    steps: [create(), outside('terminate', hasReason('InstanceGone')), remove],
    end: nothingLeft,
  },
  {
    name: 'interrupted as a spot instance',
    steps: [create({ marketType: 'Spot', replacePolicy: 'OnTermination' }), outside('interrupt', isBack), remove],
    end: nothingLeft,
  },
  {
    name: 'stopped outside',
    steps: [create(), outside('stop', isReadyAgain), remove],
    end: nothingLeft,
  },
  { name: 'left behind', steps: [create({ deletionPolicy: 'Orphan' }), remove], end: oneLeftUntagged },
  {
    name: 'taken over',
    steps: [
      {
        act: (world) => {
          const [instance] = world.cloud.outside({ action: 'launch', image: 'ami-1', instanceType: 'e2-micro' })
          create({ adopt: { instanceID: instance?.id ?? '' } }).act(world)
        },
        until: isReady,
      },
      remove,
    ],
    end: nothingLeft,
  },
]

function isReadyAgain(world: World): boolean {
  return isReady(world) && world.cloud.instances().some(({ state }) => state === 'running')
}
