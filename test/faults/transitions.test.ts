/**
 * Random histories of a VM: its spec changed, its instance stopped, started, terminated, retagged and resized outside, all at any
 * time and with mishaps around side effects. When the world comes to rest, the instance is as the spec wants it, or a
 * condition `Stalled` tells why not.
 *
 *     FAULTS_SCALE=20 FAULTS_SEED=7 vitest run test/faults/transitions.test.ts
 *
 * A failure prints the shortest history that fails.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Instance } from '../../clouds/cloud.ts'
import { wantedTags } from '../../controller/vm/identity.ts'
import { instanceTags } from '../../crds/names.ts'
import type { VM } from '../../crds/vm.ts'
import { vmKind } from '../../crds/vm.ts'
import { type Condition, getCondition } from '../../kube/conditions.ts'
import { doneInQuiet, type MoodName, worldWhere } from './campaign.ts'
import { isAlive } from './liveness.ts'
import { watchMoods } from './moods.ts'
import { chance } from './random.ts'
import { create, key, nothingLeft, oneLeftUntagged, remove, theVM } from './scenarios.ts'
import { mishaps } from './side-effects.ts'
import { clusterUID, type World } from './world.ts'

const scale = Number(process.env.FAULTS_SCALE ?? '1')
const patienceMs = 40 * 60_000

type Spec = Partial<VM['spec']>
type Happening =
  | { readonly kind: 'spec'; readonly spec: Spec }
  | { readonly kind: 'outside'; readonly action: 'start' | 'stop' | 'terminate' | 'interrupt' }
  | { readonly kind: 'resized'; readonly instanceType: string }
  | { readonly kind: 'retagged'; readonly keys: readonly string[] }
  | { readonly kind: 'cloud'; readonly refuses: boolean }

const types = ['e2-micro', 'e2-standard-2'] as const
const tagSets = [{}, { team: 'a' }, { team: 'b', tier: 'web' }] as const

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({
    kind: fc.constant('spec' as const),
    spec: fc.oneof(
      fc.record({ powerState: fc.constantFrom('Running' as const, 'Stopped' as const) }),
      fc.record({ instanceType: fc.constantFrom(...types) }),
      fc.record({ replacePolicy: fc.constantFrom('Never' as const, 'OnTermination' as const) }),
      fc.record({ deletionPolicy: fc.constantFrom('Delete' as const, 'Orphan' as const) }),
      fc.record({ tags: fc.constantFrom(...tagSets) }),
    ),
  }),
  fc.record({
    kind: fc.constant('outside' as const),
    action: fc.constantFrom('start' as const, 'stop' as const, 'terminate' as const, 'interrupt' as const),
  }),
  fc.record({ kind: fc.constant('resized' as const), instanceType: fc.constantFrom(...types) }),
  fc.record({
    kind: fc.constant('retagged' as const),
    keys: fc.subarray([instanceTags.vmUID, instanceTags.cluster, instanceTags.incarnation, 'Name', 'team']),
  }),
  fc.record({ kind: fc.constant('cloud' as const), refuses: fc.boolean() }),
)

type Moods = readonly [MoodName, ...MoodName[]]

const onSim: Moods = [
  'tokens honoured',
  'tokens ignored and lookups lag',
  'tokens expired and lookups beyond their bound',
]
const onGce: Moods = [
  'Compute Engine is as documented',
  'Compute Engine forgets request ids, lags and is slow',
  'Compute Engine has full zones',
]

const historyOn = (moods: Moods) =>
  fc.record({
    seed: fc.nat(),
    cloud: fc.constantFrom(...moods),
    watch: fc.constantFrom(...(Object.keys(watchMoods) as (keyof typeof watchMoods)[])),
    happenings: fc.array(fc.tuple(happening, fc.nat(60_000)), { maxLength: 8 }),
    mishaps: fc.array(fc.tuple(fc.nat(25), fc.constantFrom(...mishaps)), { maxLength: 3 }),
  })

function happens({ cluster, cloud }: World, what: Happening): void {
  if (what.kind === 'spec') return void cluster.user.patch(vmKind, key, { spec: what.spec })
  if (what.kind === 'cloud') return void cloud.refuse(what.refuses)
  const ids = cloud
    .instances()
    .filter(isAlive)
    .map(({ id }) => id)
  if (ids.length === 0) return
  if (what.kind === 'outside') cloud.outside({ action: what.action, ids })
  else if (what.kind === 'resized') cloud.outside({ action: 'resize', ids, instanceType: what.instanceType })
  else if (what.keys.length > 0) cloud.outside({ action: 'untag', ids, keys: [...what.keys] })
}

/** In what the instance is not as the spec wants it, once everything is at rest. */
function differences(world: World): string[] {
  const vm = theVM(world)
  const ready = getCondition(vm?.status?.conditions, 'Ready')
  if (!vm || !ready) return ['it says nothing']
  const [instance, ...others] = world.cloud.instances().filter(isAlive)
  if (others.length > 0) return [`it has ${others.length + 1} instances`]
  const retagged = instance ? tagDifferences(vm, instance.tags) : []
  if (ready.status !== 'True') return [...retagged, ...falseExcuses(vm, ready, instance)]
  if (!instance) return ['it is Ready without an instance']
  return [
    ...retagged,
    ...(instance.id === vm.status?.instanceID ? [] : [`its status names ${vm.status?.instanceID}`]),
    ...(instance.state === (vm.spec.powerState === 'Stopped' ? 'stopped' : 'running') ? [] : [`is ${instance.state}`]),
    ...(instance.instanceType === vm.spec.instanceType ? [] : [`is a ${instance.instanceType}`]),
  ]
}

