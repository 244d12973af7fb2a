/**
 * A cloud that takes calls and answers none, and one to which nobody gets through: whoever waits for it is told that, and since
 * when, by the VM and by the Credential; and once it answers, all is made, once. With the controller as a process.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../kube/resource.ts'
import { isAlive, madeFor } from '../faults/liveness.ts'
import { type Proxied, proxied } from '../faults/proxied.ts'
import { conditionOf, type Room } from './room.ts'
import { openStage, type Stage } from './stage.ts'

let stage: Stage
let through: Proxied
let room: Room

beforeAll(async () => {
  stage = await openStage({ controller: false })
  through = await proxied(stage)
  await stage.startController(through.env)
  room = await stage.room()
})
afterAll(async () => {
  await through?.[Symbol.asyncDispose]()
  await stage?.[Symbol.asyncDispose]()
})

/** What it says of a silence. */
function silenceIn(object: KubeObject): string {
  const { status, message = '' } = conditionOf(object, 'Ready') ?? {}
  expect(status).toBe('False')
  expect(conditionOf(object, 'Reconciling')?.message).toBe(message)
  expect(message).toMatch(/The cloud has not answered since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\./)
  return message
}

const aliveFor = (uid: string) =>
  stage.sim
    .instances()
    .filter(isAlive)
    .filter((instance) => madeFor(instance) === uid)

describe('while a cloud takes calls and answers none', () => {
  it('a new VM says so, and a new Credential and its VM; afterwards each VM has one instance', async () => {
    through.sim.freeze()
    const newcomer = await stage.room({ accepted: false })
    await Promise.all([room.create('hung'), newcomer.create('waiting')])

    const [hung, waiting, credential] = await Promise.all([
      room.untilReason('hung', 'CloudUnavailable'),
      newcomer.untilReason('waiting', 'CloudUnavailable'),
      newcomer.untilCredential((one) => conditionOf(one, 'Ready')?.reason === 'CloudUnavailable'),
    ])
    for (const object of [hung, waiting, credential]) silenceIn(object)
    await room.untilTold('hung', 'Warning CloudUnavailable')

    through.sim.thaw()
    for (const vm of [await room.untilReady('hung'), await newcomer.untilReady('waiting')]) {
      expect(aliveFor(vm.metadata.uid).map(({ id }) => id)).toEqual([vm.status?.instanceID])
    }
  })
})

describe('while nobody gets through to a cloud', () => {
  it('a new VM says so in the words of the connection, and is made once somebody does', async () => {
    await through.sim.down()
    await room.create('cut-off')

    expect(silenceIn(await room.untilReason('cut-off', 'CloudUnavailable'))).toMatch(/ECONNREFUSED/)

    await through.sim.up()
    const { metadata, status } = await room.untilReady('cut-off')
    expect(aliveFor(metadata.uid).map(({ id }) => id)).toEqual([status?.instanceID])
  })
})
