/** What all clouds of a process share: connections, and what is remembered of Google's side because it does not change. */
import { Agent, fetch, type RequestInit, type Response } from 'undici'
import { type Sleep, sleepMs } from '../sleep.ts'

export interface GcpConnections {
  readonly outside: GcpOutside
  /** Google's, or the operator's own. */
  readonly endpoint: GcpEndpoint
  /** By project and id: the zone that an instance is in. Its id is for ever its own, and calls name the zone. */
  readonly zoneOfInstance: Map<string, string>
  /** By project and region: the names of its zones. */
  readonly zonesOfRegion: Map<string, ZonesOfRegion>
}

/** What reaches out of the process; a test passes its own. */
export interface GcpOutside {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** Milliseconds from any origin. */
  readonly now: () => number
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  readonly sleep: Sleep
}

export interface ZonesOfRegion {
  readonly names: readonly string[]
  /** Milliseconds since 1970. */
  readonly readAt: number
}

export interface GcpEndpoint {
  /** Without a slash at the end: `https://compute.googleapis.com/compute/v1`. */
  readonly root: string
  /** Where it is, if it is not one of Google's. */
  readonly foreignOrigin: string | undefined
}

const GOOGLE = 'https://compute.googleapis.com'
const API_PATH = '/compute/v1'

/** @param endpoint the operator's: a server that has Compute Engine's paths below it, with or without `/compute/v1` */
export function gcpConnections(endpoint?: string, outside: GcpOutside = network()): GcpConnections {
  return { outside, endpoint: readEndpoint(endpoint), zoneOfInstance: new Map(), zonesOfRegion: new Map() }
}

/** No redirect is followed: a token is for who was asked. */
function network(): GcpOutside {
  const dispatcher = new Agent({
    connections: 50,
    connectTimeout: 5_000,
    headersTimeout: 0, // each call has a deadline of its own; an operation is waited for by one that takes long
    bodyTimeout: 0,
    keepAliveTimeout: 30_000,
  })
  return {
    fetch: (url, init) => fetch(url, { ...init, dispatcher, redirect: 'error' }),
    now: () => performance.now(),
    wallClock: Date.now,
    sleep: sleepMs,
  }
}

export function readEndpoint(endpoint: string = GOOGLE): GcpEndpoint {
  const url = new URL(endpoint)
  const path = url.pathname.replace(/\/+$/, '')
  const isGoogles = url.protocol === 'https:' && /(^|\.)googleapis\.com$/.test(url.hostname)
  return {
    root: `${url.origin}${/\/(v1|beta|alpha)$/.test(path) ? path : `${path}${API_PATH}`}`,
    foreignOrigin: isGoogles ? undefined : url.origin,
  }
}
