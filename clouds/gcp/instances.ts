/** Compute Engine's description of an instance and its filters, in the words of `cloud.ts`. */
import type { Instance, InstanceFilter, InstanceState } from '../cloud.ts'
import { type GceInstance, type GceOperation, nameIn } from './compute-types.ts'
import { searchLabel, tagsFrom } from './labels.ts'
import { instanceName } from './names.ts'

/** Metadata by which an instance says what it was made for; what is in it cannot be searched, but survives its labels. */
export const metadataKeys = { token: 'skyclust-token', image: 'skyclust-image' } as const

/** @see https://cloud.google.com/compute/docs/instances/instance-lifecycle */
const states: Readonly<Record<string, InstanceState>> = {
  PENDING: 'pending',
  PROVISIONING: 'pending',
  STAGING: 'pending',
  RUNNING: 'running',
  REPAIRING: 'pending',
  PENDING_STOP: 'stopping',
  STOPPING: 'stopping',
  SUSPENDING: 'stopping',
  DEPROVISIONING: 'stopping',
  SUSPENDED: 'stopped',
  STOPPED: 'stopped',
  TERMINATED: 'stopped',
}

export function instanceFrom(described: GceInstance): Instance {
  const zone = nameIn(described.zone)
  const [nic] = described.networkInterfaces ?? []
  const { scheduling } = described
  const isSpot = scheduling?.provisioningModel === 'SPOT' || scheduling?.preemptible === true
  return {
    id: described.id ?? '',
    ...(described.name && { name: described.name }),
    state: states[described.status ?? ''] ?? 'pending',
    stateReason: described.statusMessage ?? '',
    instanceType: nameIn(described.machineType),
    image: metadataIn(described, metadataKeys.image),
    region: regionOf(zone),
    zone,
    publicIP: nic?.accessConfigs?.[0]?.natIP ?? '',
    privateIP: nic?.networkIP ?? '',
    launchTime: wholeSeconds(described.lastStartTimestamp ?? described.creationTimestamp),
    tags: tagsFrom(described.labels ?? {}),
    token: metadataIn(described, metadataKeys.token),
    marketType: isSpot ? 'Spot' : 'OnDemand',
  }
}

/** What is left of an instance that is gone: that it was, and why it is not any more. */
export function goneInstance({ targetId = '', targetLink = '' }: GceOperation, stateReason: string): Instance {
  const zone = /\/zones\/([^/]+)\//.exec(targetLink)?.[1] ?? ''
  return {
    id: targetId,
    state: 'terminated',
    stateReason,
    instanceType: '',
    image: '',
    region: regionOf(zone),
    zone,
    publicIP: '',
    privateIP: '',
    launchTime: '',
    tags: {},
    token: '',
    marketType: 'OnDemand',
  }
}

/** A zone is its region, a hyphen and a letter. */
export function regionOf(zone: string): string {
  return zone.replace(/-[^-]*$/, '')
}

/**
 * A filter as AIP-160 writes it, which cannot be mixed with regular expressions, so that the region is not in it.
 * @see https://cloud.google.com/compute/docs/reference/rest/v1/instances/aggregatedList
 */
export function filterFrom(filter: InstanceFilter): string | undefined {
  switch (filter.kind) {
    case 'all':
      return undefined
    case 'tag':
      return anyOf(filter.values.map((value) => equal(...labelField(filter.key, value))))
    case 'token':
      return anyOf(filter.tokens.map((token) => equal('name', instanceName(token))))
  }
}

/** What an instance's id looks like; it becomes part of a path and of a filter. */
export function isInstanceId(id: string): boolean {
  return /^[1-9][0-9]{0,19}$/.test(id)
}

/** An instance as people name it: by name alone, or with the zone that it is in. */
export interface NamedInstance {
  readonly project?: string
  readonly zone?: string
  readonly name: string
}

/** `name`, `zone/name`, `[projects/<project>/]zones/<zone>/instances/<name>`, or the URL of it; `undefined` for anything else. */
export function namedInstance(text: string): NamedInstance | undefined {
  const link = text.replace(/^https?:\/\/[^/]+\/compute\/[a-z0-9]+\//, '')
  const {
    project,
    zone,
    name = '',
  } = /^(?:(?:(?:projects\/(?<project>[^/]+)\/)?zones\/)?(?<zone>[^/]+)\/(?:instances\/)?)?(?<name>[^/]+)$/.exec(link)
    ?.groups ?? {}
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) return undefined
  return { name, ...(project && { project }), ...(zone && { zone }) }
}

export function nameFilter(name: string): string {
  return equal('name', name)
}

export function idFilter(field: 'id' | 'targetId', id: string): string {
  return `${field} = ${id}`
}

/** Whether it is what was asked for: a label holds less than a tag, and a name less than a token. */
export function matches(instance: Instance, filter: InstanceFilter): boolean {
  switch (filter.kind) {
    case 'all':
      return true
    case 'tag':
      return filter.values.includes(instance.tags[filter.key] ?? '\0')
    case 'token':
      return filter.tokens.includes(instance.token)
  }
}

function labelField(key: string, value: string): [string, string] {
  const [label, text] = searchLabel(key, value)
  return [`labels.${label}`, text]
}

function equal(field: string, value: string): string {
  return `(${field} = "${value}")`
}

function anyOf(conditions: readonly string[]): string {
  return [...new Set(conditions)].join(' OR ')
}

function metadataIn({ metadata }: GceInstance, key: string): string {
  return metadata?.items?.find((item) => item.key === key)?.value ?? ''
}

/** Google writes `2026-01-01T00:00:00.123-08:00`. */
function wholeSeconds(timestamp: string | undefined): string {
  const at = Date.parse(timestamp ?? '')
  return Number.isNaN(at) ? '' : new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}
