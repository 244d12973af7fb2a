/**
 * The connections to one API server: HTTP/1.1, kept alive, one request at a time on each.
 *
 * Guarantees: one undici Agent for as long as the TLS identity stays the same; with a new identity come new connections,
 * and the old ones end when their last request is done. After `close` there is none, and none can be made.
 */
import { Agent, type Dispatcher, ProxyAgent } from 'undici'
import type { Cluster, TlsIdentity } from './cluster.ts'
import { KubeError } from './kube-error.ts'

export interface Connections {
  for(tls: TlsIdentity): Dispatcher
  close(): Promise<void>
}

/** Below the 90 s after which kube-apiserver closes an idle connection, so that it is seldom closed under a request. */
const KEEP_ALIVE_MS = 60_000

export function connections(cluster: Cluster, maxConnections: number): Connections {
  let current: { readonly tls: TlsIdentity; readonly dispatcher: Dispatcher } | undefined
  const retired = new Set<Dispatcher>()
  let isClosed = false

  function retire(dispatcher: Dispatcher): void {
    retired.add(dispatcher)
    const forget = () => retired.delete(dispatcher)
    dispatcher.close().then(forget, forget)
  }

  return {
    for(tls) {
      if (isClosed) throw new KubeError('the Kubernetes client is closed', { status: 0, reason: 'Closed' })
      if (current?.tls === tls) return current.dispatcher
      if (current) retire(current.dispatcher)
      current = { tls, dispatcher: newDispatcher(cluster, tls, maxConnections) }
      return current.dispatcher
    },
    async close() {
      isClosed = true
      const all = [...retired, ...(current ? [current.dispatcher] : [])]
      await Promise.all(all.map((dispatcher) => dispatcher.destroy()))
    },
  }
}

function newDispatcher(cluster: Cluster, tls: TlsIdentity, maxConnections: number): Dispatcher {
  const options = {
    connections: maxConnections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
  }
  const socket = { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000 }
  return cluster.proxy
    ? new ProxyAgent({ ...options, uri: cluster.proxy.href, requestTls: socket })
    : new Agent({ ...options, connect: socket })
}
