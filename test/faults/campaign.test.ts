/**
 * Thousands of lives of a VM in virtual time, with the real controller, cache, queue, lease, batches and listing: each side
 * effect failed before it, failed after it took effect, done late; its process killed or frozen around it. Then storms of all that, in
 * worlds with stale caches, lost events and a cloud that keeps few promises.
 *
 *     FAULTS_SCALE=20 vitest run test/faults/campaign.test.ts     twenty times as many storms
 *     FAULTS_SEED=7 …                                             other ones
 *     FAULTS_REPLAY='{"scenario":…}' …                            the one that a failure printed
 */
import { describe, expect, it } from 'vitest'
import { failuresAmong, type Life, live } from './campaign.ts'
import { type CloudMoodName, cloudMoods, watchMoods } from './moods.ts'
import { chance } from './random.ts'
import { scenarios } from './scenarios.ts'
import { mishaps } from './side-effects.ts'

const scale = Number(process.env.FAULTS_SCALE ?? '1')
const firstSeed = Number(process.env.FAULTS_SEED ?? '1')
const stormsPerMood = Math.ceil(250 * scale)
const timeout = 600_000 * Math.max(1, scale)

/** What is right in these is right in the others. */
const hardestMoods = [
  'tokens ignored and lookups lag',
  'tokens expired and lookups beyond their bound',
] as const satisfies readonly CloudMoodName[]

const names = <Name extends string>(table: Readonly<Record<Name, unknown>>) => Object.keys(table) as [Name, ...Name[]]

/** One life for each mishap around each of its side effects. */
async function* eachMishap(scenario: string, cloud: CloudMoodName): AsyncGenerator<Life> {
  const calm: Life = { scenario, cloud, watch: 'prompt', seed: firstSeed, mishaps: [], storm: 0 }
  const { effects } = await live(calm)
  yield calm
  for (const index of effects.keys()) for (const mishap of mishaps) yield { ...calm, mishaps: [[index, mishap]] }
}

function* storms(cloud: CloudMoodName, count: number): Generator<Life> {
  const all = scenarios.map(({ name }) => name) as [string, ...string[]]
  for (let index = 0; index < count; index++) {
    const seed = firstSeed * 1_000_003 + index
    const { oneOf } = chance(seed)
    yield { scenario: oneOf(all), cloud, watch: oneOf(names(watchMoods)), seed, mishaps: [], storm: oneOf([0.1, 0.3]) }
  }
}

const replayed = process.env.FAULTS_REPLAY
if (replayed) {
  it('the life that is replayed goes well', { timeout }, async () => {
    const { problems, effects } = await live(JSON.parse(replayed) as Life)
    expect({ problems, effects }).toEqual({ problems: [], effects })
  })
} else {
  const scenarioNames = scenarios.map(({ name }) => name)

  describe('a mishap around any one side effect doubles nothing, leaves nothing and blocks nothing', () => {
    describe.each(hardestMoods)('where %s', (cloud) => {
      it.each(scenarioNames)('when a VM is %s', { timeout }, async (scenario) => {
        expect(await failuresAmong(eachMishap(scenario, cloud))).toEqual([])
      })
    })
  })

  describe('a storm of mishaps, with late and lost events, does neither', () => {
    it.each(names(cloudMoods))('where %s', { timeout }, async (cloud) => {
      expect(await failuresAmong(storms(cloud, stormsPerMood))).toEqual([])
    })
  })
}
