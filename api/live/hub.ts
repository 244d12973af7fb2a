/**
 * One informer, thousands of listeners: each change is serialised once and told to those who may see it.
 *
 * Guarantees:
 * - a listener is told the state of every object it may see, and every change of it, in order; where it was cut off, it goes
 *   on from its `Last-Event-ID` on any replica, or is told everything anew after `reset`;
 * - what a listener may see is asked again whenever `recheck` is called, and nothing is told that the answer does not cover;
 * - an id names the resource version and the set of workspaces seen, so that a change of membership missed while away
 *   cannot be skipped;
 * - a listener ends when its token expires, its reader stalls, what it may see can no longer be known, or the hub closes.
 *
 * Costs: a change costs its namespace's listeners, not all; one timer serves all listeners.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../../kube/clock.ts'
import type { KubeObject } from '../../kube/resource.ts'
import type { Change } from '../../kube/store.ts'
import type { ChangeLog } from './change-log.ts'
import { eventBytes, type Sink } from './event-stream.ts'
import { type Listener, listener } from './listener.ts'

/** Namespaces by name, each with the id of the workspace that it belongs to. */
export type Scope = ReadonlyMap<string, string>

/** Why a listener is ended by us; a stalled reader is told nothing. */
export type Ending = 'expired' | 'revoked' | 'notFound' | 'stale' | 'draining' | 'stalled'

export interface Watcher {
  /** The User object's name. */
  readonly user: string
  readonly session: { readonly name: string; readonly groups: readonly string[] }
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** Cheap: called for each affected listener whenever memberships change. */
  scope(): Scope | Ending
  /** JSON text for the last event. */
  words(ending: Ending): string
}

export interface LiveOptions<T extends KubeObject> {
  readonly log: ChangeLog<T>
  readonly objects: { byUid(uid: string): T | undefined; list(namespace?: string): readonly T[] }
  /** JSON text of an object, as its own route answers it; absent for one that is not to be shown. */
  readonly present: (object: T, workspaceId: string) => string | undefined
  /** Whether the sessions and memberships in memory are too old to rely on. */
  readonly isStale: () => boolean
  readonly clock: Clock
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly heartbeatMs?: number
  /** How long a reader may have no room at all before it is dropped. */
  readonly stallMs?: number
  readonly maxListeners?: number
  readonly maxListenersPerUser?: number
}

export interface OpenOptions {
  readonly watcher: Watcher
  readonly sink: Sink
  readonly lastEventId?: string | undefined
}

export interface LiveListener {
  /** The reader has room again. */
  resume(): void
  /** The reader went away. */
  close(): void
}

export interface LiveHub {
  /** Whether there is room for another listener, of this user and at all. */
  room(user: string): 'free' | 'userFull' | 'full'
  /** Ends at once when the watcher may see nothing, so ask it first. */
  open(options: OpenOptions): LiveListener
  /** What these watchers may see may have changed. */
  recheck(affects: (watcher: Watcher) => boolean): void
  readonly size: number
  /** Ends every listener, and the hub. */
  close(): void
}

const TICK_MS = 1_000
/** The resource version and the digest of the workspaces. */
const idForm = /^([1-9]\d{0,29})\.([0-9a-f]{16})$/

interface Open {
  readonly watcher: Watcher
  readonly told: Listener
  scope: Scope
  digest: string
}

