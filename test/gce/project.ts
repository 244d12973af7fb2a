/** The instances of a project, and what may be done to them; see `gce-server.ts` for what it does not vouch for. */
import { createHash } from 'node:crypto'
import type { GceInstance, GceOperation } from '../../clouds/gcp/compute-types.ts'
import { PROJECT } from './accounts.ts'
import { type Failure, freshId, type Operations, operations, timestamp } from './operations.ts'
import { GceRefusal, invalidField, notFound } from './refusal.ts'
import { checkMessage } from './schema.ts'
import type { GceSettings, GceTime } from './settings.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
export type StoredInstance = Mutable<Required<Pick<GceInstance, 'id' | 'name' | 'zone' | 'status' | 'machineType'>>> &
  Mutable<GceInstance> & { readonly selfLink: string }

export interface Call {
  readonly zone: string
  readonly user: string
  readonly requestId?: string | undefined
}

export interface GceProjectState {
  readonly operations: Operations
  readonly zones: readonly string[]
  /** Whether a list can say what is there. */
  isReachable(zone: string): boolean
  readonly regions: readonly string[]
  /** As they are, at this moment. */
  instances(): readonly StoredInstance[]
  /** As a list shows them. */
  listed(): readonly StoredInstance[]
  insert(call: Call, body: unknown): GceOperation
  /** By name or id. */
  find(zone: string, key: string): StoredInstance
  delete(call: Call, key: string): GceOperation
  start(call: Call, key: string, verb: 'start' | 'resume'): GceOperation
  stop(call: Call, key: string, type?: string): GceOperation
  setLabels(call: Call, key: string, body: unknown): GceOperation
  setMachineType(call: Call, key: string, body: unknown): GceOperation
}

export const REGIONS: Readonly<Record<string, readonly string[]>> = {
  'us-central1': ['us-central1-a', 'us-central1-b', 'us-central1-c'],
  'europe-west1': ['europe-west1-b', 'europe-west1-c', 'europe-west1-d'],
}

const STOCKOUT =
  "The zone 'projects/p/zones/z' does not have enough resources available to fulfill the request.  Try a different zone, or try again later."

interface InsertBody {
  readonly name?: string
  readonly machineType?: string
  readonly labels?: Record<string, string>
  readonly disks?: readonly { readonly boot?: boolean; readonly initializeParams?: { readonly sourceImage?: string } }[]
  readonly networkInterfaces?: readonly {
    readonly network?: string
    readonly subnetwork?: string
    readonly accessConfigs?: readonly unknown[]
  }[]
  readonly serviceAccounts?: readonly { readonly email?: string }[]
}

