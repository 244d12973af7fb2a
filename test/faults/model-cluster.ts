/**
 * A model of an API server for the fault campaign: what the real one promises about versions, generations, conflicts,
 * finalizers, status and watches, in memory and in virtual time. It is a model: the same campaign runs, by the dozen, on the real
 * one (`processes.test.ts`).
 *
 * Each client belongs to a process: what comes back reaches only the living, and its watches may be late or lose what happened.
 */
import type { KubeClient, List, ListOptions, WatchEvent, WatchOptions } from '../../kube/client.ts'
import { KubeError } from '../../kube/kube-error.ts'
import {
  type Draft,
  type KubeObject,
  keyOf,
  keyString,
  type ObjectKey,
  type ResourceType,
} from '../../kube/resource.ts'
import type { Chance } from './random.ts'
import type { SideEffect } from './side-effects.ts'
import type { Process, VirtualTime } from './virtual-time.ts'

export interface ModelCluster {
  client(process: Process, sideEffect: SideEffect): KubeClient
  /** As somebody with kubectl does it: no faults, no waiting. */
  readonly user: ModelUser
  /** Writes that changed something, but for Leases, Events and the users' own. */
  readonly writes: number
  readonly log: readonly string[]
}

export interface ModelUser {
  create<T extends KubeObject>(type: ResourceType<T>, draft: Draft<T>): T
  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): T | undefined
  list<T extends KubeObject>(type: ResourceType<T>): readonly T[]
  patch<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, body: unknown): T
  delete(type: ResourceType, key: ObjectKey): void
}

export interface WatchFaults {
  /** How late an event may come. */
  readonly maxDelayMs: number
  /** How likely a watch goes silent at an event, loses what follows and is closed as too old a while later. */
  readonly silence: number
}

interface Change {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
  readonly kind: string
}

