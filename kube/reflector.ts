/**
 * Follows one selection of objects: lists it in pages, watches it from there, and goes on for as long as its signal
 * lets it, whatever the server does meanwhile. It is a state machine, kube-rs's watcher being the model, and tells its
 * consumer one small union of events.
 *
 *     listing ────────all pages────────▶ watching ◀──┐ closed by the server: again from the last version seen
 *      ▲   │                              │      └───┘
 *      │   └──failed──▶ interrupted ◀─────┴── cut, silent, refused, 410
 *      └─never listed, 410, silent again─┘  └──else──▶ watching
 *
 * Guarantees:
 * - between `init` and `ready` come all objects of the selection as `apply`: what the consumer holds and is not told
 *   there is gone. A second `init` without a `ready` between starts over. So a delete missed meanwhile is never lost;
 * - after `ready`, events come in the order of resource versions;
 * - a watch that was accepted twice and told nothing, not even a bookmark, until it was given up makes it list again: a
 *   server whose etcd was restored from a backup has never reached the version that we ask for, and stays silent;
 * - a failure is told as `interrupted` and never thrown. The next try waits 0.8 s, doubled up to 30 s, with jitter, and
 *   at least as long as the server asked; two minutes of healthy watching forget earlier failures (client-go's figures).
 *   A server that was gone and is back is tried within a few seconds (see `recovery.ts`), however long the outage was. What
 *   it says then, that its watch cache is not ready yet (429) or knows nothing of before (410), begins a backoff of its own;
 * - the generator ends when its signal is aborted, and by then its requests and timers are gone.
 *
 * What a watch is asked for, and when a silent one is given up: see `KubeClient.watch`.
 */
import { backoffMs } from './backoff.ts'
import type { KubeClient, Selection } from './client.ts'
import { type Clock, sleep, systemClock } from './clock.ts'
import { isGone, isKubeError, isThrottled, isTimeout, isUnavailable, KubeError } from './kube-error.ts'
import { listPages } from './pages.ts'
import type { KubeObject, ResourceType } from './resource.ts'

export type ReflectorEvent<T extends KubeObject = KubeObject> =
  /** Everything is told anew from here. */
  | { readonly type: 'init' }
  | { readonly type: 'apply'; readonly object: T }
  /** With the object's last state. */
  | { readonly type: 'delete'; readonly object: T }
  /** All of the selection, as it was at this version, has been told. */
  | { readonly type: 'ready'; readonly resourceVersion: string }
  /** A watch is open: from now on, silence means that nothing changes. */
  | { readonly type: 'watching' }
  /** Nothing more changed up to this version. */
  | { readonly type: 'bookmark'; readonly resourceVersion: string }
  /** The server was lost; it is tried again after `retryMs`, or sooner when it is back. */
  | { readonly type: 'interrupted'; readonly error: unknown; readonly retryMs: number }

export interface ReflectorOptions extends Selection {
  readonly signal: AbortSignal
  /** Objects in one LIST answer. */
  readonly pageSize?: number | undefined
  /** See `WatchOptions.livenessMs`. */
  readonly livenessMs?: number | undefined
  readonly clock?: Clock | undefined
  readonly random?: (() => number) | undefined
}

type State =
  | { readonly at: 'listing' }
  /** `silences`: how many watches from this version were accepted and then given up as silent. */
  | { readonly at: 'watching'; readonly resourceVersion: string; readonly silences: number }
  | { readonly at: 'interrupted'; readonly error: unknown; readonly next: State }

type Step<T extends KubeObject> = AsyncGenerator<ReflectorEvent<T>, State, undefined>

const BACKOFF = { baseMs: 800, maxMs: 30_000 }
const HEALTHY_MS = 120_000
/** Over this time those come back whom a recovery has woken. */
const SPREAD_MS = 1_000
/** A watch that ends sooner and told nothing counts as a failure, else both sides could spin. */
const SHORT_WATCH_MS = 1_000
const MAX_SILENCES = 2
const PAGE_SIZE = 500
const PAGE_TIMEOUT_MS = 60_000