export function gceProject(settings: GceSettings, rootOf: () => string, time: GceTime): GceProjectState {
  const byId = new Map<string, StoredInstance>()
  /** What lists may still show. */
  const deleted: { readonly instance: StoredInstance; readonly at: number }[] = []
  const ops = operations(settings, rootOf, time)
  /** What is provisioned until then. */
  const staged: { readonly instance: StoredInstance; readonly at: number }[] = []
  let addresses = 10

  function settle(): void {
    while (staged[0] && staged[0].at <= time.now()) {
      const { instance } = staged.shift() ?? {}
      if (instance?.status === 'PROVISIONING') instance.status = 'STAGING'
    }
    ops.settle()
  }

  function find(zone: string, key: string): StoredInstance {
    settle()
    knownZone(zone)
    const found = [...byId.values()].find(
      (one) => zoneOf(one) === zone && (one.id === key || (one.name === key && !/^\d/.test(key))),
    )
    if (!found) throw notFound(`projects/${PROJECT}/zones/${zone}/instances/${key}`)
    return found
  }

  function begin(
    call: Call,
    instance: StoredInstance,
    change: { readonly type: string; readonly takesMs: number; readonly carryOut: () => Failure | undefined },
  ): GceOperation {
    const { id: targetId, selfLink: targetLink } = instance
    const { zone, user, requestId } = call
    return ops.begin({ ...change, zone, user, requestId, targetId, targetLink })
  }

  function noRoomIn(zone: string): Failure | undefined {
    if (!settings.fullZones.includes(zone)) return undefined
    const message = STOCKOUT.replace('projects/p/zones/z', `projects/${PROJECT}/zones/${zone}`)
    return { code: 'ZONE_RESOURCE_POOL_EXHAUSTED', message, status: 503 }
  }

  function checkTypeIn(zone: string, link: string, field: string): void {
    const type = link.slice(link.lastIndexOf('/') + 1)
    if (settings.typesInZones[type]?.includes(zone) === false) {
      throw invalidField(field, link, `Machine type with name '${type}' does not exist in zone '${zone}'.`)
    }
  }

  function remove(instance: StoredInstance): void {
    byId.delete(instance.id)
    deleted.push({ instance, at: time.now() })
  }

  function insert(call: Call, body: unknown): GceOperation {
    settle()
    const { zone } = call
    knownZone(zone)
    const repeated = ops.repeated(call.requestId)
    if (repeated) return repeated
    checkMessage('Instance', body, 'instance')
    const wanted = body as InsertBody
    checkInsert(wanted, zone)
    checkTypeIn(zone, wanted.machineType ?? '', 'resource.machineType')
    const taken = [...byId.values()].some((one) => one.name === wanted.name && zoneOf(one) === zone)
    if (taken) {
      const link = `projects/${PROJECT}/zones/${zone}/instances/${wanted.name}`
      throw new GceRefusal(409, 'alreadyExists', `The resource '${link}' already exists`)
    }
    if (byId.size >= settings.maxInstances) {
      const words = `Quota 'INSTANCES' exceeded.  Limit: ${settings.maxInstances}.0 in region ${zone.slice(0, -2)}.`
      throw new GceRefusal(403, 'quotaExceeded', words)
    }
    const instance = stored(wanted, zone)
    byId.set(instance.id, instance)
    const { insertMs } = settings
    staged.push({ instance, at: time.now() + insertMs / 2 })
    const carryOut = () => {
      const failure = noRoomIn(zone)
      if (failure) remove(instance)
      else run(instance)
      return failure
    }
    return begin(call, instance, { type: 'insert', takesMs: insertMs, carryOut })
  }

  function stored(wanted: InsertBody, zone: string): StoredInstance {
    const id = freshId(time)
    const at = timestamp(time)
    addresses++
    return {
      ...(wanted as GceInstance),
      kind: 'compute#instance',
      id,
      name: wanted.name ?? '',
      zone: `${rootOf()}/zones/${zone}`,
      selfLink: `${rootOf()}/zones/${zone}/instances/${wanted.name}`,
      machineType: fullLink(wanted.machineType),
      status: 'PROVISIONING',
      creationTimestamp: at,
      labelFingerprint: fingerprint(wanted.labels),
      // initializeParams are for the insert alone.
      disks: [{ boot: true, autoDelete: true, source: `${rootOf()}/zones/${zone}/disks/${wanted.name}` }],
      networkInterfaces: (wanted.networkInterfaces ?? []).map((nic) => ({
        ...nic,
        networkIP: `10.128.0.${addresses % 250}`,
      })),
    } as StoredInstance
  }

  function run(instance: StoredInstance): void {
    instance.status = 'RUNNING'
    instance.lastStartTimestamp = timestamp(time)
    instance.networkInterfaces = (instance.networkInterfaces ?? []).map((nic) => ({
      ...nic,
      ...(nic.accessConfigs && {
        accessConfigs: nic.accessConfigs.map((config) => ({ ...config, natIP: `203.0.113.${addresses % 250}` })),
      }),
    }))
  }

  function halt(instance: StoredInstance): void {
    instance.status = 'TERMINATED'
    instance.networkInterfaces = (instance.networkInterfaces ?? []).map((nic) => ({
      ...nic,
      ...(nic.accessConfigs && { accessConfigs: nic.accessConfigs.map(({ natIP: _, ...config }) => config) }),
    }))
  }

  function fullLink(link: string | undefined): string {
    return `${rootOf()}/${(link ?? '').replace(/^.*?(zones\/)/, '$1')}`
  }

  return {
    operations: ops,
    zones: Object.values(REGIONS).flat(),
    isReachable: (zone) => !settings.unreachableZones.includes(zone),
    regions: Object.keys(REGIONS),
    find,
    insert,

    instances() {
      settle()
      return [...byId.values()]
    },

    listed() {
      settle()
      const since = time.now() - settings.listLagMs
      const lingering = deleted.filter(({ at }) => at > since).map(({ instance }) => instance)
      return [...byId.values(), ...lingering].filter(
        ({ creationTimestamp = '' }) => Date.parse(creationTimestamp) <= since,
      )
    },

    delete(call, key) {
      const instance = find(call.zone, key)
      if (instance.status === 'STOPPING') throw notReady(instance)
      instance.status = 'STOPPING'
      const carryOut = () => void remove(instance)
      return begin(call, instance, { type: 'delete', takesMs: settings.deleteMs, carryOut })
    },

    start(call, key, verb) {
      const instance = find(call.zone, key)
      if (instance.status === 'RUNNING') return begin(call, instance, { type: verb, takesMs: 0, carryOut: nothing })
      if (instance.status !== (verb === 'start' ? 'TERMINATED' : 'SUSPENDED')) throw notReady(instance)
      instance.status = 'STAGING'
      const carryOut = () => {
        const failure = noRoomIn(call.zone)
        if (failure) halt(instance)
        else if (instance.status === 'STAGING') run(instance)
        return failure
      }
      return begin(call, instance, { type: verb, takesMs: settings.startMs, carryOut })
    },

    stop(call, key, type = 'stop') {
      const instance = find(call.zone, key)
      if (instance.status === 'TERMINATED' || instance.status === 'STOPPING') {
        return begin(call, instance, { type, takesMs: 0, carryOut: nothing })
      }
      if (instance.status !== 'RUNNING') throw notReady(instance)
      instance.status = 'STOPPING'
      const carryOut = () => void (instance.status === 'STOPPING' && halt(instance))
      return begin(call, instance, { type, takesMs: settings.stopMs, carryOut })
    },

    setLabels(call, key, body) {
      checkMessage('InstancesSetLabelsRequest', body, 'instances_set_labels_request')
      const { labels = {}, labelFingerprint } = body as { labels?: Record<string, string>; labelFingerprint?: string }
      const instance = find(call.zone, key)
      checkLabels(labels)
      if (labelFingerprint !== instance.labelFingerprint) {
        const words = 'Labels fingerprint either invalid or resource labels have changed'
        throw new GceRefusal(412, 'conditionNotMet', words)
      }
      instance.labels = labels
      instance.labelFingerprint = fingerprint(labels)
      return begin(call, instance, { type: 'setLabels', takesMs: settings.changeMs, carryOut: nothing })
    },

    setMachineType(call, key, body) {
      checkMessage('InstancesSetMachineTypeRequest', body, 'instances_set_machine_type_request')
      const { machineType = '' } = body as { machineType?: string }
      const instance = find(call.zone, key)
      checkMachineType(machineType, call.zone, 'machineType')
      checkTypeIn(call.zone, machineType, 'machineType')
      if (instance.status !== 'TERMINATED') {
        const words = 'Instance is starting or running. Please stop the instance before changing its machine type.'
        throw new GceRefusal(400, 'badRequest', words)
      }
      const carryOut = () => {
        instance.machineType = fullLink(machineType)
        return undefined
      }
      return begin(call, instance, { type: 'setMachineType', takesMs: settings.changeMs, carryOut })
    },
  }
}

