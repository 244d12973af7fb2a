/**
 * A model of an API server for tests of whatever lists and watches: objects with versions, a history that can be
 * compacted, pages of one snapshot, watches that resume, and faults on request. It does in memory what the real one
 * promises (https://kubernetes.io/docs/reference/using-api/api-concepts/), so that thousands of histories take seconds.
 */
import type { KubeClient, List, ListOptions, WatchEvent, WatchOptions } from './client.ts'
import { KubeError } from './kube-error.ts'
import type { KubeObject, ResourceType } from './resource.ts'

export interface Thing extends KubeObject {
  readonly spec: { readonly value: number; readonly color: string }
}

export const thingType: ResourceType<Thing> = {
  group: 'example.com',
  version: 'v1',
  kind: 'Thing',
  plural: 'things',
  namespaced: true,
}

export interface ModelApiServer {
  /** `list` and `watch` only; it never says that the server has recovered. */
  readonly client: KubeClient
  readonly objects: ReadonlyMap<string, Thing>
  readonly resourceVersion: string
  readonly lists: number
  /** Answered, of all lists. */
  readonly pages: number
  readonly openWatches: number
  /** Creates or changes. */
  put(name: string, spec: Partial<Thing['spec']>): Thing
  remove(name: string): void
  /** Tells every watch how far things are. */
  bookmark(): void
  /** Forgets the history: watches from before are answered 410, and pages of a snapshot expire. */
  compact(): void
  /** Ends all watches, as the server does, or with an error. */
  endWatches(error?: KubeError): void
  /** So many requests are refused with this error. */
  refuse(times: number, error?: KubeError): void
}

interface Change {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: Thing
}

/** What was sent and not read yet is the watch's own: a compaction does not touch it. */
interface OpenWatch {
  readonly unread: WatchEvent<Thing>[]
  ended: { readonly error: KubeError | undefined } | undefined
  wake(): void
}

export function modelApiServer(): ModelApiServer {
  const objects = new Map<string, Thing>()
  /** What there was when the history was compacted last. */
  let base: Change[] = []
  let history: Change[] = []
  let version = 100
  let oldest = version
  let uids = 0
  let lists = 0
  let pages = 0
  const watches = new Set<OpenWatch>()
  let refusals: KubeError[] = []

  function record(type: Change['type'], object: Thing): void {
    history.push({ version, type, object })
    send({ type, object })
  }

  function send(event: WatchEvent<Thing>): void {
    for (const watch of watches) {
      watch.unread.push(structuredClone(event))
      watch.wake()
    }
  }

  function refused(): void {
    const error = refusals.shift()
    if (error) throw error
  }

  async function list(_type: ResourceType, options: ListOptions = {}): Promise<List<Thing>> {
    lists += options.continue ? 0 : 1
    await turn(options.signal)
    refused()
    const token = options.continue
      ? (JSON.parse(options.continue) as { at: number; after: string })
      : { at: version, after: '' }
    if (token.at < oldest) throw expired()
    const names = [...snapshot(token.at)].sort(([a], [b]) => (a < b ? -1 : 1)).filter(([name]) => name > token.after)
    const page = names.slice(0, options.limit ?? names.length)
    const more =
      names.length > page.length ? { continue: JSON.stringify({ at: token.at, after: page.at(-1)?.[0] }) } : {}
    pages += 1
    // What the server sends is new each time.
    return {
      metadata: { resourceVersion: String(token.at), ...more },
      items: page.map(([, object]) => structuredClone(object)),
    }
  }

  /** The objects as they were, by undoing what came after. */
  function snapshot(at: number): Map<string, Thing> {
    const then = new Map<string, Thing>()
    for (const change of [...base, ...history]) {
      if (change.version > at) break
      if (change.type === 'DELETED') then.delete(change.object.metadata.name)
      else then.set(change.object.metadata.name, change.object)
    }
    return then
  }
  async function* watch(
    _type: ResourceType,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<Thing>, void, undefined> {
    await turn(options.signal)
    refused()
    const from = Number(options.resourceVersion)
    if (from < oldest) throw expired()
    const missed = history.filter((change) => change.version > from)
    const open: OpenWatch = {
      unread: missed.map(({ type, object }) => ({ type, object: structuredClone(object) })),
      ended: undefined,
      wake: () => undefined,
    }
    watches.add(open)
    const abort = () => open.wake()
    options.signal.addEventListener('abort', abort)
    try {
      yield { type: 'OPENED' }
      while (!options.signal.aborted) {
        const event = open.unread.shift()
        if (event) yield event
        else if (open.ended?.error) throw open.ended.error
        else if (open.ended) return
        else {
          await new Promise<void>((resolve) => {
            open.wake = resolve
          })
        }
      }
    } finally {
      watches.delete(open)
      options.signal.removeEventListener('abort', abort)
    }
  }

  return {
    client: { list, watch, recovered: () => new Promise(() => undefined) } as unknown as KubeClient,
    objects,
    get resourceVersion() {
      return String(version)
    },
    get lists() {
      return lists
    },
    get pages() {
      return pages
    },
    get openWatches() {
      return watches.size
    },
    put(name, spec) {
      const before = objects.get(name)
      version += 1
      const object: Thing = {
        apiVersion: 'example.com/v1',
        kind: 'Thing',
        metadata: {
          namespace: 'default',
          name,
          uid: before?.metadata.uid ?? `uid-${uids++}`,
          resourceVersion: String(version),
          creationTimestamp: '2026-01-01T00:00:00Z',
        },
        spec: { value: 0, color: 'red', ...before?.spec, ...spec },
      }
      objects.set(name, object)
      record(before ? 'MODIFIED' : 'ADDED', object)
      return object
    },
    remove(name) {
      const before = objects.get(name)
      if (!before) return
      version += 1
      objects.delete(name)
      record('DELETED', { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } })
    },
    bookmark: () => send({ type: 'BOOKMARK', resourceVersion: String(version) }),
    compact() {
      base = [...objects.values()].map((object) => ({ version: 0, type: 'ADDED', object }))
      history = []
      oldest = version
    },
    endWatches(error) {
      for (const watch of watches) {
        watch.ended = { error }
        watch.wake()
      }
    },
    refuse(times, error = new KubeError('refused', { status: 0, reason: 'ConnectionFailed' })) {
      refusals = [...refusals, ...Array.from({ length: times }, () => error)]
    },
  }
}

function expired(): KubeError {
  return new KubeError('too old resource version', { status: 410, reason: 'Expired' })
}

/** A request takes a turn of the event loop, and is off when its signal is. */
async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  signal?.throwIfAborted()
}
