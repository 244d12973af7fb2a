/** What a thousand VMs of one Credential cost the cloud when all are to change at once, however few the workers are. */
import { expect, it } from 'vitest'
import { vmKind } from '../../crds/vm.ts'
import { getCondition } from '../../kube/conditions.ts'
import { cloudMoods, watchMoods } from './moods.ts'
import { chance } from './random.ts'
import { createWorld, namespace } from './world.ts'

const COUNT = 1_000
const names = Array.from({ length: COUNT }, (_, index) => `web-${index}`)

it('looks a thousand VMs up in few calls before it creates them, and stops and starts them in at most 20 calls each', async () => {
  const cloud = cloudMoods['tokens honoured']
  const world = createWorld({ random: chance(1), cloud, watch: watchMoods.prompt, mishapAt: () => undefined })
  const { cluster, sim, time } = world
  const spec = {
    provider: 'sim' as const,
    credentialRef: { name: 'main' },
    instanceType: 't3.micro',
    image: 'ami-1',
    powerState: 'Running' as const,
    deletionPolicy: 'Delete' as const,
    replacePolicy: 'Never' as const,
    marketType: 'OnDemand' as const,
  }
  const settled = (state: string) =>
    cluster.user
      .list(vmKind)
      .filter(({ status }) => status?.state === state && getCondition(status.conditions, 'Ready')?.status === 'True')
      .length
  for (const name of names) cluster.user.create(vmKind, { metadata: { namespace, name }, spec })
  await time.run(() => false, 5 * 60_000)
  expect(settled('running')).toBe(COUNT)
  expect(sim.calls.byAction.DescribeInstances.calls).toBeLessThanOrEqual(40)

  for (const name of names) cluster.user.patch(vmKind, { namespace, name }, { spec: { powerState: 'Stopped' } })
  await time.run(() => false, 5 * 60_000)
  expect(settled('stopped')).toBe(COUNT)
  expect(sim.calls.byAction.StopInstances.calls).toBeLessThanOrEqual(20)

  for (const name of names) cluster.user.patch(vmKind, { namespace, name }, { spec: { powerState: 'Running' } })
  await time.run(() => false, 5 * 60_000)
  await world.end()
  expect(settled('running')).toBe(COUNT)
  expect(sim.calls.byAction.StartInstances.calls).toBeLessThanOrEqual(20)
  expect(world.cloud.breaches).toEqual([])
})
