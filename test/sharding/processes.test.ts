/** Shards among whole controllers, each a process of its own: one is killed, and what was its own is acted upon by the others. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { leaseType } from '../../kube/builtin-types.ts'
import { INSTALLATION_NAMESPACE } from '../cluster/shared-cluster.ts'
import { eventually, type Room } from '../vm/room.ts'
import { openStage, type Stage } from '../vm/stage.ts'

const SHARDS = 6
let stage: Stage
beforeAll(async () => {
  stage = await openStage({ controller: false, env: { SKYCLUST_SHARDS: String(SHARDS) } })
})
afterAll(() => stage?.[Symbol.asyncDispose]())

/** Who has how many shards. */
async function holdings(): Promise<Record<string, number>> {
  const { items } = await stage.administrator.list(leaseType, { namespace: INSTALLATION_NAMESPACE })
  const held: Record<string, number> = {}
  for (const { metadata, spec } of items) {
    const holder = spec?.holderIdentity
    if (/^skyclust-controller-\d+$/.test(metadata.name) && holder) held[holder] = (held[holder] ?? 0) + 1
  }
  return held
}

it('goes on with all of its VMs when one of three is killed, each instance made once and stopped once', async () => {
  const [, victim] = await Promise.all(
    ['a', 'b', 'c'].map((identity) => stage.startController({ SKYCLUST_IDENTITY: identity })),
  )
  await eventually(async () => expect(await holdings()).toEqual({ a: 2, b: 2, c: 2 }))
  const rooms: Room[] = await Promise.all(Array.from({ length: 2 * SHARDS }, () => stage.room()))
  await Promise.all(rooms.map((room) => room.create('web')))

  victim?.kill('SIGKILL')
  await Promise.all(rooms.map((room) => room.untilReady('web')))
  await Promise.all(rooms.map((room) => room.change('web', { powerState: 'Stopped' })))
  await Promise.all(rooms.map((room) => room.until('web', ({ status }) => status?.state === 'stopped')))

  await eventually(async () => expect(await holdings()).toEqual({ a: 3, c: 3 }))
  expect(stage.sim.instances().map(({ state }) => state)).toEqual(rooms.map(() => 'stopped'))
})
