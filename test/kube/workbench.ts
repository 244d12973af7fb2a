/**
 * What the tests of `kube/` share: a client every byte of which goes through the fault proxy to the real API server, one
 * that goes straight there, and a cache that keeps a record of what it was told.
 *
 * Guarantees: `await using bench = …` ends every cache, closes every client and takes the proxy down.
 */
import { vi } from 'vitest'
import { type ConfigMap, configMapType } from '../../kube/builtin-types.ts'
import { type Cache, type CacheOptions, cache } from '../../kube/cache.ts'
import { type KubeClient, type KubeClientOptions, kubeClient } from '../../kube/client.ts'
import { type Cluster as Access, loadCluster } from '../../kube/cluster.ts'
import type { ReflectorEvent } from '../../kube/reflector.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { type FaultProxy, faultProxy } from '../fault-proxy/fault-proxy.ts'
import { isListOf, isWatchOf } from '../fault-proxy/faults.ts'

export const isList = isListOf('configmaps')
export const isWatchOpening = isWatchOf('configmaps')

export interface Workbench extends AsyncDisposable {
  readonly namespace: string
  readonly proxy: FaultProxy
  /** Through the proxy, as the administrator. */
  readonly client: KubeClient
  /** Straight to the API server. */
  readonly direct: KubeClient
  /** Another client through the proxy. */
  connect(options?: Partial<KubeClientOptions>): KubeClient
  /** Follows the ConfigMaps of the namespace, through the proxy. */
  follow(options?: FollowOptions): Follower
  /** Creates the ConfigMap, or changes it. */
  put(name: string, text: string): Promise<ConfigMap>
  remove(name: string): Promise<void>
  /** The resource versions from which the watches so far were asked for. */
  watchedFrom(): (string | null)[]
  lists(): number
  /** How many requests of `client` found nobody there. */
  unanswered(): number
}

export type FollowOptions = Pick<CacheOptions<ConfigMap>, 'livenessMs' | 'pageSize' | 'clock' | 'random'>

export interface Follower {
  readonly cached: Cache<ConfigMap>
  /** All that the reflector told. */
  readonly told: readonly ReflectorEvent<ConfigMap>[]
  /** All that listeners heard: `apply name`, `delete name`. */
  readonly changes: readonly string[]
  count(type: ReflectorEvent['type']): number
  /** The reasons for which it was interrupted. */
  interruptions(): string[]
  /** Resolves once the cache holds exactly these texts, by name. */
  holds(texts: Readonly<Record<string, string>>): Promise<void>
  /** Resolves once a watch is open. */
  connected(): Promise<void>
  stop(): Promise<void>
}

/** For whatever a loaded machine may take its time for. */
export const PATIENCE = { timeout: 180_000, interval: 20 }

/** Who asks `server` as nobody in particular: the proxy says who it is. */
export function accessTo(server: URL): Access {
  const credentials = { headers: {}, tls: {} }
  return {
    server,
    namespace: undefined,
    proxy: undefined,
    credentials: async () => credentials,
    refused: () => undefined,
  }
}

export async function workbench(cluster: Cluster): Promise<Workbench> {
  const { certificate: cert, key } = cluster.administrator
  const proxy = await faultProxy({ upstream: cluster.server, tls: { ca: cluster.authority.certificate, cert, key } })
  const clients: KubeClient[] = []
  const followers: Follower[] = []
  const made = (options: KubeClientOptions) => {
    const client = kubeClient(options)
    clients.push(client)
    return client
  }
  const connect: Workbench['connect'] = (options = {}) =>
    made({ cluster: accessTo(proxy.url), fieldManager: 'kube-test', ...options })
  let unanswered = 0
  const client = connect({
    onAnswer: ({ status }) => {
      if (status === 0) unanswered += 1
    },
  })
  const direct = made({
    cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
    fieldManager: 'kube-test',
  })
  const namespace = await cluster.namespace('kube')
  const existing = new Set<string>()

  return {
    namespace,
    proxy,
    client,
    direct,
    connect,
    follow(options = {}) {
      const follower = followThrough(client, namespace, options)
      followers.push(follower)
      return follower
    },
    async put(name, text) {
      const metadata = { namespace, name }
      const data = { text }
      if (existing.has(name)) return direct.patch(configMapType, metadata, { data }, { kind: 'merge' })
      existing.add(name)
      return direct.create(configMapType, { metadata, data })
    },
    async remove(name) {
      existing.delete(name)
      await direct.delete(configMapType, { namespace, name })
    },
    watchedFrom: () => proxy.requests.filter(isWatchOpening).map(({ query }) => query.get('resourceVersion')),
    lists: () => proxy.requests.filter((request) => isList(request) && !request.query.has('continue')).length,
    unanswered: () => unanswered,
    async [Symbol.asyncDispose]() {
      proxy.thaw()
      await Promise.all(followers.map((follower) => follower.stop()))
      await Promise.all(clients.map((one) => one.close()))
      await proxy.stop()
    },
  }
}

function followThrough(client: KubeClient, namespace: string, options: FollowOptions): Follower {
  const stop = new AbortController()
  const told: ReflectorEvent<ConfigMap>[] = []
  const changes: string[] = []
  const cached = cache(client, configMapType, {
    namespace,
    signal: stop.signal,
    onReflectorEvent: (event) => told.push(event),
    onChange: ({ type, object }) => changes.push(`${type} ${object.metadata.name}`),
    ...options,
  })
  return {
    cached,
    told,
    changes,
    count: (type) => told.filter((event) => event.type === type).length,
    interruptions: () =>
      told.flatMap((event) =>
        event.type === 'interrupted' ? [(event.error as { reason?: string }).reason ?? ''] : [],
      ),
    holds: (texts) =>
      vi.waitFor(() => {
        const held = Object.fromEntries(cached.list().map(({ metadata, data }) => [metadata.name, data?.text ?? '']))
        delete held['kube-root-ca.crt'] // the control plane's own
        const differing = [...new Set([...Object.keys(held), ...Object.keys(texts)])].filter(
          (name) => held[name] !== texts[name],
        )
        if (!cached.isSynced || differing.length > 0) throw new Error(`not yet right: ${differing.join(', ')}`)
      }, PATIENCE),
    connected: () =>
      vi.waitFor(() => {
        if (!cached.freshness().connected) throw new Error('no watch is open')
      }, PATIENCE),
    async stop() {
      stop.abort(new Error('stopped'))
      await cached.done
    },
  }
}