function nothing(): undefined {
  return undefined
}

export function zoneOf({ zone }: { readonly zone: string }): string {
  return zone.slice(zone.lastIndexOf('/') + 1)
}

function knownZone(zone: string): void {
  if (!Object.values(REGIONS).flat().includes(zone)) throw invalidField('zone', zone, 'Unknown zone.')
}

function checkInsert(wanted: InsertBody, zone: string): void {
  const { name = '', machineType = '', labels = {}, disks = [], networkInterfaces = [] } = wanted
  if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) {
    throw invalidField('resource.name', name, "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'")
  }
  checkLabels(labels)
  checkMachineType(machineType, zone, 'resource.machineType')
  const image = disks.find(({ boot }) => boot)?.initializeParams?.sourceImage ?? ''
  if (!/^(projects\/[^/]+\/)?global\/images\/(family\/)?[a-z][a-z0-9-]*$/.test(image) || /\/bad-/.test(image)) {
    const field = 'resource.disks[0].initializeParams.sourceImage'
    throw invalidField(field, image, 'The referenced image resource cannot be found.')
  }
  const [nic] = networkInterfaces
  if (!nic) throw new GceRefusal(400, 'required', 'At least one network interface is required.')
  if (/\/bad-/.test(nic.subnetwork ?? '')) {
    const field = 'resource.networkInterfaces[0].subnetwork'
    throw invalidField(field, nic.subnetwork ?? '', 'The referenced subnetwork resource cannot be found.')
  }
}

function checkMachineType(link: string, zone: string, field: string): void {
  const type = /^zones\/([^/]+)\/machineTypes\/([a-z0-9-]+)$/.exec(link)
  if (!type || type[1] !== zone || type[2]?.startsWith('bad-')) {
    throw invalidField(field, link, `The referenced resource '${link}' cannot be found.`)
  }
}

/** @see https://cloud.google.com/compute/docs/labeling-resources#requirements */
function checkLabels(labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels)
  const bad = entries.find(([key, value]) => !/^[a-z][a-z0-9_-]{0,62}$/.test(key) || !/^[a-z0-9_-]{0,63}$/.test(value))
  if (bad) throw invalidField('resource.labels', bad.join(':'), `Label '${bad[0]}' violates format constraints.`)
  if (entries.length > 64) throw invalidField('resource.labels', '', 'A resource has at most 64 labels.')
}

function fingerprint(labels: Readonly<Record<string, string>> | undefined): string {
  const text = JSON.stringify(Object.entries(labels ?? {}).sort())
  return createHash('sha256').update(text).digest('base64').slice(0, 11).concat('=')
}

function notReady({ selfLink }: StoredInstance): GceRefusal {
  const link = selfLink.replace(/^.*?projects\//, 'projects/')
  return new GceRefusal(400, 'resourceNotReady', `The resource '${link}' is not ready`)
}