function tagDifferences(vm: VM, tags: Readonly<Record<string, string>>): string[] {
  const surplus = ['team', 'tier'].filter((name) => !(name in (vm.spec.tags ?? {})) && name in tags)
  const wrong = Object.entries(wantedTags(vm, clusterUID)).filter(([name, value]) => tags[name] !== value)
  return [
    ...wrong.map(([name]) => `its tag ${name} is ${tags[name]}`),
    ...surplus.map((name) => `its tag ${name} is still there`),
  ]
}

/** There are two reasons to rest without being as the spec wants it, and each has to be true. */
function falseExcuses(vm: VM, { reason, message }: Condition, instance: Instance | undefined): string[] {
  if (!getCondition(vm.status?.conditions, 'Stalled')) return [`neither Ready nor Stalled: ${reason}: ${message}`]
  const isTrue = reason === 'InstanceGone' ? !instance : reason === 'StopRequired' && instance?.state === 'running'
  return isTrue ? [] : [`Stalled for no reason: ${reason}: ${message}`]
}

it.each([
  ['the simulated cloud', onSim, 400],
  ['Compute Engine', onGce, 40],
] as const)(
  'whatever happens on %s, a VM comes to be as its spec wants it, or says why not',
  {
    timeout: 600_000 * Math.max(1, scale),
  },
  async (_, moods, runs) => {
    const lives = fc.asyncProperty(historyOn(moods), async ({ seed, cloud, watch, happenings, mishaps: planned }) => {
      const plan = new Map(planned)
      const random = chance(seed)
      const mishapAt = (index: number) => plan.get(index)
      const world = await worldWhere(cloud, { random, watch: watchMoods[watch], mishapAt })
      try {
        create().act(world)
        for (const [what, afterMs] of happenings) {
          await world.time.run(() => false, afterMs)
          happens(world, what)
        }
        world.cloud.refuse(false)
        // What only a person can mend is tried again in six minutes at most.
        const isAsItShouldBe = await world.time.run(() => differences(world).length === 0, patienceMs)
        const wrong = isAsItShouldBe ? await doneInQuiet(world) : differences(world)
        expect([...wrong, ...differences(world), ...world.cloud.breaches]).toEqual([])

        const orphan = theVM(world)?.spec.deletionPolicy === 'Orphan'
        const had = world.cloud.instances().filter(isAlive).length
        remove.act(world)
        expect(await world.time.run(() => theVM(world) === undefined, patienceMs)).toBe(true)
        expect(orphan && had > 0 ? oneLeftUntagged(world) : nothingLeft(world)).toBeUndefined()
        expect(world.cloud.breaches).toEqual([])
      } finally {
        await world.end()
      }
    })
    await fc.assert(lives, { numRuns: Math.ceil(runs * scale), seed: Number(process.env.FAULTS_SEED ?? '1') })
  },
)
