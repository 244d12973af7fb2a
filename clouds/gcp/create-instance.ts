/**
 * A create: one insert, under a name and a `requestId` that follow from the token, followed to its end. What is there
 * already under that name is ours only if it says so.
 */
import type { Instance, InstanceSpec } from '../cloud.ts'
import { CloudError, isCloudError } from '../cloud-error.ts'
import type { GceInstance, GceOperation } from './compute-types.ts'
import { insertInstanceBody, type Place } from './insert-instance.ts'
import { goneInstance, instanceFrom } from './instances.ts'
import { instanceName, requestId } from './names.ts'
import { followed } from './operations.ts'
import { isZoneName } from './regions.ts'
import type { ComputeRest } from './rest.ts'

const ACTION = 'instances.insert'
/** For want of room or quota an insert fails within seconds; one that takes longer is shown as pending meanwhile. */
const INSERT_WITHIN_MS = 15_000
/** Tags that say whose an instance is. */
const OWN_TAG = 'skyclust.io/'

export async function createInstance(
  rest: ComputeRest,
  spec: InstanceSpec,
  place: Place,
  signal?: AbortSignal,
): Promise<Instance> {
  const { zone, region } = place
  if (!isZoneName(zone) || !zone.startsWith(`${region}-`)) throw notAZone(zone, region)
  const body = insertInstanceBody(spec, place)
  const path = `/zones/${zone}/instances`
  const query = { requestId: requestId(spec.token, zone, spec.series ?? '') }
  let ended: GceOperation
  try {
    const begun = await rest.call<GceOperation>({ action: ACTION, method: 'POST', path, query, body }, signal)
    ended = await followed(rest, begun, { action: ACTION, withinMs: INSERT_WITHIN_MS }, signal)
  } catch (error) {
    if (!isTaken(error)) throw asRefusal(error)
    const found = await byName(rest, spec, zone, signal)
    if (found) return found
    throw unanswered(`The name ${body.name} is taken in ${zone}, but nothing of that name is shown.`)
  }
  const made = await byName(rest, spec, zone, signal)
  if (made) return made
  if (ended.status === 'DONE') return goneInstance(ended, 'it was deleted right after its launch')
  throw unanswered(`The instance ${body.name} is being made and is not shown yet.`)
}

/** The one of that name, if it is ours. After the insert was accepted no failure of this read says that there is none. */
async function byName(
  rest: ComputeRest,
  spec: InstanceSpec,
  zone: string,
  signal?: AbortSignal,
): Promise<Instance | undefined> {
  const path = `/zones/${zone}/instances/${instanceName(spec.token)}`
  let described: GceInstance
  try {
    described = await rest.call<GceInstance>({ action: 'instances.get', method: 'GET', path }, signal)
  } catch (error) {
    if (!isCloudError(error)) throw error
    if (error.class === 'notFound') return undefined
    throw unanswered(error.message)
  }
  const instance = instanceFrom(described)
  if (!isOurs(instance, spec)) throw anothers(described, zone)
  return instance
}

/** Made with our token, and no tag of it says that it is another's. A tag that somebody took off is put back later. */
function isOurs({ token, tags }: Instance, spec: InstanceSpec): boolean {
  const own = Object.entries(spec.tags).filter(([key]) => key.startsWith(OWN_TAG))
  return token === spec.token && own.every(([key, value]) => tags[key] === undefined || tags[key] === value)
}

/** What the insert names and does not find is what the spec asks for. */
function asRefusal(error: unknown): unknown {
  if (!isCloudError(error) || error.class !== 'notFound') return error
  return new CloudError(error.message, { class: 'invalid', code: error.code, action: error.action })
}

function isTaken(error: unknown): boolean {
  return isCloudError(error) && /already.?exists|duplicate/i.test(error.code)
}

function anothers({ name, labels = {} }: GceInstance, zone: string): CloudError {
  const whose = labels['skyclust-vm-uid']
    ? `its label skyclust-vm-uid is ${labels['skyclust-vm-uid']}`
    : 'somebody else made it'
  return new CloudError(`The name ${name} is taken in ${zone} by an instance that is not this VM's: ${whose}.`, {
    class: 'invalid',
    code: 'alreadyExists',
    action: ACTION,
    remedy: 'Delete that instance, or make this VM anew.',
  })
}

function unanswered(message: string): CloudError {
  return new CloudError(message, { class: 'transient', action: ACTION, outcomeUnknown: true })
}

function notAZone(zone: string, region: string): CloudError {
  return new CloudError(`"${zone}" is not a zone of region ${region}; one is called "${region}-a".`, {
    class: 'invalid',
    code: 'InvalidZone',
    action: ACTION,
  })
}
