/**
 * The same campaign as campaign.test.ts with Compute Engine in the cloud's place: the provider as it is, over HTTP to the server of
 * `test/gce`, whose operations, request ids, labels, zones and lists live in the same virtual time.
 *
 *     FAULTS_SCALE=20 FAULTS_SEED=7 vitest run test/faults/gce-campaign.test.ts     more storms, and mishaps in every scenario
 *
 * A life that went wrong prints the words that replay it.
 */
import { describe, expect, it } from 'vitest'
import { eachMishap, extent, failuresAmong, storms } from './campaign.ts'
import { type GceMoodName, gceMoods } from './moods.ts'
import { scenarios } from './scenarios.ts'

const { scale, firstSeed } = extent(process.env)
const stormsPerMood = Math.ceil(25 * scale)
const timeout = 600_000 * Math.max(1, scale)

describe('on Compute Engine, a mishap around any one side effect doubles nothing, leaves nothing and blocks nothing', () => {
  it.each(scale > 1 ? scenarios.map(({ name }) => name) : ['created and deleted'])(
    'when a VM is %s',
    {
      timeout,
    },
    async (scenario) => {
      const lives = eachMishap(scenario, 'Compute Engine has full zones', firstSeed)
      expect(await failuresAmong(lives)).toEqual([])
    },
  )
})

describe('on Compute Engine, a storm of mishaps, with late and lost events, does neither', () => {
  it.each(Object.keys(gceMoods) as GceMoodName[])('where %s', { timeout }, async (cloud) => {
    expect(await failuresAmong(storms(cloud, stormsPerMood, firstSeed))).toEqual([])
  })
})
