/**
 * Compute Engine as a `Cloud`. An instance's id is the number that Google gave it, which is never given again, unlike its
 * name. One call of ours is one request, and with a mutation those that follow its operation; what does not change is
 * remembered: the zone of an instance, the zones of a region.
 */
import type { Cloud } from '../cloud.ts'
import { CloudError, isCloudError } from '../cloud-error.ts'
import { pages } from '../pages.ts'
import type { GceList, GceOperation, GceProject, GceRegion } from './compute-types.ts'
import type { GcpConnections } from './connections.ts'
import { createInstance } from './create-instance.ts'
import type { GcpIdentity } from './identity.ts'
import { instanceReads } from './instance-reads.ts'
import { labelKeysOf, labelsFrom } from './labels.ts'
import { gceGuarantees, gceLimits, LIST_PAGE } from './limits.ts'
import { followed } from './operations.ts'
import { isRegionName, regionNamed } from './regions.ts'
import { computeRest } from './rest.ts'
import { isProjectID } from './service-account-key.ts'
import { zoneChooser } from './zones.ts'

export interface GcpCloudOptions {
  readonly identity: GcpIdentity
  /** Left out: the identity's own. */
  readonly projectID?: string
  readonly region: string
  /** Shared by all clouds of a process. */
  readonly connections: GcpConnections
  /** How long a call may take, from its beginning to the last byte of its answer. */
  readonly timeoutMs?: number
  /** How many instances a page of a listing holds, up to 500. */
  readonly pageSize?: number
}

/** For how long an operation is waited for. Starting takes a while, and may fail for want of room only then. */
const START_WITHIN_MS = 15_000
const CHANGE_WITHIN_MS = 10_000
/** Stopping takes minutes, and what stops is seen to: only a failure at once is waited for. */
const STOP_WITHIN_MS = 2_000

