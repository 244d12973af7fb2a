/**
 * The faults that the proxy can inject, and for which requests.
 */

/** A request as it arrived at the proxy. */
export interface ProxiedRequest {
  readonly method: string
  /** Without query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
  /** Of the answer that was passed on or made up; `undefined` before, or when there was none. */
  status: number | undefined
}

export type Fault =
  /** The server is never asked. */
  | { readonly answer: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  /**
   * The connection is reset (RST): `before` the server is asked; `after` it answered, the answer being lost; or once so
   * many bytes of the answer's body were passed on. `told` is called right before that, but for the last, and may hold it
   * back for as long as it likes.
   */
  | { readonly reset: 'before' | 'after' | number; readonly told?: () => void | Promise<void> }
  /** Nothing more comes, and nothing is closed, once so many bytes of the answer's body were passed on; -1: not even headers. */
  | { readonly silentAfter: number }
  /** The server is asked that much later. */
  | { readonly delayMs: number }
  /** The answer's body is passed on at this rate. */
  | { readonly bytesPerSecond: number }
  /** The answer's body is something else. */
  | { readonly rewrite: (chunk: string) => string }

export type Match = (request: ProxiedRequest) => boolean

export interface InjectOptions {
  /** How many matching requests meet the fault; default: all. */
  readonly times?: number
  /** How many matching requests go unharmed first. */
  readonly skip?: number
}

export interface Injection {
  /** Requests that met the fault so far. */
  readonly hits: number
  remove(): void
}

export function isWatch(request: ProxiedRequest): boolean {
  return request.method === 'GET' && request.query.get('watch') === 'true'
}

/** A LIST page, first or later, of a collection whose path ends in `/plural`. */
export function isListOf(plural: string): Match {
  return (request) => request.method === 'GET' && !isWatch(request) && request.path.endsWith(`/${plural}`)
}

export function isWatchOf(plural: string): Match {
  return (request) => isWatch(request) && request.path.endsWith(`/${plural}`)
}
