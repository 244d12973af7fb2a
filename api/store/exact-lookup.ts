/**
 * An object by its uid, exactly: "there is none" is said only when there is none.
 *
 * A cache lags a moment behind, and another replica may have answered 201 for an object that this one has not heard of.
 * An id that the cache does not show is therefore looked for in a fresh list (metadata only, which the API
 * server answers as of now), and if it is there, the cache is waited for. That costs the API server something, so:
 * - ids that were asked for at the same time share one list;
 * - lists take at most a tenth of the time, however many ids are asked for;
 * - an id that was seen to be deleted, or to be unknown, never exists again (nobody can choose a uid): it is remembered and
 *   costs nothing the next time.
 */
import type { Cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import { errorFromAnswer } from '../../kube/kube-error.ts'
import { collectionPath, type KubeObject, type ResourceType } from '../../kube/resource.ts'
import { ApiError } from '../http/api-error.ts'
import { refused } from '../language/messages.ts'
import { recentSet } from './recent-set.ts'

/** What the cache shows, or `undefined` once it is certain that there is none. */
export type ExactLookup<T> = (uid: string, signal?: AbortSignal) => T | Promise<T | undefined>

/** A UUID as Kubernetes writes it; RFC 9562 §4 has whoever reads one take either case. */
export function canonicalId(id: string): string {
  return id.toLowerCase()
}

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
/** A list rests nine times as long as it took. */
const REST = 9
const CACHE_WAIT_MS = 5_000
const REMEMBERED = 50_000

export function exactLookup<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  cache: Cache<T>,
): ExactLookup<T> {
  const gone = recentSet(REMEMBERED)
  cache.onChange((change) => {
    if (change.type === 'delete') gone.add(change.object.metadata.uid)
  })
  const uidsInCluster = sharedReading(() => listUids(client, type))

  async function confirm(uid: string, signal: AbortSignal | undefined): Promise<T | undefined> {
    if ((await uidsInCluster()).includes(`"uid":"${uid}"`)) {
      await appears(cache, uid, gone.has, signal)
    } else if (cache.byUid(uid) === undefined) {
      gone.add(uid)
    }
    return cache.byUid(uid)
  }

  return (given, signal) => {
    const uid = canonicalId(given)
    const shown = cache.byUid(uid)
    if (shown !== undefined) return shown
    return uuidForm.test(uid) && !gone.has(uid) ? confirm(uid, signal) : Promise.resolve(undefined)
  }
}

/** As text: it is only searched, and parsing megabytes would hold up everybody else. */
async function listUids(client: KubeClient, type: ResourceType): Promise<string> {
  const path = collectionPath(type)
  const answer = await client.raw(path, { headers: { accept: METADATA_LIST } })
  if (answer.status !== 200) throw errorFromAnswer(answer.status, answer.body, undefined, `GET ${path}`)
  return answer.body
}

/**
 * The uid is in the cluster's list. It may be that of an owner, or of something that is gone by now, so that the cache
 * never shows it: then the wait ends with whatever the cache says, provided that it is listening.
 */
async function appears<T extends KubeObject>(
  cache: Cache<T>,
  uid: string,
  isGone: (uid: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const off = cache.onChange((change) => {
    if (change.object.metadata.uid === uid) resolve()
  })
  const timer = setTimeout(resolve, CACHE_WAIT_MS)
  signal?.addEventListener('abort', () => resolve(), { once: true })
  try {
    if (cache.byUid(uid) === undefined && !isGone(uid)) await promise
  } finally {
    clearTimeout(timer)
    off()
  }
  signal?.throwIfAborted()
  if (cache.byUid(uid) === undefined && !cache.freshness().connected) {
    throw new ApiError('SERVICE_UNAVAILABLE', refused.stale, { retryAfterSeconds: 2 })
  }
}

/**
 * Readings that begin after they were asked for, and are shared by all who asked before they began. Between two of them
 * is a rest in proportion to how long the last one took.
 */
export function sharedReading<R>(read: () => Promise<R>): () => Promise<R> {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<R> | undefined
  let restUntil = 0

  async function readInTurn(): Promise<R> {
    await running.catch(() => undefined) // whoever asked for that one is told
    const restMs = restUntil - performance.now()
    if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
    next = undefined // from here on it is too late to join
    const startedAt = performance.now()
    const reading = read()
    running = reading
    try {
      return await reading
    } finally {
      const endedAt = performance.now()
      restUntil = endedAt + REST * (endedAt - startedAt)
    }
  }

  return () => {
    next ??= readInTurn()
    return next
  }
}
