/**
 * One life of a VM under one plan of mishaps, and what must hold of it: never two live instances, everything comes to rest, and
 * once at rest nothing is written any more.
 */
import { chance } from './random.ts'
import type { Scenario } from './scenarios.ts'
import type { EffectInfo, Mishap } from './side-effects.ts'
import { type CloudMood, createWorld, type World, type WorldOptions } from './world.ts'

export interface Life {
  readonly scenario: Scenario
  readonly cloud: CloudMood
  readonly seed: number
  readonly watch: WorldOptions['watch']
  /** By the number of the side effect. */
  readonly mishaps: ReadonlyMap<number, Mishap>
  /** Beside these, how likely one of them befalls any side effect. */
  readonly storm?: { readonly probability: number; readonly mishaps: readonly [Mishap, ...Mishap[]] }
}

export interface Outcome {
  readonly problems: readonly string[]
  /** How many side effects it took. */
  readonly effects: readonly string[]
  readonly world: World
}

/** Waits that the design allows add up to far less, even with a token that is not honoured any more. */
const patienceMs = 40 * 60_000
const quietMs = 10 * 60_000

export async function live({ scenario, cloud, seed, watch, mishaps, storm }: Life): Promise<Outcome> {
  const random = chance(seed)
  let left = 6
  const world = createWorld({
    random,
    cloud,
    watch,
    mishapAt(index: number, _: EffectInfo) {
      const planned = mishaps.get(index)
      if (planned || !storm || left === 0 || !random.happens(storm.probability)) return planned
      left--
      return random.oneOf(storm.mishaps)
    },
  })
  const problems: string[] = []
  try {
    for (const [index, step] of scenario.steps.entries()) {
      step.act(world)
      const came = await world.time.run(
        () => step.until?.(world) ?? false,
        step.until ? patienceMs : random.between(0, 3_000),
      )
      if (step.until && !came) {
        problems.push(
          `step ${index + 1} is stuck: ${JSON.stringify(world.cluster.user.list({ group: 'skyclust.io', version: 'v1alpha1', kind: 'VM', plural: 'vms', namespaced: true }), null, 1)}`,
        )
        break
      }
      await restAndQuiet(world, problems, step.until !== undefined)
    }
    const wrong = problems.length === 0 ? scenario.end(world) : undefined
    if (wrong) problems.push(wrong)
  } finally {
    world.end()
  }
  return { problems: [...problems, ...world.breaches], effects: world.effects.seen, world }
}

/** Whatever was still on its way may arrive; from then on nothing is written and nothing is done. */
async function restAndQuiet(world: World, problems: string[], isAtRest: boolean): Promise<void> {
  if (!isAtRest) return
  await world.time.run(() => false, 5 * 60_000)
  const before = {
    writes: world.cluster.writes,
    mutations: world.sim.calls.mutations,
    logged: world.cluster.log.length,
  }
  await world.time.run(() => false, quietMs)
  const written = world.cluster.writes - before.writes
  const mutated = world.sim.calls.mutations - before.mutations
  if (written > 0)
    problems.push(`${written} writes after it came to rest: ${world.cluster.log.slice(before.logged).join('; ')}`)
  if (mutated > 0) problems.push(`${mutated} mutations after it came to rest`)
}
