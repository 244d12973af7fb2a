/**
 * One life of a VM under one plan of mishaps, and what must hold of it: never two live instances, everything comes to rest, and
 * once at rest nothing is written any more. A life is a value: written down, it can be lived again.
 */
import { vmKind } from '../../crds/vm.ts'
import {
  type CloudMoodName,
  cloudMoods,
  type GceMoodName,
  gceMoods,
  isGceMood,
  type WatchMoodName,
  watchMoods,
} from './moods.ts'
import { chance } from './random.ts'
import { type Scenario, scenarios } from './scenarios.ts'
import { mishaps as everyMishap, type Mishap } from './side-effects.ts'
import { createGceWorld, createWorld, type World, type WorldOptions } from './world.ts'

export type MoodName = CloudMoodName | GceMoodName

export interface Life {
  readonly scenario: string
  readonly cloud: MoodName
  readonly watch: WatchMoodName
  readonly seed: number
  /** What befalls which side effect, by its number. */
  readonly mishaps: readonly (readonly [index: number, mishap: Mishap])[]
  /** Beside these, how likely one of all befalls any side effect; six at most. */
  readonly storm: number
}

export interface Outcome {
  readonly problems: readonly string[]
  /** The side effects that it took, in their order. */
  readonly effects: readonly string[]
}

/** Waits that the design allows add up to far less, even with a token that is not honoured any more. */
const patienceMs = 40 * 60_000
/** Whatever is still on its way arrives in this time. */
const restMs = 90_000
/** More than two listings of everything. */
const quietMs = 150_000
const mostInAStorm = 6

export async function live({ cloud, watch, seed, ...life }: Life): Promise<Outcome> {
  const random = chance(seed)
  const planned = new Map(life.mishaps)
  let left = mostInAStorm
  const options = {
    random,
    watch: watchMoods[watch],
    mishapAt(index: number) {
      const mishap = planned.get(index)
      if (mishap || left === 0 || life.storm === 0 || !random.happens(life.storm)) return mishap
      left--
      return random.oneOf(everyMishap)
    },
  }
  const world = await worldWhere(cloud, options)
  try {
    const problems = await run(scenarioNamed(life.scenario), world, () => random.between(0, 3_000))
    return { problems: [...problems, ...world.cloud.breaches], effects: world.effects.seen }
  } finally {
    await world.end()
  }
}

/** With the cloud of that mood. */
export async function worldWhere(cloud: MoodName, options: WorldOptions): Promise<World> {
  return isGceMood(cloud)
    ? createGceWorld({ ...options, cloud: gceMoods[cloud] })
    : createWorld({ ...options, cloud: cloudMoods[cloud] })
}

async function run({ steps, end }: Scenario, world: World, pauseMs: () => number): Promise<string[]> {
  const problems: string[] = []
  for (const [index, { act, until }] of steps.entries()) {
    act(world)
    if (!until) {
      await world.time.run(() => false, pauseMs())
      continue
    }
    if (!(await world.time.run(() => until(world), patienceMs))) {
      return [...problems, `step ${index + 1} is stuck: ${JSON.stringify(world.cluster.user.list(vmKind))}`]
    }
    problems.push(...(await doneInQuiet(world)))
  }
  const wrong = end(world)
  return wrong ? [...problems, wrong] : problems
}

/** Whatever was still on its way may arrive; what is written, and done at the cloud, after that. */
export async function doneInQuiet({ time, cluster, cloud }: World): Promise<string[]> {
  await time.run(() => false, restMs)
  const before = { writes: cluster.writes, logged: cluster.log.length, mutations: cloud.mutations }
  await time.run(() => false, quietMs)
  const written = cluster.writes - before.writes
  const mutated = cloud.mutations - before.mutations
  return [
    ...(written > 0 ? [`${written} writes after it came to rest: ${cluster.log.slice(before.logged).join('; ')}`] : []),
    ...(mutated > 0 ? [`${mutated} mutations after it came to rest`] : []),
  ]
}

function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name)
  if (!found)
    throw new Error(`there is no scenario "${name}"; there are ${scenarios.map((one) => one.name).join(', ')}`)
  return found
}

/** Lives what is given, and answers with those that went wrong, each with the words that replay it. */
export async function failuresAmong(lives: Iterable<Life> | AsyncIterable<Life>): Promise<string[]> {
  const failures: string[] = []
  for await (const life of lives) {
    const { problems } = await live(life)
    if (problems.length > 0) failures.push(`${problems.join('\n')}\n${replayWords(life)}`)
  }
  return failures
}

function replayWords(life: Life): string {
  return `again: FAULTS_REPLAY='${JSON.stringify(life)}' vitest run test/faults/campaign.test.ts`
}

/** How much, and which, as the environment says. */
export function extent({ FAULTS_SCALE = '1', FAULTS_SEED = '1' }: NodeJS.ProcessEnv) {
  return { scale: Number(FAULTS_SCALE), firstSeed: Number(FAULTS_SEED) }
}

/** One life for each mishap around each of its side effects. */
export async function* eachMishap(scenario: string, cloud: MoodName, seed: number): AsyncGenerator<Life> {
  const calm: Life = { scenario, cloud, watch: 'prompt', seed, mishaps: [], storm: 0 }
  const { effects } = await live(calm)
  yield calm
  for (const index of effects.keys()) for (const mishap of everyMishap) yield { ...calm, mishaps: [[index, mishap]] }
}

/** Lives of any scenario in which six mishaps at most befall any side effects. */
export function* storms(cloud: MoodName, count: number, firstSeed: number): Generator<Life> {
  const all = scenarios.map(({ name }) => name) as [string, ...string[]]
  const watches = Object.keys(watchMoods) as [WatchMoodName, ...WatchMoodName[]]
  for (let index = 0; index < count; index++) {
    const seed = firstSeed * 1_000_003 + index
    const { oneOf } = chance(seed)
    yield { scenario: oneOf(all), cloud, watch: oneOf(watches), seed, mishaps: [], storm: oneOf([0.1, 0.3]) }
  }
}
