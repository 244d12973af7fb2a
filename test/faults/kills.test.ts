/**
 * The controller as a process, killed with SIGKILL before and after each side effect: what it writes to the API server, and each
 * of its calls that change something at a cloud, on three clouds at once. For each side effect there is a VM whose request
 * is held on its way until the requests of all the others are held too; then the controller dies, and another one finds it all.
 * The thousands of other lives are lived in virtual time (campaign.test.ts, gce-campaign.test.ts).
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { finalizers } from '../../crds/names.ts'
import type { VM } from '../../crds/vm.ts'
import { type Condition, getCondition } from '../../kube/conditions.ts'
import type { ProxiedRequest } from '../fault-proxy/faults.ts'
import { eventually } from '../vm/room.ts'
import { openStage, type Stage } from '../vm/stage.ts'
import { type KilledCloud, killedClouds, type Mutation, type Target } from './killed-clouds.ts'
import { isAlive } from './liveness.ts'
import { type Proxied, proxied } from './proxied.ts'

/** One process that owns everything: whoever comes next need not wait for a dead one's lease. */
const alone = { SKYCLUST_LEADER_ELECTION: 'false' }

let stage: Stage
let through: Proxied
let env: Readonly<Record<string, string>>
let clouds: readonly KilledCloud[]

beforeAll(async () => {
  stage = await openStage({ moto: true, gce: {}, controller: false })
  vi.stubEnv('AWS_ENDPOINT_URL', stage.moto?.url)
  through = await proxied(stage)
  env = { ...through.env, ...alone }
  await stage.startController(env)
  clouds = Object.values(await killedClouds(stage, through))
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await through?.[Symbol.asyncDispose]()
  await stage?.[Symbol.asyncDispose]()
})

interface SideEffect {
  readonly name: string
  /** The VM that there is before; left out, it is made by what is done. */
  readonly given?: Partial<VM['spec']>
  readonly act: 'create' | 'delete' | ((cloud: KilledCloud) => Partial<VM['spec']>)
  readonly request: { readonly call: Mutation } | { readonly write: (write: Write) => boolean }
  /** Such requests are sent one at a time, whomever they are for: the first that is held holds the others up. */
  readonly oneByOne?: true
  /** As the instance is in the end; left out, it is gone. */
  readonly end?: (cloud: KilledCloud) => object
}

/** What goes to the API server, of a VM or about it. */
interface Write {
  readonly to: 'vm' | 'status' | 'event'
  readonly body: WriteBody
}

interface WriteBody {
  readonly metadata?: { readonly finalizers?: readonly string[] }
  readonly status?: VM['status']
  readonly reason?: string
}

const running = () => ({ state: 'running' })
const stopped = () => ({ state: 'stopped' })
const saysReady = ({ to, body }: Write, reason: string) => {
  const ready = getCondition(body.status?.conditions as Condition[] | undefined, 'Ready')
  return to === 'status' && ready?.status === 'True' && ready.reason === reason
}

/** Those whose requests take in others' come after those others, and what takes longest comes first. */
const sideEffects: readonly SideEffect[] = [
  {
    name: 'farewell',
    given: {},
    act: 'delete',
    request: { write: ({ to, body }) => to === 'vm' && body.metadata?.finalizers?.includes(finalizers.vm) === false },
  },
  { name: 'terminate', given: {}, act: 'delete', request: { call: 'terminate' } },
  {
    name: 'stopped',
    given: {},
    act: () => ({ powerState: 'Stopped' }),
    request: { write: (write) => saysReady(write, 'InstanceStopped') },
    end: stopped,
  },
  {
    name: 'stop',
    given: {},
    act: () => ({ powerState: 'Stopped' }),
    request: { call: 'stop' },
    end: stopped,
  },
  {
    name: 'start',
    given: { powerState: 'Stopped' },
    act: () => ({ powerState: 'Running' }),
    request: { call: 'start' },
    end: running,
  },
  {
    name: 'resize',
    given: { powerState: 'Stopped' },
    act: ({ otherType }) => ({ instanceType: otherType }),
    request: { call: 'resize' },
    end: ({ otherType }) => ({ state: 'stopped', instanceType: otherType }),
  },
  {
    name: 'tag-keys',
    given: {},
    act: () => ({ tags: { team: 'a' } }),
    request: { write: ({ to, body }) => to === 'status' && body.status?.tagKeys !== undefined },
    end: () => ({ state: 'running', tags: expect.objectContaining({ team: 'a' }) }),
  },
  {
    name: 'tag',
    given: { tags: { team: 'a' } },
    act: () => ({ tags: { team: 'b' } }),
    request: { call: 'tag' },
    end: () => ({ state: 'running', tags: expect.objectContaining({ team: 'b' }) }),
  },
  {
    name: 'finalizer',
    act: 'create',
    request: { write: ({ to, body }) => to === 'vm' && body.metadata?.finalizers?.includes(finalizers.vm) === true },
    end: running,
  },
  {
    name: 'intent',
    act: 'create',
    request: { write: ({ to, body }) => to === 'status' && Boolean(body.status?.create) },
    end: running,
  },
  { name: 'create', act: 'create', request: { call: 'create' }, end: running },
  {
    name: 'id',
    act: 'create',
    request: { write: ({ to, body }) => to === 'status' && body.status?.instanceID !== undefined },
    end: running,
  },
  {
    name: 'ready',
    act: 'create',
    request: { write: (write) => saysReady(write, 'InstanceRunning') },
    end: running,
  },
  {
    name: 'event',
    act: 'create',
    request: { write: ({ to, body }) => to === 'event' && body.reason === 'InstanceCreated' },
    oneByOne: true,
    end: running,
  },
]

