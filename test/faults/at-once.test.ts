/** What many VMs of one Credential cost the cloud when all are to change at once, however few the workers are. */
import { expect, it } from 'vitest'
import { vmKind } from '../../crds/vm.ts'
import { getCondition } from '../../kube/conditions.ts'
import { cloudMoods, gceMoods, watchMoods } from './moods.ts'
import { chance } from './random.ts'
import { createGceWorld, createWorld, namespace, type World } from './world.ts'

const COUNT = 1_000
const namesOf = (count: number) => Array.from({ length: count }, (_, index) => `web-${index}`)
const calm = { watch: watchMoods.prompt, mishapAt: () => undefined }

/** Until everything is done about that many VMs. */
async function settled({ cluster, time }: World, state: string, forMs: number): Promise<number> {
  await time.run(() => false, forMs)
  return cluster.user
    .list(vmKind)
    .filter(({ status }) => status?.state === state && getCondition(status.conditions, 'Ready')?.status === 'True')
    .length
}

function createAll({ cluster, cloud }: World, names: readonly string[]): void {
  const spec = {
    provider: cloud.provider,
    credentialRef: { name: 'main' },
    instanceType: 'e2-micro',
    image: 'ami-1',
    powerState: 'Running' as const,
    deletionPolicy: 'Delete' as const,
    replacePolicy: 'Never' as const,
    marketType: 'OnDemand' as const,
  }
  for (const name of names) cluster.user.create(vmKind, { metadata: { namespace, name }, spec })
}

function powerAll({ cluster }: World, names: readonly string[], powerState: 'Running' | 'Stopped'): void {
  for (const name of names) cluster.user.patch(vmKind, { namespace, name }, { spec: { powerState } })
}

it('looks a thousand VMs up in few calls before it creates them, and stops and starts them in at most 20 calls each', async () => {
  const world = createWorld({ random: chance(1), cloud: cloudMoods['tokens honoured'], ...calm })
  const { sim } = world
  const names = namesOf(COUNT)
  createAll(world, names)
  expect(await settled(world, 'running', 5 * 60_000)).toBe(COUNT)
  expect(sim.calls.byAction.DescribeInstances.calls).toBeLessThanOrEqual(40)

  powerAll(world, names, 'Stopped')
  expect(await settled(world, 'stopped', 5 * 60_000)).toBe(COUNT)
  expect(sim.calls.byAction.StopInstances.calls).toBeLessThanOrEqual(20)

  powerAll(world, names, 'Running')
  expect(await settled(world, 'running', 5 * 60_000)).toBe(COUNT)
  await world.end()
  expect(sim.calls.byAction.StartInstances.calls).toBeLessThanOrEqual(20)
  expect(world.cloud.breaches).toEqual([])
})

it('looks a hundred VMs up in few calls on Compute Engine, where a call is about one, and makes, stops and starts each in one', async () => {
  const cloud = gceMoods['Compute Engine is as documented']
  const world = await createGceWorld({ random: chance(1), cloud, ...calm })
  const names = namesOf(100)
  const called = (action: string) => world.gce.calls.filter((one) => one === `instances.${action}`).length
  createAll(world, names)
  expect(await settled(world, 'running', 5 * 60_000)).toBe(100)
  expect(called('insert')).toBe(100)
  expect(called('aggregatedList')).toBeLessThanOrEqual(40)

  powerAll(world, names, 'Stopped')
  expect(await settled(world, 'stopped', 5 * 60_000)).toBe(100)
  powerAll(world, names, 'Running')
  expect(await settled(world, 'running', 5 * 60_000)).toBe(100)
  await world.end()
  expect({ stop: called('stop'), start: called('start') }).toEqual({ stop: 100, start: 100 })
  expect(called('aggregatedList')).toBeLessThanOrEqual(120)
  expect(world.cloud.breaches).toEqual([])
})
