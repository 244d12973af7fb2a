/**
 * Long-running operations, followed to their end: whatever Compute Engine is asked to change, it answers with one, and whether
 * the change took place is said by the operation alone.
 *
 * @see https://cloud.google.com/compute/docs/api/how-tos/api-requests-responses#handling_api_responses
 */
import type { LaunchFailure } from '../cloud.ts'
import { isCloudError } from '../cloud-error.ts'
import { type GceAggregatedList, type GceOperation, nameIn } from './compute-types.ts'
import { operationFailure } from './gcp-error.ts'
import { idFilter } from './instances.ts'
import type { ComputeRest } from './rest.ts'

export interface Following {
  /** As Google names what began it, for the error. */
  readonly action: string
  /** For how long to wait. */
  readonly withinMs: number
}

/** An answer of `wait` that says nothing new is not asked for again at once. */
const PAUSE_MS = 500

/**
 * Gives the operation as it was last seen: done, or still under way when the time was up. Throws what it failed with. What
 * happens to our questions says nothing about the operation, so that a failed one is asked again.
 */
export async function followed(
  rest: ComputeRest,
  begun: GceOperation,
  { action, withinMs }: Following,
  signal?: AbortSignal,
): Promise<GceOperation> {
  const { now, sleep } = rest.outside
  const deadline = now() + withinMs
  let operation = begun
  for (;;) {
    if (operation.status === 'DONE') {
      if (operation.error?.errors?.length || (operation.httpErrorStatusCode ?? 0) >= 400) {
        throw operationFailure(operation, action)
      }
      return operation
    }
    const askedAt = now()
    if (askedAt >= deadline) return operation
    operation = (await waited(rest, operation, deadline - askedAt, signal)) ?? operation
    const restMs = Math.min(askedAt + PAUSE_MS, deadline) - now()
    if (operation.status !== 'DONE' && restMs > 0) await sleep(restMs, signal)
  }
}

/** `undefined` when there was no answer. */
async function waited(
  rest: ComputeRest,
  { name = '', zone }: GceOperation,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<GceOperation | undefined> {
  const path = `/zones/${nameIn(zone)}/operations/${encodeURIComponent(name)}/wait`
  try {
    return await rest.call<GceOperation>({ action: 'zoneOperations.wait', method: 'POST', path, timeoutMs }, signal)
  } catch (error) {
    if (isCloudError(error)) return undefined
    throw error
  }
}

/** What ended an instance that is not there any more. */
export interface End {
  readonly operation: GceOperation
  readonly words: string
  /** It never ran. */
  readonly launchFailure?: LaunchFailure
}

/** `undefined` when no operation says how it ended. */
export async function endOf(rest: ComputeRest, instanceId: string, signal?: AbortSignal): Promise<End | undefined> {
  const query = { filter: idFilter('targetId', instanceId), maxResults: '100' }
  const path = '/aggregated/operations'
  const { items = {} } = await rest.call<GceAggregatedList<'operations', GceOperation>>(
    { action: 'globalOperations.aggregatedList', method: 'GET', path, query },
    signal,
  )
  const operations = Object.values(items)
    .flatMap(({ operations = [] }) => operations)
    .filter(({ targetId, status }) => targetId === instanceId && status === 'DONE')
  for (const operation of operations.sort(latestFirst)) {
    const end = endIn(operation)
    if (end) return { operation, ...end }
  }
  return undefined
}

function endIn(operation: GceOperation): Omit<End, 'operation'> | undefined {
  const { operationType, user, error } = operation
  if (error?.errors?.length) {
    if (operationType !== 'insert') return undefined
    const { class: errorClass, message, remedy } = operationFailure(operation, 'instances.insert')
    return { words: `it could not be launched: ${message}`, launchFailure: { class: errorClass, message, remedy } }
  }
  if (operationType === 'compute.instances.preempted') return { words: 'Google took the Spot instance back' }
  return operationType === 'delete' ? { words: `it was deleted${user ? ` by ${user}` : ''}` } : undefined
}

function latestFirst(one: GceOperation, other: GceOperation): number {
  return Date.parse(other.endTime ?? '') - Date.parse(one.endTime ?? '')
}
