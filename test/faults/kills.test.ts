/**
 * The controller as a process, killed with SIGKILL before and after each side effect of a create and of a delete, on moto, which
 * honours no client tokens, while as many VMs on the simulated cloud are in the middle of theirs. The thousands of other
 * lives are lived in virtual time (campaign.test.ts).
 */
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { instanceTags } from '../../crds/names.ts'
import type { Match, ProxiedRequest } from '../fault-proxy/faults.ts'
import { eventually, type Room, regions } from '../vm/room.ts'
import { openStage, type Stage } from '../vm/stage.ts'
import { isAlive, madeFor } from './liveness.ts'
import { type Proxied, proxied } from './proxied.ts'

/** One process that owns everything: whoever comes next need not wait for a dead one's lease. */
const alone = { SKYCLUST_LEADER_ELECTION: 'false' }

let stage: Stage
let through: Proxied
let env: Readonly<Record<string, string>>
let ec2: EC2Client
let onEc2: Room
let onSim: Room

beforeAll(async () => {
  stage = await openStage({ moto: true, controller: false })
  through = await proxied(stage)
  env = { ...through.env, ...alone }
  ec2 = new EC2Client({
    endpoint: stage.moto?.url ?? expect.fail('no moto'),
    region: regions.aws,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  await stage.startController(env)
  onEc2 = await stage.room({ provider: 'aws' })
  onSim = await stage.room()
})
afterAll(async () => {
  ec2?.destroy()
  await through?.[Symbol.asyncDispose]()
  await stage?.[Symbol.asyncDispose]()
})

interface SideEffect {
  readonly name: string
  readonly of: 'kube' | 'cloud'
  readonly matches: (request: ProxiedRequest, vm: string) => boolean
  /** How many that match come before it. */
  readonly after: number
}

const patchOf = (path: string) => (request: ProxiedRequest, vm: string) =>
  request.method === 'PATCH' && request.path.endsWith(`/vms/${vm}${path}`)
const call = (action: string) => (request: ProxiedRequest, vm: string) =>
  request.body.includes(`Action=${action}&`) && (action !== 'RunInstances' || request.body.includes(`%2F${vm}&`))

const ofCreate: readonly SideEffect[] = [
  { name: 'finalizer', of: 'kube', matches: patchOf(''), after: 0 },
  { name: 'intent', of: 'kube', matches: patchOf('/status'), after: 0 },
  { name: 'create', of: 'cloud', matches: call('RunInstances'), after: 0 },
  { name: 'id', of: 'kube', matches: patchOf('/status'), after: 1 },
  { name: 'ready', of: 'kube', matches: patchOf('/status'), after: 2 },
]
const ofDelete: readonly SideEffect[] = [
  { name: 'terminate', of: 'cloud', matches: call('TerminateInstances'), after: 0 },
  { name: 'farewell', of: 'kube', matches: patchOf(''), after: 0 },
]
const moments = ['before', 'after'] as const

const rounds = (effects: readonly SideEffect[]) =>
  effects.flatMap((effect) => moments.map((moment) => ({ effect, moment, vm: `${effect.name}-${moment}` })))

/** Kills the controller around that side effect of what `act` sets going, and starts another one. */
async function killedAround(
  { effect, moment, vm }: ReturnType<typeof rounds>[number],
  act: () => Promise<unknown>,
): Promise<void> {
  const killed = Promise.withResolvers<void>()
  const victim = stage.controller
  const told = () => {
    victim.kill('SIGKILL')
    killed.resolve()
  }
  const match: Match = (request) => effect.matches(request, vm)
  const proxy = effect.of === 'kube' ? through.kube : through.moto
  const injection = proxy.inject(match, { reset: moment, told }, { times: 1, skip: effect.after })
  await act()
  await killed.promise
  await victim.exited
  injection.remove()
  await stage.startController(env)
}

/** States of the instances that were made for a VM, by its tag. */
async function onEc2For(uid: string): Promise<(string | undefined)[]> {
  const filter = { Name: `tag:${instanceTags.vmUID}`, Values: [uid] }
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ Filters: [filter] }))
  return Reservations.flatMap(({ Instances = [] }) => Instances.map(({ State }) => State?.Name))
}

const aliveOnSim = () => stage.sim.instances().filter(isAlive)

describe('a controller that is killed around each side effect', () => {
  it('makes one instance for each VM, then none', { timeout: 600_000 }, async () => {
    const leaving = rounds(ofDelete).map(({ vm }) => vm)
    await Promise.all(leaving.map((vm) => onEc2.create(vm)))
    const left = await Promise.all(leaving.map((vm) => onEc2.untilReady(vm)))

    for (const round of rounds(ofCreate)) {
      await killedAround(round, () => Promise.all([onEc2.create(round.vm), onSim.create(round.vm)]))
    }
    for (const round of rounds(ofDelete)) await killedAround(round, () => onEc2.delete(round.vm))

    const coming = rounds(ofCreate).map(({ vm }) => vm)
    for (const vm of coming) {
      const { metadata, status } = await onEc2.untilReady(vm)
      expect({ vm, states: await onEc2For(metadata.uid) }).toEqual({ vm, states: ['running'] })
      const onSimToo = await onSim.untilReady(vm)
      const alive = aliveOnSim().filter((instance) => madeFor(instance) === onSimToo.metadata.uid)
      expect({ vm, ids: alive.map(({ id }) => id) }).toEqual({ vm, ids: [onSimToo.status?.instanceID] })
      expect(status?.create).toBeUndefined()
    }
    for (const { metadata } of left) {
      await onEc2.untilGone(metadata.name)
      expect(await onEc2For(metadata.uid)).toEqual(['terminated'])
    }

    const uids = await Promise.all(coming.map(async (vm) => (await onEc2.find(vm))?.metadata.uid ?? ''))
    await Promise.all(coming.flatMap((vm) => [onEc2.delete(vm), onSim.delete(vm)]))
    await Promise.all(coming.flatMap((vm) => [onEc2.untilGone(vm), onSim.untilGone(vm)]))
    for (const uid of uids) expect(await onEc2For(uid)).toEqual(['terminated'])
    await eventually(() => expect(aliveOnSim()).toEqual([]))
  })
})