/** A side effect, when the controller dies, and the VM that it is for. */
interface Moment {
  readonly effect: SideEffect
  readonly when: 'before' | 'after'
  readonly vm: string
}

const momentsOf = (when: Moment['when']) =>
  sideEffects.map((effect): Moment => ({ effect, when, vm: `${effect.name}-${when}` }))

function isRequest({ request }: SideEffect, sent: ProxiedRequest, cloud: KilledCloud, target: Target): boolean {
  if ('call' in request) return cloud.isCall(request.call, sent, target)
  const write = writeIn(sent, cloud.room.namespace, target.vm)
  return write !== undefined && request.write(write)
}

function writeIn({ method, path, body }: ProxiedRequest, namespace: string, vm: string): Write | undefined {
  const [, of, rest] = /\/namespaces\/([^/]+)\/(.+)$/.exec(path) ?? []
  if (of !== namespace || (method !== 'PATCH' && method !== 'POST')) return undefined
  if (rest === `vms/${vm}`) return { to: 'vm', body: JSON.parse(body) }
  if (rest === `vms/${vm}/status`) return { to: 'status', body: JSON.parse(body) }
  if (rest !== 'events') return undefined
  const event = JSON.parse(body)
  return event.regarding?.name === vm ? { to: 'event', body: event } : undefined
}

function act(cloud: KilledCloud, { effect, vm }: Moment): Promise<unknown> {
  if (effect.act === 'create') return cloud.room.create(vm)
  return effect.act === 'delete' ? cloud.room.delete(vm) : cloud.room.change(vm, effect.act(cloud))
}

/** Resolves once the request is held, until the controller is dead: before the server gets it, or after it has answered. */
async function held(cloud: KilledCloud, moment: Moment): Promise<void> {
  const { effect, when, vm } = moment
  const victim = stage.controller
  const id = effect.given ? ((await cloud.room.find(vm))?.status?.instanceID ?? expect.fail(`${vm} has none`)) : ''
  let isHeld = false
  const told = async () => {
    isHeld = true
    await victim.exited
  }
  const proxy = 'call' in effect.request ? cloud.proxy : through.kube
  proxy.inject((sent) => isRequest(effect, sent, cloud, { vm, id }), { reset: when, told }, { times: 1 })
  await act(cloud, moment)
  await eventually(() => expect({ vm, on: cloud.room.provider, isHeld }).toMatchObject({ isHeld: true }))
}

async function killedAt(moments: readonly Moment[]): Promise<void> {
  for (const moment of moments) {
    const all = clouds.map((cloud) => held(cloud, moment))
    await (moment.effect.oneByOne ? Promise.any(all) : Promise.all(all))
  }
  const victim = stage.controller
  victim.kill('SIGKILL')
  await victim.exited
  await stage.startController(env)
}

describe('a controller that is killed around each side effect', () => {
  it('makes one instance for each VM on each cloud, as its spec wants it, then none', {
    timeout: 600_000,
  }, async () => {
    const moments = [...momentsOf('before'), ...momentsOf('after')]
    const everywhere = clouds.flatMap((cloud) => moments.map((moment) => ({ cloud, ...moment })))
    const given = everywhere.filter(({ effect }) => effect.given)
    await Promise.all(given.map(({ cloud, vm, effect }) => cloud.room.create(vm, effect.given)))
    const before = await Promise.all(given.map(({ cloud, vm }) => cloud.room.untilReady(vm)))

    await killedAt(momentsOf('before'))
    await killedAt(momentsOf('after'))

    for (const [index, { cloud, vm, effect }] of given.entries()) {
      if (effect.end) continue
      await cloud.room.untilGone(vm)
      const made = await cloud.everMade(before[index]?.metadata.uid ?? '')
      expect({ vm, made: made.map(({ state }) => state) }).toEqual({ vm, made: ['terminated'] })
    }
    const staying = everywhere.filter(({ effect }) => effect.end)
    const uids: string[] = []
    for (const { cloud, vm, effect } of staying) {
      const { metadata, status } = await cloud.room.untilReady(vm)
      uids.push(metadata.uid)
      expect(status?.create).toBeUndefined()
      const instance = expect.objectContaining({ id: status?.instanceID, ...effect.end?.(cloud) })
      expect({ vm, made: await cloud.everMade(metadata.uid) }).toEqual({ vm, made: [instance] })
    }

    await Promise.all(staying.map(({ cloud, vm }) => cloud.room.delete(vm)))
    await Promise.all(staying.map(({ cloud, vm }) => cloud.room.untilGone(vm)))
    for (const [index, { cloud, vm }] of staying.entries()) {
      const alive = async () => (await cloud.everMade(uids[index] ?? '')).filter(isAlive)
      await eventually(async () => expect({ vm, alive: await alive() }).toEqual({ vm, alive: [] }))
    }
  })
})
