/** Which call is meant by a method and a path, as Google's published protos bind them. */
import type { GceInstance, GceOperation } from '../../clouds/gcp/compute-types.ts'
import { PROJECT } from './accounts.ts'
import { filterMatcher } from './filter.ts'
import { type GceProjectState, REGIONS, zoneOf } from './project.ts'
import { GceRefusal, invalidField, notFound } from './refusal.ts'

export interface RouteCall {
  readonly user: string
  readonly parts: readonly string[]
  readonly query: URLSearchParams
  readonly body: unknown
  readonly signal: AbortSignal
}

export interface Route {
  /** As Google names it. */
  readonly action: string
  /** The published message that the answer is. */
  readonly message: string
  readonly answer: (project: GceProjectState, call: RouteCall) => unknown
}

const routes: readonly (Route & { readonly method: string; readonly path: RegExp })[] = [
  {
    action: 'projects.get',
    message: 'Project',
    method: 'GET',
    path: /^$/,
    answer: () => ({ kind: 'compute#project', id: '1234567890', name: PROJECT }),
  },
  {
    action: 'regions.list',
    message: 'RegionList',
    method: 'GET',
    path: /^\/regions$/,
    answer: (project) => ({ kind: 'compute#regionList', items: project.regions.map(region) }),
  },
  {
    action: 'regions.get',
    message: 'Region',
    method: 'GET',
    path: /^\/regions\/([^/]+)$/,
    answer(project, { parts: [name = ''] }) {
      if (!project.regions.includes(name)) throw notFound(`projects/${PROJECT}/regions/${name}`)
      return region(name)
    },
  },
  {
    action: 'instances.aggregatedList',
    message: 'InstanceAggregatedList',
    method: 'GET',
    path: /^\/aggregated\/instances$/,
    answer: (project, { query }) => aggregated<GceInstance>('instances', project, project.listed(), query),
  },
  {
    action: 'globalOperations.aggregatedList',
    message: 'OperationAggregatedList',
    method: 'GET',
    path: /^\/aggregated\/operations$/,
    answer: (project, { query }) => aggregated<GceOperation>('operations', project, project.operations.list(), query),
  },
  {
    action: 'zoneOperations.get',
    message: 'Operation',
    method: 'GET',
    path: /^\/zones\/([^/]+)\/operations\/([^/]+)$/,
    answer: (project, { parts: [zone = '', name = ''] }) => project.operations.get(zone, name),
  },
  {
    action: 'zoneOperations.wait',
    message: 'Operation',
    method: 'POST',
    path: /^\/zones\/([^/]+)\/operations\/([^/]+)\/wait$/,
    answer: (project, { parts: [zone = '', name = ''], signal }) => project.operations.wait(zone, name, signal),
  },
  {
    action: 'instances.insert',
    message: 'Operation',
    method: 'POST',
    path: /^\/zones\/([^/]+)\/instances$/,
    answer: (project, call) => project.insert(zonal(call), call.body),
  },
  {
    action: 'instances.get',
    message: 'Instance',
    method: 'GET',
    path: /^\/zones\/([^/]+)\/instances\/([^/]+)$/,
    answer: (project, { parts: [zone = '', key = ''] }) => project.find(zone, key),
  },
  {
    action: 'instances.delete',
    message: 'Operation',
    method: 'DELETE',
    path: /^\/zones\/([^/]+)\/instances\/([^/]+)$/,
    answer: (project, call) => project.delete(zonal(call), keyOf(call)),
  },
  ...(['start', 'resume'] as const).map((verb) => ({
    action: `instances.${verb}`,
    message: 'Operation',
    method: 'POST',
    path: new RegExp(`^/zones/([^/]+)/instances/([^/]+)/${verb}$`),
    answer: (project: GceProjectState, call: RouteCall) => project.start(zonal(call), keyOf(call), verb),
  })),
  {
    action: 'instances.stop',
    message: 'Operation',
    method: 'POST',
    path: /^\/zones\/([^/]+)\/instances\/([^/]+)\/stop$/,
    answer: (project, call) => project.stop(zonal(call), keyOf(call)),
  },
  {
    action: 'instances.setLabels',
    message: 'Operation',
    method: 'POST',
    path: /^\/zones\/([^/]+)\/instances\/([^/]+)\/setLabels$/,
    answer: (project, call) => project.setLabels(zonal(call), keyOf(call), call.body),
  },
  {
    action: 'instances.setMachineType',
    message: 'Operation',
    method: 'POST',
    path: /^\/zones\/([^/]+)\/instances\/([^/]+)\/setMachineType$/,
    answer: (project, call) => project.setMachineType(zonal(call), keyOf(call), call.body),
  },
]

/** Of the calls that the server counts. */
export function isMutation(action: string): boolean {
  return routes.some((route) => route.action === action && route.method !== 'GET' && !action.endsWith('.wait'))
}

/** @param path below the project */
export function routeOf(method: string, path: string): { readonly route: Route; readonly parts: readonly string[] } {
  for (const route of routes) {
    const found = route.method === method ? route.path.exec(path) : null
    if (found) return { route, parts: found.slice(1).map(decodeURIComponent) }
  }
  throw new GceRefusal(404, 'notFound', `There is no ${method} ${path} here.`)
}

function zonal({ user, parts: [zone = ''], query }: RouteCall) {
  return { user, zone, requestId: query.get('requestId') ?? undefined }
}

function keyOf({ parts: [, key = ''] }: RouteCall): string {
  return key
}

function region(name: string) {
  const zones = (REGIONS[name] ?? []).map(
    (zone) => `https://www.googleapis.com/compute/v1/projects/${PROJECT}/zones/${zone}`,
  )
  return { kind: 'compute#region', name, status: 'UP', zones }
}

/** In the order of their names, a page of them, each in its scope; a scope without any says so. */
function aggregated<T>(
  key: 'instances' | 'operations',
  project: GceProjectState,
  all: readonly T[],
  query: URLSearchParams,
): unknown {
  const max = Number(query.get('maxResults') ?? 500)
  if (!Number.isInteger(max) || max < 0 || max > 500) {
    throw invalidField('maxResults', String(max), 'Must be less than or equal to 500')
  }
  const from = Number(query.get('pageToken') ?? 0)
  if (!Number.isInteger(from)) throw invalidField('pageToken', String(from), 'Invalid page token.')
  const filter = query.get('filter')
  const matching = filter ? all.filter(filterMatcher(filter)) : all
  const page = matching.slice(from, from + (max || 500))
  const byZone = Map.groupBy(page as readonly (T & { readonly zone: string })[], zoneOf)
  const items = project.zones.map((zone) => [
    `zones/${zone}`,
    project.isReachable(zone) ? scope(key, byZone.get(zone) ?? [], zone) : unreachable(zone),
  ])
  const isLast = from + page.length >= matching.length
  return { items: Object.fromEntries(items), ...(!isLast && { nextPageToken: String(from + page.length) }) }
}

function unreachable(zone: string): unknown {
  const message = `The scope 'zones/${zone}' is not reachable.`
  return { warning: { code: 'UNREACHABLE', message, data: [{ key: 'scope', value: `zones/${zone}` }] } }
}

function scope(key: string, resources: readonly unknown[], zone: string): unknown {
  if (resources.length > 0) return { [key]: resources }
  const message = `There are no results for scope 'zones/${zone}' on this page.`
  return { warning: { code: 'NO_RESULTS_ON_PAGE', message, data: [{ key: 'scope', value: `zones/${zone}` }] } }
}
