/**
 * Reads of instances: lists of the whole project, in which one call is about all zones, and single ones by their id.
 */
import type { Instance, InstanceFilter, InstancePage } from '../cloud.ts'
import { CloudError, isCloudError } from '../cloud-error.ts'
import type { GceAggregatedList, GceInstance } from './compute-types.ts'
import {
  filterFrom,
  goneInstance,
  idFilter,
  instanceFrom,
  isInstanceId,
  matches,
  namedInstance,
  nameFilter,
} from './instances.ts'
import { endOf } from './operations.ts'
import type { ComputeRest } from './rest.ts'

export interface InstanceReadsOptions {
  readonly rest: ComputeRest
  readonly project: (signal?: AbortSignal) => Promise<string>
  /** Nothing of another region is shown. */
  readonly region: string
  readonly pageSize: number
  /** By project and id. */
  readonly zoneOfInstance: Map<string, string>
}

export interface InstanceReads {
  listPage(filter: InstanceFilter, cursor?: string, signal?: AbortSignal): Promise<InstancePage>
  /** What is there; `undefined` for what is gone or in another region. */
  described(id: string, signal?: AbortSignal): Promise<GceInstance | undefined>
  /** What is there, or what is known of how it ended. */
  get(id: string, signal?: AbortSignal): Promise<Instance | undefined>
  zoneOf(id: string, signal?: AbortSignal): Promise<string | undefined>
  /** Remembers where they are. */
  note(instances: readonly Instance[], signal?: AbortSignal): Promise<readonly Instance[]>
}

const REMEMBERED_INSTANCES = 100_000

export function instanceReads(options: InstanceReadsOptions): InstanceReads {
  const { rest, project, region, pageSize, zoneOfInstance } = options

  /** Takes in where it is, for the calls that name the zone. */
  async function note(instances: readonly Instance[], signal?: AbortSignal): Promise<readonly Instance[]> {
    const own = await project(signal)
    if (zoneOfInstance.size > REMEMBERED_INSTANCES) zoneOfInstance.clear()
    for (const { id, zone } of instances) zoneOfInstance.set(`${own}/${id}`, zone)
    return instances
  }

  async function listPage(filter: InstanceFilter, cursor?: string, signal?: AbortSignal): Promise<InstancePage> {
    const { instances, next } = await aggregatedPage(filterFrom(filter), cursor, signal)
    const found = instances.filter((instance) => instance.region === region && matches(instance, filter))
    return { instances: found, ...(next && { next }) }
  }

  /** One page of what the whole project has. */
  async function aggregatedPage(filter: string | undefined, cursor: string | undefined, signal?: AbortSignal) {
    const query = { filter, maxResults: String(pageSize), pageToken: cursor }
    const answer = await rest.call<GceAggregatedList<'instances', GceInstance>>(
      { action: 'instances.aggregatedList', method: 'GET', path: '/aggregated/instances', query },
      signal,
    )
    const scopes = Object.entries(answer.items ?? {})
    const unreachable = scopes.find(([, { warning }]) => warning?.code === 'UNREACHABLE')
    if (unreachable) {
      throw new CloudError(`Google cannot say what is in ${unreachable[0]}: ${unreachable[1].warning?.message ?? ''}`, {
        class: 'transient',
        code: 'UNREACHABLE',
        action: 'instances.aggregatedList',
      })
    }
    const instances = scopes.flatMap(([, { instances = [] }]) => instances).map(instanceFrom)
    return { instances: await note(instances, signal), next: answer.nextPageToken }
  }

  async function zoneOf(id: string, signal?: AbortSignal): Promise<string | undefined> {
    signal?.throwIfAborted()
    if (!isInstanceId(id)) return undefined
    const own = await project(signal)
    const remembered = zoneOfInstance.get(`${own}/${id}`)
    if (remembered) return remembered
    let next: string | undefined
    do {
      const page = await aggregatedPage(idFilter('id', id), next, signal)
      const found = page.instances.find((instance) => instance.id === id)
      if (found) return found.zone
      next = page.next
    } while (next)
    return undefined
  }

  async function described(id: string, signal?: AbortSignal): Promise<GceInstance | undefined> {
    const zone = await zoneOf(id, signal)
    if (zone === undefined || !zone.startsWith(`${region}-`)) return undefined
    const path = `/zones/${zone}/instances/${id}`
    return unlessNotFound(rest.call<GceInstance>({ action: 'instances.get', method: 'GET', path }, signal))
  }

  /** What is called that; it cannot be told of two. */
  async function named(text: string, signal?: AbortSignal): Promise<Instance | undefined> {
    const wanted = namedInstance(text)
    if (!wanted || (wanted.project ?? (await project(signal))) !== (await project(signal))) return undefined
    const found: Instance[] = []
    const filter = isInstanceId(wanted.name) ? idFilter('id', wanted.name) : nameFilter(wanted.name)
    for (let next: string | undefined, isFirst = true; isFirst || next; isFirst = false) {
      const page = await aggregatedPage(filter, next, signal)
      found.push(...page.instances.filter((one) => one.region === region && (wanted.zone ?? one.zone) === one.zone))
      next = page.next
    }
    if (found.length > 1) throw ambiguous(wanted.name, found)
    return found[0]
  }

  async function get(id: string, signal?: AbortSignal): Promise<Instance | undefined> {
    if (!isInstanceId(id)) return named(id, signal)
    const found = await described(id, signal)
    if (found) return instanceFrom(found)
    const end = await unlessNotFound(endOf(rest, id, signal))
    if (!end) return undefined
    const { operation, words, launchFailure } = end
    const gone = goneInstance(operation, words)
    return gone.region === region ? { ...gone, ...(launchFailure && { launchFailure }) } : undefined
  }

  return { listPage, described, get, zoneOf, note }
}

function ambiguous(name: string, found: readonly Instance[]): CloudError {
  const [first] = found
  return new CloudError(`There is a ${name} in ${found.map(({ zone }) => zone).join(' and in ')}.`, {
    class: 'invalid',
    code: 'AmbiguousName',
    action: 'instances.aggregatedList',
    remedy: `Name the zone as well, such as ${first?.zone}/${name}, or the id.`,
  })
}

async function unlessNotFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isCloudError(error) && error.class === 'notFound') return undefined
    throw error
  }
}