export async function* reflect<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  options: ReflectorOptions,
): AsyncGenerator<ReflectorEvent<T>, void, undefined> {
  const { signal, namespace, labelSelector, fieldSelector, livenessMs } = options
  const { clock = systemClock, random = Math.random, pageSize = PAGE_SIZE } = options
  const selection = { namespace, labelSelector, fieldSelector }
  /** Since the last healthy watch, by their kind: how long a server was away says nothing of how long it needs to begin. */
  let failures: Partial<Record<FailureKind, number>> = {}

  async function* listing(): Step<T> {
    for (const limit of [pageSize, pageSize, undefined]) {
      try {
        return yield* listOnce(limit)
      } catch (error) {
        // The pages outlived their version. Twice is enough: then all at once, which cannot expire.
        if (limit === undefined || !isGone(error)) return { at: 'interrupted', error, next: { at: 'listing' } }
      }
    }
    throw new Error('unreachable')
  }

  async function* listOnce(limit: number | undefined): Step<T> {
    yield { type: 'init' }
    let resourceVersion = ''
    const paging = limit === undefined ? {} : { limit }
    for await (const page of listPages(client, type, { ...selection, ...paging, timeoutMs: PAGE_TIMEOUT_MS, signal })) {
      for (const object of page.items) yield { type: 'apply', object }
      resourceVersion = page.metadata.resourceVersion
    }
    yield { type: 'ready', resourceVersion }
    return { at: 'watching', resourceVersion, silences: 0 }
  }

  async function* watching(from: string, silencesBefore: number): Step<T> {
    const startedAt = clock.now()
    let resourceVersion = from
    let isOpen = false
    let isHeard = false
    let error: unknown
    try {
      for await (const event of client.watch(type, { ...selection, resourceVersion, livenessMs, signal })) {
        isHeard ||= isOpen
        isOpen = true
        if (event.type === 'OPENED') {
          yield { type: 'watching' }
        } else if (event.type === 'BOOKMARK') {
          resourceVersion = event.resourceVersion
          yield { type: 'bookmark', resourceVersion }
        } else {
          resourceVersion = event.object.metadata.resourceVersion
          yield { type: event.type === 'DELETED' ? 'delete' : 'apply', object: event.object }
        }
      }
    } catch (thrown) {
      error = thrown
    }
    const lastedMs = clock.now() - startedAt
    if (lastedMs >= HEALTHY_MS) failures = {}
    if (!error && lastedMs < SHORT_WATCH_MS && resourceVersion === from) error = closedAtOnce()
    const silences = isHeard ? 0 : silencesBefore + (isOpen && isTimeout(error) ? 1 : 0)
    const isLost = isGone(error) || silences === MAX_SILENCES
    const again: State = { at: 'watching', resourceVersion, silences }
    return error ? { at: 'interrupted', error, next: isLost ? { at: 'listing' } : again } : again
  }

  async function* interrupted(error: unknown, next: State): Step<T> {
    const kind = failureKind(error)
    const count = (failures[kind] ?? 0) + 1
    failures[kind] = count
    const asked = (isKubeError(error) && error.retryAfterMs) || 0
    const retryMs = Math.max(asked, backoffMs(count, { ...BACKOFF, random }))
    yield { type: 'interrupted', error, retryMs }
    await rest(retryMs, kind === 'unavailable' ? asked : undefined)
    return next
  }

  /** @param wakeAfterMs from when on a recovery of the server cuts the rest short; `undefined` for never */
  async function rest(retryMs: number, wakeAfterMs: number | undefined): Promise<void> {
    const enough = new AbortController()
    const either = AbortSignal.any([signal, enough.signal])
    const waits = [sleep(clock, retryMs, either)]
    if (wakeAfterMs !== undefined) waits.push(woken(wakeAfterMs, either))
    await Promise.race(waits).catch(() => undefined) // aborted: the loop below ends
    enough.abort()
  }

  async function woken(afterMs: number, until: AbortSignal): Promise<void> {
    await sleep(clock, afterMs, until)
    await client.recovered(until)
    await sleep(clock, SPREAD_MS * random(), until)
  }

  let state: State = { at: 'listing' }
  while (!signal.aborted) {
    switch (state.at) {
      case 'listing':
        state = yield* listing()
        break
      case 'watching':
        state = yield* watching(state.resourceVersion, state.silences)
        break
      case 'interrupted':
        state = yield* interrupted(state.error, state.next)
    }
  }
}

type FailureKind = 'unavailable' | 'gone' | 'throttled' | 'refused'

function failureKind(error: unknown): FailureKind {
  if (isGone(error)) return 'gone'
  if (isThrottled(error)) return 'throttled'
  return isUnavailable(error) ? 'unavailable' : 'refused'
}

function closedAtOnce(): KubeError {
  return new KubeError('the API server closed the watch at once', { status: 0, reason: 'ConnectionFailed' })
}
