/**
 * The clouds on which a controller is killed: how its calls look on the way to each of them, and what each has ever made. Moto
 * honours no client tokens, the simulated cloud does, and Compute Engine takes its time for everything.
 */
import type { Cloud, Instance } from '../../clouds/cloud.ts'
import { goneInstance, instanceFrom } from '../../clouds/gcp/instances.ts'
import { providers } from '../../clouds/providers.ts'
import { instanceTags } from '../../crds/names.ts'
import type { FaultProxy } from '../fault-proxy/fault-proxy.ts'
import type { ProxiedRequest } from '../fault-proxy/faults.ts'
import type { Gce } from '../gce/gce-server.ts'
import { type Room, regions } from '../vm/room.ts'
import type { Stage } from '../vm/stage.ts'
import { madeFor } from './liveness.ts'
import type { Proxied } from './proxied.ts'

export type Mutation = 'create' | 'start' | 'stop' | 'terminate' | 'resize' | 'tag'

/** By its name, and by its instance's id once there is one. */
export interface Target {
  readonly vm: string
  readonly id: string
}

export interface KilledCloud {
  readonly room: Room
  readonly proxy: FaultProxy
  readonly otherType: string
  isCall(mutation: Mutation, request: ProxiedRequest, target: Target): boolean
  /** All that were ever made for that VM, those that are gone included. */
  everMade(uid: string): Promise<readonly Instance[]>
}

export async function killedClouds(stage: Stage, through: Proxied): Promise<Readonly<Record<string, KilledCloud>>> {
  const { sim, moto, gce } = stage
  if (!moto || !gce) throw new Error('the stage has neither moto nor a Compute Engine')
  const [onSim, onAws, onGcp] = await Promise.all([
    stage.room(),
    stage.room({ provider: 'aws' }),
    stage.room({ provider: 'gcp', key: { service_account_key: gce.accounts.keyFile(tokenOfGoogle) } }),
  ])
  return {
    sim: {
      room: onSim,
      proxy: through.sim,
      otherType: 't3.small',
      isCall: (mutation, { path, body }, { vm, id }) =>
        path.endsWith(`/${ec2Actions[mutation]}`) && body.includes(mutation === 'create' ? `/${vm}"` : `"${id}"`),
      everMade: async (uid) => sim.instances({ state: 'all' }).filter((instance) => madeFor(instance) === uid),
    },
    aws: {
      room: onAws,
      proxy: through.moto,
      otherType: 't3.small',
      isCall: (mutation, { body }, { vm, id }) =>
        body.includes(`Action=${ec2Actions[mutation]}&`) && body.includes(mutation === 'create' ? `%2F${vm}&` : id),
      everMade: (uid) => taggedWith(awsCloud(), uid),
    },
    gcp: {
      room: onGcp,
      proxy: through.gce,
      otherType: 'e2-standard-2',
      isCall: (mutation, { method, path, body }, { vm, id }) =>
        mutation === 'create'
          ? method === 'POST' && path.endsWith('/instances') && body.includes(`"skyclust-name":"${vm}"`)
          : `${method} ${path}`.startsWith(gceMethods[mutation]) &&
            path.endsWith(`/instances/${id}${gceVerbs[mutation]}`),
      everMade: async (uid) => insertedFor(gce, uid),
    },
  }
}

/** A proxy stands between the server and the controller, which then signs its tokens itself. */
const tokenOfGoogle = { token_uri: 'https://oauth2.googleapis.com/token' }

const ec2Actions = {
  create: 'RunInstances',
  start: 'StartInstances',
  stop: 'StopInstances',
  terminate: 'TerminateInstances',
  resize: 'ModifyInstanceAttribute',
  tag: 'CreateTags',
} as const

const gceMethods = { start: 'POST', stop: 'POST', terminate: 'DELETE', resize: 'POST', tag: 'POST' } as const
const gceVerbs = {
  start: '/start',
  stop: '/stop',
  terminate: '',
  resize: '/setMachineType',
  tag: '/setLabels',
} as const

/** At the endpoint that the environment names: past every proxy. */
function awsCloud(): Cloud {
  const aws = providers({ enabled: ['aws'] }).named('aws')
  if (!aws) throw new Error('no AWS')
  return aws.connect({ secret: { access_key: 'test', secret_key: 'test' } }, regions.aws)
}

async function taggedWith(cloud: Cloud, uid: string): Promise<readonly Instance[]> {
  const found: Instance[] = []
  for await (const page of cloud.list({ kind: 'tag', key: instanceTags.vmUID, values: [uid] })) found.push(...page)
  return found
}

function insertedFor({ project, instances }: Gce, uid: string): readonly Instance[] {
  const inserts = project.operations
    .list()
    .filter(({ operationType, targetLink = '' }) => operationType === 'insert' && targetLink.includes(uid))
  return inserts.map((insert) => {
    const stored = instances().find(({ id }) => id === insert.targetId)
    return stored ? instanceFrom(stored) : goneInstance(insert, 'it is not there any more')
  })
}