export function liveHub<T extends KubeObject>(options: LiveOptions<T>): LiveHub {
  const { log, objects, present, isStale, clock, now } = options
  const { heartbeatMs = 15_000, stallMs = 30_000, maxListeners = 20_000, maxListenersPerUser = 100 } = options
  const open = new Set<Open>()
  const byNamespace = new Map<string, Set<Open>>()
  const byUser = new Map<string, number>()
  const serialised = new WeakMap<T, { readonly workspaceId: string; readonly bytes: Uint8Array }>()

  function encode(one: Open, uid: string): Uint8Array | undefined {
    const object = objects.byUid(uid)
    const workspaceId = object && one.scope.get(object.metadata.namespace ?? '')
    if (!object || workspaceId === undefined) return undefined
    const known = serialised.get(object)
    if (known?.workspaceId === workspaceId) return known.bytes
    const json = present(object, workspaceId)
    if (json === undefined) return undefined
    const bytes = eventBytes('vm', json)
    serialised.set(object, { workspaceId, bytes })
    return bytes
  }

  function subscribe(one: Open, namespace: string): void {
    const listeners = byNamespace.get(namespace)
    if (listeners) listeners.add(one)
    else byNamespace.set(namespace, new Set([one]))
  }

  function unsubscribe(one: Open, namespace: string): void {
    const listeners = byNamespace.get(namespace)
    if (listeners?.delete(one) && listeners.size === 0) byNamespace.delete(namespace)
  }

  function forget(one: Open): void {
    if (!open.delete(one)) return
    for (const namespace of one.scope.keys()) unsubscribe(one, namespace)
    const rest = (byUser.get(one.watcher.user) ?? 1) - 1
    if (rest > 0) byUser.set(one.watcher.user, rest)
    else byUser.delete(one.watcher.user)
  }

  function end(one: Open, ending: Ending): void {
    forget(one)
    one.told.end(ending === 'stalled' ? undefined : eventBytes('end', one.watcher.words(ending)))
  }

  /** The state a listener begins with: what it missed, or everything. */
  function begin(one: Open, lastEventId: string | undefined): void {
    const [, position, digest] = idForm.exec(lastEventId ?? '') ?? []
    const missed = position !== undefined && digest === one.digest ? log.since(position, one.scope.keys()) : undefined
    if (!missed) {
      one.told.reset(uidsIn(one.scope.keys()))
      return
    }
    for (const change of missed) {
      const workspaceId = one.scope.get(change.namespace) ?? ''
      one.told.mark(change.uid, objects.byUid(change.uid) ? undefined : deletedEvent(change, workspaceId))
    }
  }

  function* uidsIn(namespaces: Iterable<string>): Generator<string> {
    for (const namespace of namespaces) for (const object of objects.list(namespace)) yield object.metadata.uid
  }

  function advance(changes: readonly Change<T>[]): void {
    const touched = new Set<Open>()
    for (const { type, object } of changes) {
      const { namespace = '', name, uid } = object.metadata
      const listeners = byNamespace.get(namespace)
      if (!listeners) continue
      let tombstone: { workspaceId: string; bytes: Uint8Array } | undefined
      for (const one of listeners) {
        const workspaceId = one.scope.get(namespace) ?? ''
        if (type === 'delete' && tombstone?.workspaceId !== workspaceId) {
          tombstone = { workspaceId, bytes: deletedEvent({ uid, name }, workspaceId) }
        }
        one.told.mark(uid, tombstone?.bytes)
        touched.add(one)
      }
    }
    for (const one of touched) one.told.flush()
  }

  function rescope(one: Open): void {
    const scope = one.watcher.scope()
    if (typeof scope === 'string') {
      end(one, scope)
      return
    }
    const before = one.scope
    one.scope = scope
    one.digest = digestOf(scope)
    for (const [namespace, workspaceId] of before) {
      if (scope.get(namespace) === workspaceId) continue
      unsubscribe(one, namespace)
      one.told.notice(workspaceId, eventBytes('workspace_removed', JSON.stringify({ workspace_id: workspaceId })))
    }
    for (const [namespace, workspaceId] of scope) {
      if (before.get(namespace) === workspaceId) continue
      subscribe(one, namespace)
      for (const uid of uidsIn([namespace])) one.told.mark(uid)
    }
    one.told.flush()
  }

  function tick(): void {
    const time = clock.now()
    const epoch = now()
    const stale = isStale()
    for (const one of [...open]) {
      const { blockedSince, wroteAt } = one.told
      if (epoch >= one.watcher.expiresAt) end(one, 'expired')
      else if (stale) end(one, 'stale')
      else if (blockedSince !== undefined && time - blockedSince >= stallMs) end(one, 'stalled')
      else if (time - wroteAt >= heartbeatMs) one.told.heartbeat()
    }
    cancelTick = clock.after(TICK_MS, tick)
  }

  const stopListening = log.onAdvance(advance)
  let cancelTick = clock.after(TICK_MS, tick)

  return {
    room(user) {
      if (open.size >= maxListeners) return 'full'
      return (byUser.get(user) ?? 0) >= maxListenersPerUser ? 'userFull' : 'free'
    },
    open({ watcher, sink, lastEventId }) {
      const scope = watcher.scope()
      const one: Open = {
        watcher,
        scope: typeof scope === 'string' ? new Map() : scope,
        digest: typeof scope === 'string' ? '' : digestOf(scope),
        told: listener({
          sink,
          now: () => clock.now(),
          encode: (uid) => encode(one, uid),
          id: () => (log.position === undefined ? undefined : `${log.position}.${one.digest}`),
        }),
      }
      open.add(one)
      byUser.set(watcher.user, (byUser.get(watcher.user) ?? 0) + 1)
      if (typeof scope === 'string') {
        end(one, scope)
      } else {
        for (const namespace of scope.keys()) subscribe(one, namespace)
        begin(one, lastEventId)
        one.told.flush()
      }
      return { resume: () => one.told.flush(), close: () => forget(one) }
    },
    recheck(affects) {
      for (const one of [...open]) if (affects(one.watcher)) rescope(one)
    },
    get size() {
      return open.size
    },
    close() {
      stopListening()
      cancelTick()
      for (const one of [...open]) end(one, 'draining')
    },
  }
}

/** The resource version that a `Last-Event-ID` of ours names. */
export function positionOf(lastEventId: string | undefined): string | undefined {
  return idForm.exec(lastEventId ?? '')?.[1]
}

function deletedEvent({ uid, name }: { readonly uid: string; readonly name: string }, workspaceId: string): Uint8Array {
  return eventBytes('vm_deleted', JSON.stringify({ id: uid, workspace_id: workspaceId, name }))
}

/** Short, because it is in every id; of two sets of workspaces, two digests. */
function digestOf(scope: Scope): string {
  const hash = createHash('sha256')
  for (const id of [...scope.values()].sort()) hash.update(id).update('\n')
  return hash.digest('hex').slice(0, 16)
}