/** Throws a `CloudError` for a region or a project that cannot be one: it would become part of a path. */
export function gcpCloud(options: GcpCloudOptions): Cloud {
  const { identity, region, connections, timeoutMs = 30_000, pageSize = LIST_PAGE } = options
  if (!isRegionName(region)) throw badName(`"${region}" is not a region of Google Cloud; one is called "us-central1".`)
  if (options.projectID && !isProjectID(options.projectID)) {
    throw badName(`"${options.projectID}" is not a project id of Google Cloud; one is called "my-project-42".`)
  }
  const rest = computeRest({ identity, project, connections, timeoutMs })
  const chooseZone = zoneChooser({ rest, project, region, remembered: connections.zonesOfRegion })
  const reads = instanceReads({ rest, project, region, pageSize, zoneOfInstance: connections.zoneOfInstance })
  const { described, get, listPage, zoneOf } = reads

  async function project(signal?: AbortSignal): Promise<string> {
    return options.projectID || identity.projectID(signal)
  }

  interface Mutation {
    readonly action: string
    readonly method?: 'POST' | 'DELETE'
    /** Behind the instance's path. */
    readonly verb?: string
    readonly body?: unknown
    readonly withinMs: number
  }

  async function mutate(id: string, mutation: Mutation, signal?: AbortSignal): Promise<void> {
    const { action, method = 'POST', verb = '', body, withinMs } = mutation
    const zone = await zoneOf(id, signal)
    if (zone === undefined) throw noInstance(id, action)
    const path = `/zones/${zone}/instances/${id}${verb}`
    try {
      const operation = await rest.call<GceOperation>(
        { action, method, path, ...(body !== undefined && { body }) },
        signal,
      )
      await followed(rest, operation, { action, withinMs }, signal)
    } catch (error) {
      throw isCloudError(error) && error.class === 'notFound' ? noInstance(id, action) : error
    }
  }

  /** Labels are replaced as a whole, on top of those that were read: whoever else wrote meanwhile makes it a conflict. */
  async function relabel(
    id: string,
    change: (labels: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<void> {
    const action = 'instances.setLabels'
    const found = await described(id, signal)
    if (!found) throw noInstance(id, action)
    const { labels = {}, labelFingerprint } = found
    const changed = change(labels)
    if (isSame(labels, changed)) return
    const body = { labels: changed, labelFingerprint }
    await mutate(id, { action, verb: '/setLabels', body, withinMs: CHANGE_WITHIN_MS }, signal)
  }

  async function start(id: string, signal?: AbortSignal): Promise<void> {
    const found = await described(id, signal)
    if (!found) throw noInstance(id, 'instances.start')
    if (found.status === 'RUNNING') return
    const verb = found.status === 'SUSPENDED' ? 'resume' : 'start'
    await mutate(id, { action: `instances.${verb}`, verb: `/${verb}`, withinMs: START_WITHIN_MS }, signal)
  }

  async function stop(id: string, signal?: AbortSignal): Promise<void> {
    await mutate(id, { action: 'instances.stop', verb: '/stop', withinMs: STOP_WITHIN_MS }, signal)
  }

  async function terminate(id: string, signal?: AbortSignal): Promise<void> {
    try {
      await mutate(id, { action: 'instances.delete', method: 'DELETE', withinMs: STOP_WITHIN_MS }, signal)
    } catch (error) {
      if (!isCloudError(error)) throw error
      const isOver = error.class === 'notFound' && (await get(id, signal))?.state === 'terminated'
      const isUnderWay = error.class === 'notReady' && (await described(id, signal))?.status === 'STOPPING'
      if (!isOver && !isUnderWay) throw error
    }
  }

  return {
    provider: 'gcp',
    region,
    guarantees: gceGuarantees,
    limits: gceLimits,

    async verify(signal) {
      identity.forget() // a key that was taken back leaves its last token good for a while
      const { name } = await rest.call<GceProject>({ action: 'projects.get', method: 'GET', path: '' }, signal)
      if (!name)
        throw new CloudError('Google answered without a project.', { class: 'transient', action: 'projects.get' })
      return { account: name, identity: await identity.email(signal) }
    },

    async regions(signal) {
      const query = { maxResults: String(LIST_PAGE) }
      const request = { action: 'regions.list', method: 'GET', path: '/regions', query } as const
      const { items = [] } = await rest.call<GceList<GceRegion>>(request, signal)
      return items.map(({ name = '' }) => regionNamed(name)).sort((a, b) => (a.name < b.name ? -1 : 1))
    },

    listPage,
    list: (filter, signal) => pages(listPage, filter, signal),
    get,
    chooseZone,

    async create(spec, signal) {
      const zone = spec.zone ?? (await chooseZone(spec.token, [], signal)) ?? ''
      const place = { project: await project(signal), region, zone }
      const made = await createInstance(rest, spec, place, signal)
      await reads.note([made], signal)
      return made
    },

    start: (ids, signal) => each(ids, (id) => start(id, signal)),
    stop: (ids, signal) => each(ids, (id) => stop(id, signal)),
    terminate: (ids, signal) => each(ids, (id) => terminate(id, signal)),

    async resize(id, instanceType, signal) {
      const zone = await zoneOf(id, signal)
      const body = { machineType: `zones/${zone}/machineTypes/${instanceType}` }
      const action = 'instances.setMachineType'
      await mutate(id, { action, verb: '/setMachineType', body, withinMs: CHANGE_WITHIN_MS }, signal)
    },

    tag: (ids, tags, signal) =>
      each(ids, (id) => {
        const replaced = new Set(Object.keys(tags).flatMap(labelKeysOf))
        return relabel(id, (labels) => ({ ...without(labels, replaced), ...labelsFrom(tags) }), signal)
      }),
    untag: (ids, keys, signal) =>
      each(ids, (id) => relabel(id, (labels) => without(labels, new Set(keys.flatMap(labelKeysOf))), signal)),
  }
}

/** One after the other: callers that have many send them one a call, as `maxBatch` says. */
async function each(ids: readonly string[], act: (id: string) => Promise<void>): Promise<void> {
  for (const id of ids) await act(id)
}

function without(labels: Readonly<Record<string, string>>, keys: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !keys.has(key)))
}

function isSame(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key])
}

function noInstance(id: string, action: string): CloudError {
  return new CloudError(`There is no instance ${id}.`, { class: 'notFound', code: 'notFound', action })
}

function badName(message: string): CloudError {
  return new CloudError(message, { class: 'invalid', code: 'InvalidName', action: 'connect' })
}
