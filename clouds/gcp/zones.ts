/**
 * Which zone an instance is made in when its spec names none: Compute Engine does not choose by itself.
 *
 * Guarantees: the same one each time for a token, as long as the region has the same zones and none was refused. Whoever
 * creates writes the zone down before the create, and keeps to it until Google has said no: an instance's name
 * protects only within a zone.
 */
import { CloudError } from '../cloud-error.ts'
import { type GceRegion, nameIn } from './compute-types.ts'
import type { ZonesOfRegion } from './connections.ts'
import { spread } from './names.ts'
import type { ComputeRest } from './rest.ts'

export interface ZoneChooserOptions {
  readonly rest: ComputeRest
  readonly project: (signal?: AbortSignal) => Promise<string>
  readonly region: string
  readonly remembered: Map<string, ZonesOfRegion>
}

/** A region gets a new zone once in years. */
const REMEMBERED_MS = 3_600_000

export function zoneChooser({ rest, project, region, remembered }: ZoneChooserOptions) {
  const { now } = rest.outside
  async function zones(signal?: AbortSignal): Promise<readonly string[]> {
    const key = `${await project(signal)}/${region}`
    const known = remembered.get(key)
    if (known && now() - known.readAt < REMEMBERED_MS) return known.names
    const path = `/regions/${region}`
    const answer = await rest.call<GceRegion>({ action: 'regions.get', method: 'GET', path }, signal)
    const names = (answer.zones ?? []).map(nameIn).sort()
    if (names.length === 0) throw noZones(region)
    remembered.set(key, { names, readAt: now() })
    return names
  }

  return async function chooseZone(
    token: string,
    refused: readonly string[],
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const all = await zones(signal)
    const first = spread(token, all.length)
    return [...all.slice(first), ...all.slice(0, first)].find((zone) => !refused.includes(zone))
  }
}

function noZones(region: string): CloudError {
  return new CloudError(`Google shows no zone of region ${region}.`, {
    class: 'invalid',
    code: 'NoZones',
    action: 'regions.get',
  })
}
