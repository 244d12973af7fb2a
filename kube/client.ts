/**
 * The verbs of the Kubernetes API, for any resource type, as plain JSON objects.
 *
 * Guarantees: every write is validated strictly (an unknown field is an error, never dropped) and carries a field
 * manager; what is thrown is a `KubeError` or the caller's abort reason; see `transport.ts` for what is retried.
 * Objects are what the server sent: no models, no classes, no dates.
 */
import { type Clock, systemClock } from './clock.ts'
import type { Cluster } from './cluster.ts'
import { errorFromAnswer, KubeError } from './kube-error.ts'
import { type Recovery, recovery } from './recovery.ts'
import {
  apiVersionOf,
  collectionPath,
  type Draft,
  type DraftMeta,
  type KubeObject,
  type ObjectKey,
  objectPath,
  type ResourceType,
} from './resource.ts'
import { type AnswerRecord, type RawAnswer, type Transport, type TransportRequest, transport } from './transport.ts'
import { lineSplitter } from './watch-frames.ts'

export interface KubeClientOptions {
  readonly cluster: Cluster
  /** Who owns the fields that this client writes. */
  readonly fieldManager: string
  /** Default: the field manager. */
  readonly userAgent?: string
  /** Requests a second, 400 by default, and how many at once, 800. `Infinity` leaves it to the server. */
  readonly qps?: number
  readonly burst?: number
  readonly requestTimeoutMs?: number
  readonly maxConnections?: number
  /**
   * Called right before each write is handed to the connection, after every wait; throwing keeps the write from being
   * sent. A leader asks here whether it still is one.
   */
  readonly guard?: () => void
  readonly onAnswer?: (answer: AnswerRecord) => void
  /** Asked at each create and each merge patch of an object itself: annotations that go along with what is written. */
  readonly annotationsFor?: (type: ResourceType) => Readonly<Record<string, string>> | undefined
  readonly clock?: Clock
  readonly random?: () => number
}

export interface Selection {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

export interface ListOptions extends Selection {
  readonly limit?: number
  readonly continue?: string | undefined
  readonly resourceVersion?: string
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan'
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface List<T> {
  readonly metadata: {
    readonly resourceVersion: string
    readonly continue?: string
    readonly remainingItemCount?: number
  }
  readonly items: T[]
}

export interface WatchOptions extends Selection {
  /** Changes after this version. */
  readonly resourceVersion: string
  /**
   * After so long without anything, not even a bookmark, the watch is given up as dead. kube-apiserver sends a bookmark
   * about every 60 s (`defaultBookmarkFrequency` of its cacher), hence 75 s by default.
   */
  readonly livenessMs?: number | undefined
  readonly signal: AbortSignal
}

export type WatchEvent<T extends KubeObject = KubeObject> =
  /** Not from the wire: the server has accepted the watch. */
  | { readonly type: 'OPENED' }
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }

export type PatchKind = 'merge' | 'json'

interface WriteOptions {
  readonly dryRun?: boolean
  readonly fieldManager?: string
  readonly signal?: AbortSignal | undefined
}

export interface KubeClient extends Recovery {
  get<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<T>
  /** One page, or all of it without `limit`. */
  list<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions): Promise<List<T>>
  create<T extends KubeObject>(type: ResourceType<T>, draft: Draft<T>, options?: WriteOptions): Promise<T>
  /** With `metadata.resourceVersion`, only if nobody else wrote since. */
  replace<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options?: WriteOptions & { readonly subresource?: string },
  ): Promise<T>
  /** For optimistic locking put `metadata.resourceVersion` into a merge patch. */
  patch<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    body: unknown,
    options: WriteOptions & { readonly kind: PatchKind; readonly subresource?: string },
  ): Promise<T>
  /** Server-side apply. `force` takes over fields that others own; without it that is a conflict that names them. */
  apply<T extends KubeObject>(
    type: ResourceType<T>,
    draft: Draft<T>,
    options?: WriteOptions & { readonly force?: boolean; readonly subresource?: string },
  ): Promise<T>
  delete(
    type: ResourceType,
    key: ObjectKey,
    options?: {
      readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
      readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan'
      readonly signal?: AbortSignal | undefined
    },
  ): Promise<void>
  /** Ends when the server ends it (after five to ten minutes) or the signal is aborted; an `ERROR` event is thrown. */
  watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined>
  /** Any path, once, whatever the status: `/version`, `/readyz`, a subresource. */
  raw(path: string, init?: Partial<Omit<TransportRequest, 'path'>>): Promise<RawAnswer>
  /** The same connections and limits, acting as somebody else. */
  as(user: ImpersonatedUser): KubeClient
  /** Closes every connection; what is under way fails. */
  close(): Promise<void>
}

