/**
 * Several controllers as processes: one leads and the others stand by. The leader is frozen, killed, told to stop, and cut off
 * from the API server; whoever acts next acts within a lease, and nothing is done twice.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leaseType } from '../../kube/builtin-types.ts'
import type { Program } from '../cluster/program.ts'
import { INSTALLATION_NAMESPACE } from '../cluster/shared-cluster.ts'
import type { ProxiedRequest } from '../fault-proxy/faults.ts'
import { eventually, isReady, type Room } from '../vm/room.ts'
import { openStage, type Stage } from '../vm/stage.ts'
import { isAlive, madeFor } from './liveness.ts'
import { type Proxied, proxied } from './proxied.ts'

let stage: Stage
let room: Room
let through: Proxied
let first: Program

beforeAll(async () => {
  stage = await openStage({ controller: false })
  through = await proxied(stage)
  first = await stage.startController(through.env)
  await first.logged(({ msg }) => msg === 'leading', 60_000)
  room = await stage.room()
})
afterAll(async () => {
  await through?.[Symbol.asyncDispose]()
  await stage?.[Symbol.asyncDispose]()
})

const isCreate = ({ path }: ProxiedRequest) => path.endsWith('/RunInstances')
const isWrite = ({ method, path }: ProxiedRequest) => method !== 'GET' && !path.includes('/leases')
const leads = ({ msg }: { readonly msg?: string }) => msg === 'leading'

async function leader(): Promise<string | undefined> {
  const lease = await stage.administrator.get(leaseType, {
    namespace: INSTALLATION_NAMESPACE,
    name: 'skyclust-controller',
  })
  return lease.spec?.holderIdentity || undefined
}

describe('a standby', () => {
  it('takes over from a leader that stands still in the middle of a create, which then ends and does nothing', async () => {
    const standby = await stage.startController()
    // Held back, so that the leader stands still between the create and its answer.
    through.sim.inject(isCreate, { delayMs: 1_000 }, { times: 1 })
    await room.create('cut')
    await through.sim.arrived(isCreate)
    first.kill('SIGSTOP')

    await standby.logged(leads, 60_000)
    const { metadata, status } = await room.untilReady('cut')
    const [sent, called] = [through.kube.requests.length, through.sim.requests.length]
    first.kill('SIGCONT')

    expect((await first.exited).code).toBe(1)
    expect(first.records.some(({ msg }) => msg === 'deposed')).toBe(true)
    expect(through.kube.requests.slice(sent).filter(isWrite)).toEqual([])
    expect(through.sim.requests.slice(called).filter(isCreate)).toEqual([])
    const made = stage.sim.instances({ state: 'all' }).filter((instance) => madeFor(instance) === metadata.uid)
    expect(made.map(({ id }) => id)).toEqual([status?.instanceID])
    expect((await room.find('cut'))?.status?.instanceID).toBe(status?.instanceID)
  })

  it('takes over from a leader that was killed', async () => {
    const leading = stage.controller
    const standby = await stage.startController()

    leading.kill('SIGKILL')
    await room.change('cut', { powerState: 'Stopped' })

    await room.until('cut', (vm) => isReady(vm) && vm.status?.state === 'stopped')
    expect(standby.records.some(leads)).toBe(true)
  })

  it('need not wait for one that was told to stop, which finishes what it does and gives its lease back', async () => {
    const leading = stage.controller
    const standby = await stage.startController()
    stage.sim.configure({ latencyMs: 500 })
    await room.create('under-way')
    await room.until('under-way', ({ status }) => status?.create !== undefined)

    const stopped = leading.stop()

    expect(await stopped).toEqual({ code: 0, signal: null })
    await standby.logged(leads)
    stage.sim.configure({ latencyMs: 0 })
    const { metadata } = await room.untilReady('under-way')
    const alive = stage.sim.instances().filter(isAlive)
    expect(alive.filter((instance) => madeFor(instance) === metadata.uid)).toHaveLength(1)
  })
})

describe('a leader', () => {
  it('stays, not ready, while the API server is away for longer than its lease, and goes on when it is back', async () => {
    const leading = stage.controller
    const name = await leader()
    const { metrics } = await leading.logged(({ msg }) => msg === 'listening')
    const readiness = async () => (await fetch(`${metrics}/readyz`)).status
    expect(await readiness()).toBe(200)

    await stage.cluster.apiserver.stop(0)
    await eventually(async () => expect(await readiness()).toBe(503))
    await eventually(async () => {
      const text = await (await fetch(`${metrics}/metrics`)).text()
      expect(text).toContain('leader_election_master_status{name="0"} 0')
    })
    await stage.cluster.apiserver.start()

    await room.create('afterwards')
    await room.untilReady('afterwards')
    expect(await leader()).toBe(name)
    await eventually(async () => expect(await readiness()).toBe(200)) // the last watch may begin half a minute later
    await room.delete('afterwards')
    await room.untilGone('afterwards')
  })
})
