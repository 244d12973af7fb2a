/**
 * Compute Engine's REST API: one call of ours is one request, with a deadline and no retry.
 *
 * Google's own client for Node, `@google-cloud/compute`, is not what calls. Its transport keeps nothing of a refusal but a gRPC
 * number, so that "too fast" and "not allowed" (both 403) are one; it has no way to give up a call and no path in its
 * endpoint; and it takes 2 s and 280 MiB to load. The tests let it talk to the server that they run against.
 */
import type { BodyInit } from 'undici'
import { isCloudError } from '../cloud-error.ts'
import { unlessAborted } from '../unless-aborted.ts'
import type { GcpConnections, GcpOutside } from './connections.ts'
import { noAnswer, refusal } from './gcp-error.ts'
import type { GcpIdentity } from './identity.ts'

export interface ComputeRequest {
  /** As Google names it: `instances.insert`. */
  readonly action: string
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Below the project: `/zones/us-central1-a/instances`. Whoever puts it together answers for its parts. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly body?: unknown
  /** How long it may take from its beginning to the last byte of its answer, where it is another time than usual. */
  readonly timeoutMs?: number
}

export interface ComputeRest {
  readonly outside: GcpOutside
  /** Throws a `CloudError`, or the reason of the signal. */
  call<T>(request: ComputeRequest, signal?: AbortSignal): Promise<T>
}

export interface ComputeRestOptions {
  readonly identity: GcpIdentity
  readonly project: (signal?: AbortSignal) => Promise<string>
  readonly connections: GcpConnections
  readonly timeoutMs: number
}

export function computeRest({ identity, project, connections, timeoutMs }: ComputeRestOptions): ComputeRest {
  const { endpoint, outside } = connections

  async function send(request: ComputeRequest, signal: AbortSignal): Promise<unknown> {
    const [projectID, authorization] = await Promise.all([project(signal), identity.authorization(signal)])
    const { action, method, path, body } = request
    const failed = { action, mutation: method !== 'GET' && action !== 'zoneOperations.wait' }
    try {
      const answer = await outside.fetch(`${endpoint.root}/projects/${projectID}${path}${queryOf(request)}`, {
        method,
        headers: { authorization, accept: 'application/json', ...(body !== undefined && jsonType) },
        signal,
        ...(body !== undefined && { body: JSON.stringify(body) satisfies BodyInit }),
      })
      const text = await answer.text()
      const answered = parsed(text)
      if (answer.status === 401) identity.forget()
      if (!answer.ok || answered === undefined) throw refusal(answer.status, answered, failed)
      return answered
    } catch (error) {
      throw isCloudError(error) ? error : noAnswer(error, failed)
    }
  }

  return {
    outside,
    async call<T>(request: ComputeRequest, signal?: AbortSignal): Promise<T> {
      signal?.throwIfAborted()
      const ms = request.timeoutMs ?? timeoutMs
      const tooLate = new AbortController()
      const finished = new AbortController()
      outside.sleep(ms, finished.signal).then(
        () => tooLate.abort(new Error(`none within ${ms} ms`)),
        () => undefined, // it was answered
      )
      const either = signal ? AbortSignal.any([signal, tooLate.signal]) : tooLate.signal
      try {
        return (await unlessAborted(send(request, either), either)) as T
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        if (!tooLate.signal.aborted) throw error
        throw noAnswer(tooLate.signal.reason, { action: request.action, mutation: request.method !== 'GET' })
      } finally {
        finished.abort()
      }
    },
  }
}

const jsonType = { 'content-type': 'application/json' }

function queryOf({ query = {} }: ComputeRequest): string {
  const given = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value !== undefined) given.set(key, value)
  return given.size === 0 ? '' : `?${given}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