export interface ImpersonatedUser {
  readonly username: string
  readonly groups: readonly string[]
}

export function kubeClient(options: KubeClientOptions): KubeClient {
  const { fieldManager, annotationsFor, random = Math.random, clock = systemClock } = options
  const http = transport({ userAgent: fieldManager, ...options })
  const { recovered } = recovery({ http, clock, random })
  return verbs({ http, fieldManager, annotationsFor, random, recovered, headers: {} })
}

interface VerbsContext {
  readonly http: Transport
  readonly recovered: Recovery['recovered']
  readonly fieldManager: string
  readonly annotationsFor: KubeClientOptions['annotationsFor']
  readonly random: () => number
  /** Of impersonation. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
}

function verbs(context: VerbsContext): KubeClient {
  const { http, headers, annotationsFor } = context

  async function read<T>(path: string, rest: Pick<TransportRequest, 'signal' | 'timeoutMs'>): Promise<T> {
    return parseJson(await http.text({ method: 'GET', path, headers, ...rest }), path)
  }

  async function write<T>(
    method: 'POST' | 'PUT' | 'PATCH',
    target: { path: string; contentType?: string; body: unknown; query?: Query },
    { dryRun, fieldManager = context.fieldManager, signal }: WriteOptions = {},
  ): Promise<T> {
    const { contentType = 'application/json' } = target
    const query = { fieldManager, fieldValidation: 'Strict', dryRun: dryRun ? 'All' : undefined, ...target.query }
    const path = withQuery(target.path, query)
    const body = JSON.stringify(target.body)
    return parseJson(
      await http.text({ method, path, body, signal, headers: { ...headers, 'content-type': contentType } }),
      path,
    )
  }

  return {
    get: (type, key, { signal } = {}) => read(objectPath(type, key), { signal }),

    async list<T extends KubeObject>(type: ResourceType<T>, listOptions: ListOptions = {}) {
      const { namespace, signal, timeoutMs, ...query } = listOptions
      const list = await read<List<T>>(withQuery(collectionPath(type, namespace), query), { signal, timeoutMs })
      nameItems(type, list.items)
      return list
    },

    create(type, draft, writeOptions) {
      const body = annotated(complete(type, draft), annotationsFor?.(type))
      const path = collectionPath(type, namespaceOf(type, draft))
      return write('POST', { path, body }, writeOptions)
    },

    replace(type, object, { subresource, ...writeOptions } = {}) {
      return write('PUT', { path: objectPath(type, object.metadata, subresource), body: object }, writeOptions)
    },

    patch(type, key, body, { kind, subresource, ...writeOptions }) {
      const contentType = kind === 'merge' ? 'application/merge-patch+json' : 'application/json-patch+json'
      const isWhole = kind === 'merge' && subresource === undefined
      const whole = isWhole ? annotated(body, annotationsFor?.(type)) : body
      return write('PATCH', { path: objectPath(type, key, subresource), contentType, body: whole }, writeOptions)
    },

    apply(type, draft, { force = false, subresource, ...writeOptions } = {}) {
      const key = { namespace: draft.metadata.namespace, name: draft.metadata.name ?? '' }
      const path = objectPath(type, key, subresource)
      const contentType = 'application/apply-patch+yaml' // JSON is YAML
      return write('PATCH', { path, contentType, body: complete(type, draft), query: { force } }, writeOptions)
    },

    async delete(type, key, { preconditions, propagationPolicy, signal } = {}) {
      const body = JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions, propagationPolicy })
      const path = objectPath(type, key)
      await http.text({
        method: 'DELETE',
        path,
        body,
        signal,
        headers: { ...headers, 'content-type': 'application/json' },
      })
    },

    async *watch<T extends KubeObject>(type: ResourceType<T>, watchOptions: WatchOptions) {
      const { namespace, signal, livenessMs = 75_000, ...query } = watchOptions
      const path = withQuery(collectionPath(type, namespace), {
        ...query,
        watch: true,
        allowWatchBookmarks: true,
        timeoutSeconds: Math.floor(300 + context.random() * 300), // spread, so that watches do not all return at once
      })
      const lines = lineSplitter()
      for await (const chunk of http.stream({ method: 'GET', path, headers, signal, silenceMs: livenessMs })) {
        if (chunk.length === 0) yield { type: 'OPENED' }
        for (const line of lines.push(chunk)) yield watchEvent<T>(type, parseJson(line, path), path)
      }
    },

    raw: (path, init = {}) => http.raw({ method: 'GET', ...init, path, headers: { ...headers, ...init.headers } }),

    as(user) {
      return verbs({ ...context, headers: { 'impersonate-user': user.username, 'impersonate-group': user.groups } })
    },

    recovered: context.recovered,
    close: () => http.close(),
  }
}

interface WireEvent {
  readonly type: string
  readonly object: KubeObject & { readonly code?: number }
}

function watchEvent<T extends KubeObject>(type: ResourceType<T>, event: WireEvent, path: string): WatchEvent<T> {
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      nameItems(type, [event.object])
      return { type: event.type, object: event.object as T }
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: event.object.metadata.resourceVersion }
    case 'ERROR':
      throw errorFromAnswer(
        event.object.code ?? 500,
        JSON.stringify(event.object),
        undefined,
        `GET ${path.split('?')[0]}`,
      )
    default:
      throw new KubeError(`a watch event of unknown type ${event.type}`, { status: 0, reason: 'BadAnswer' })
  }
}

/** Items of a built-in kind come without `apiVersion` and `kind`, which a list says once. */
function nameItems(type: ResourceType, items: readonly KubeObject[]): void {
  const named = { apiVersion: apiVersionOf(type), kind: type.kind }
  for (const item of items) if (item.kind === undefined) Object.assign(item, named)
}

function complete<T extends KubeObject>(type: ResourceType<T>, draft: Draft<T>): unknown {
  return { ...draft, apiVersion: apiVersionOf(type), kind: type.kind }
}

function annotated(body: unknown, annotations: Readonly<Record<string, string>> | undefined): unknown {
  if (annotations === undefined) return body
  const { metadata, ...rest } = body as { readonly metadata?: DraftMeta }
  return { ...rest, metadata: { ...metadata, annotations: { ...metadata?.annotations, ...annotations } } }
}

function namespaceOf(
  type: ResourceType,
  draft: { readonly metadata: { readonly namespace?: string | undefined } },
): string | undefined {
  if (type.namespaced && !draft.metadata.namespace) throw new TypeError(`${type.kind} needs a namespace`)
  return draft.metadata.namespace
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

function withQuery(path: string, query: object): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value))
  const text = parameters.toString()
  return text === '' ? path : `${path}?${text}`
}

function parseJson<T>(text: string, path: string): T {
  try {
    return JSON.parse(text) as T
  } catch (error) {
    const message = `the API server's answer is no JSON: ${text.slice(0, 100)}`
    throw new KubeError(message, { status: 0, reason: 'BadAnswer', request: path.split('?')[0] ?? path, cause: error })
  }
}
