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
import { eachMishap, extent, failuresAmong, type Life, live, storms } from './campaign.ts'
import { type CloudMoodName, cloudMoods } from './moods.ts'
import { scenarios } from './scenarios.ts'

const { scale, firstSeed } = extent(process.env)
const stormsPerMood = Math.ceil(250 * scale)
const timeout = 600_000 * Math.max(1, scale)

/** What is right in these is right in the others. */
const hardestMoods = [
  'tokens ignored and lookups lag',
  'tokens expired and lookups beyond their bound',
] as const satisfies readonly CloudMoodName[]

const replayed = process.env.FAULTS_REPLAY
if (replayed) {
  it('the life that is replayed goes well', { timeout }, async () => {
    const { problems, effects } = await live(JSON.parse(replayed) as Life)
    expect({ problems, effects }).toEqual({ problems: [], effects })
  })
} else {
  const scenarioNames = scenarios.map(({ name }) => name)

  it('a life that is lived again goes the same way', { timeout }, async () => {
    for (const life of storms('calls fail', 10, firstSeed)) expect(await live(life)).toEqual(await live(life))
  })

  describe('a mishap around any one side effect doubles nothing, leaves nothing and blocks nothing', () => {
    describe.each(hardestMoods)('where %s', (cloud) => {
      it.each(scenarioNames)('when a VM is %s', { timeout }, async (scenario) => {
        expect(await failuresAmong(eachMishap(scenario, cloud, firstSeed))).toEqual([])
      })
    })
  })

  describe('a storm of mishaps, with late and lost events, does neither', () => {
    it.each(Object.keys(cloudMoods) as CloudMoodName[])('where %s', { timeout }, async (cloud) => {
      expect(await failuresAmong(storms(cloud, stormsPerMood, firstSeed))).toEqual([])
    })
  })
}