export function modelCluster(time: VirtualTime, random: Chance, watchFaults: WatchFaults): ModelCluster {
  const objects = new Map<string, KubeObject>()
  const history: Change[] = []
  const listeners = new Set<() => void>()
  const log: string[] = []
  let version = 1000
  let uids = 0
  let writes = 0

  const idOf = (type: ResourceType, key: ObjectKey) => `${type.group}/${type.plural}/${keyString(key)}`
  const kindOf = (type: ResourceType) => `${type.group}/${type.plural}`

  function store(type: ResourceType, object: KubeObject, change: Change['type'], who: string): KubeObject {
    version++
    const stored = freeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(version) } })
    const id = idOf(type, keyOf(stored))
    if (change === 'DELETED') objects.delete(id)
    else objects.set(id, stored)
    history.push({ version, type: change, object: stored, kind: kindOf(type) })
    if (who !== 'user' && !uncounted.has(type.kind)) {
      writes++
      log.push(`${stamp(time.now())} ${who} ${change} ${type.kind} ${keyString(keyOf(stored))}`)
    }
    for (const listener of [...listeners]) listener()
    return stored
  }

  function existing(type: ResourceType, key: ObjectKey): KubeObject {
    const object = objects.get(idOf(type, key))
    if (!object) throw refusal(404, 'NotFound', `${type.plural} "${key.name}" not found`)
    return object
  }

  function create(type: ResourceType, draft: Draft<KubeObject>, who: string): KubeObject {
    const name = draft.metadata.name ?? `${draft.metadata.generateName}${version}`
    const key = draft.metadata.namespace ? { namespace: draft.metadata.namespace, name } : { name }
    if (objects.has(idOf(type, key))) throw refusal(409, 'AlreadyExists', `${type.plural} "${name}" already exists`)
    const { resourceVersion: _, ...metadata } = draft.metadata
    const object = {
      ...draft,
      apiVersion: `${type.group}/${type.version}`,
      kind: type.kind,
      metadata: {
        ...metadata,
        name,
        uid: `00000000-0000-4000-8000-${String(++uids).padStart(12, '0')}`,
        generation: 1,
        creationTimestamp: wholeSeconds(time.now()),
        resourceVersion: '',
      },
    }
    return store(type, object as KubeObject, 'ADDED', who)
  }

  function patch(
    type: ResourceType,
    key: ObjectKey,
    body: PatchBody,
    subresource: string | undefined,
    who: string,
  ): KubeObject {
    const before = existing(type, key)
    const { resourceVersion, uid, ...metadata } = body.metadata ?? {}
    if (uid !== undefined && uid !== before.metadata.uid) throw conflict(type, key)
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion) throw conflict(type, key)
    const { status, ...rest } = body
    const applied = subresource === 'status' ? { status } : { ...rest, metadata }
    const merged = merge(before, applied) as KubeObject & { spec?: unknown }
    if (JSON.stringify(merged) === JSON.stringify(before)) return before
    const specChanged = JSON.stringify(merged.spec) !== JSON.stringify((before as { spec?: unknown }).spec)
    const generation = (before.metadata.generation ?? 1) + (specChanged ? 1 : 0)
    const after = { ...merged, metadata: { ...merged.metadata, generation } }
    const isGone = after.metadata.deletionTimestamp !== undefined && !after.metadata.finalizers?.length
    return store(type, after, isGone ? 'DELETED' : 'MODIFIED', who)
  }

  function remove(type: ResourceType, key: ObjectKey, who: string): void {
    const object = existing(type, key)
    if (!object.metadata.finalizers?.length) return void store(type, object, 'DELETED', who)
    if (object.metadata.deletionTimestamp) return
    const { generation = 1 } = object.metadata
    const deletionTimestamp = wholeSeconds(time.now())
    const metadata = { ...object.metadata, deletionTimestamp, generation: generation + 1 }
    store(type, { ...object, metadata }, 'MODIFIED', who)
  }

  function list<T extends KubeObject>(type: ResourceType<T>, { namespace, labelSelector }: ListOptions = {}): List<T> {
    const items = [...objects.entries()]
      .filter(([id]) => id.startsWith(`${kindOf(type)}/`))
      .map(([, object]) => object as T)
      .filter((object) => !namespace || object.metadata.namespace === namespace)
      .filter((object) => !labelSelector || labelSelector in (object.metadata.labels ?? {}))
    return { metadata: { resourceVersion: String(version) }, items }
  }

  /** Events in order, each late; at bad luck none any more, and in the end 410. */
  async function* watch<T extends KubeObject>(
    process: Process,
    type: ResourceType<T>,
    { resourceVersion, signal, labelSelector }: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    let seen = Number(resourceVersion)
    while (!signal.aborted) {
      const change = history.find((one) => one.version > seen && one.kind === kindOf(type))
      if (!change) {
        seen = Math.max(seen, version)
        await anythingNew(process, signal)
        continue
      }
      if (random.happens(watchFaults.silence)) {
        await process.sleep(random.between(1_000, 60_000), signal).catch(() => undefined)
        throw refusal(410, 'Expired', 'too old resource version')
      }
      const delayMs = watchFaults.maxDelayMs > 0 ? random.between(0, watchFaults.maxDelayMs) : 0
      if (delayMs > 0) await process.sleep(delayMs, signal).catch(() => undefined)
      if (signal.aborted) return
      seen = change.version
      const object = change.object as T
      if (labelSelector && !(labelSelector in (object.metadata.labels ?? {}))) continue
      yield { type: change.type, object }
    }
  }

  function anythingNew(process: Process, signal: AbortSignal): Promise<void> {
    const news = new Promise<void>((resolve) => {
      const done = () => {
        listeners.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      listeners.add(done)
      signal.addEventListener('abort', done, { once: true })
    })
    return process.deliver(news)
  }

  function client(process: Process, sideEffect: SideEffect): KubeClient {
    const read = <T>(answer: () => T) => process.deliver(Promise.resolve().then(answer))
    const write = <T>(type: ResourceType, what: string, act: () => T): Promise<T> => {
      if (uncounted.has(type.kind)) return read(act)
      return sideEffect(process, { kind: 'kube', what: `${what} ${type.kind}` }, async () => act(), noAnswer)
    }
    const of = <T>(object: KubeObject) => object as unknown as T
    return {
      get: (type, key) => read(() => of(existing(type, key))),
      list: (type, options) => read(() => list(type, options)),
      create: (type, draft) => write(type, 'create', () => of(create(type, draft as Draft<KubeObject>, process.name))),
      replace: (type, object) =>
        write(type, 'replace', () => of(patch(type, keyOf(object), object as PatchBody, undefined, process.name))),
      patch: (type, key, body, { subresource }) =>
        write(type, subresource ? `patch ${subresource} of` : 'patch', () =>
          of(patch(type, key, body as PatchBody, subresource, process.name)),
        ),
      apply: (type, draft) =>
        write(type, 'apply', () => {
          const key = { namespace: draft.metadata.namespace, name: draft.metadata.name ?? '' }
          if (!objects.has(idOf(type, key))) return of(create(type, draft as Draft<KubeObject>, process.name))
          return of(patch(type, key, draft as PatchBody, undefined, process.name))
        }),
      delete: (type, key) => write(type, 'delete', () => remove(type, key, process.name)),
      watch: (type, options) => watch(process, type, options),
      raw: () => Promise.reject(new Error('the model has no raw requests')),
      as: () => client(process, sideEffect),
      recovered: () => new Promise(() => undefined), // it is never gone as a whole
      close: async () => undefined,
    }
  }

  return {
    client,
    user: {
      create: <T extends KubeObject>(type: ResourceType<T>, draft: Draft<T>) =>
        create(type, draft as Draft<KubeObject>, 'user') as T,
      get: <T extends KubeObject>(type: ResourceType<T>, key: ObjectKey) =>
        objects.get(idOf(type, key)) as T | undefined,
      list: (type) => list(type).items,
      patch: <T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, body: unknown) =>
        patch(type, key, body as PatchBody, undefined, 'user') as T,
      delete: (type, key) => remove(type, key, 'user'),
    },
    get writes() {
      return writes
    },
    log,
  }
}

/** A courtesy and a heartbeat: neither is a side effect that anything depends on. */
const uncounted: ReadonlySet<string> = new Set(['Event', 'Lease'])

interface PatchBody {
  readonly metadata?: { readonly resourceVersion?: string; readonly uid?: string }
  readonly status?: unknown
}

function noAnswer(): KubeError {
  return new KubeError('no answer from the API server: socket hang up', { status: 0, reason: 'ConnectionFailed' })
}

function refusal(status: number, reason: string, message: string): KubeError {
  return new KubeError(message, { status, reason })
}

function conflict(type: ResourceType, key: ObjectKey): KubeError {
  return refusal(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${type.plural} "${key.name}": the object has been modified`,
  )
}

/** RFC 7386. */
function merge(before: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged: Record<string, unknown> = isObject(before) ? { ...before } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else if (value !== undefined) merged[key] = merge(merged[key], value)
  }
  return merged
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function freeze<T>(value: T): T {
  const copy = JSON.parse(JSON.stringify(value)) as T
  return copy
}

function wholeSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

function stamp(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23)
}
