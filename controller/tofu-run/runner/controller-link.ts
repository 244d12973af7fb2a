/**
 * The runner's end of the line to the controller. A controller that restarts, or an apiserver that is away behind it, is ordinary:
 * every call is repeated with growing pauses for as long as its patience lasts, and every call may be repeated harmlessly. The patience of the
 * link begins with the last answer to any call: what follows on a call that was given up is tried once.
 *
 * What the controller refuses (4xx) is not repeated: `LinkRefused` says that this runner has no business here any more.
 */
export class LinkRefused extends Error {
  override readonly name = 'LinkRefused'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export interface ControllerLink {
  get(path: string, options?: CallOptions): Promise<Buffer>
  send(method: 'PUT' | 'POST', path: string, body: Uint8Array | string, options?: CallOptions): Promise<Buffer>
}

export interface CallOptions {
  /** For how long the call is repeated; default: for as long as the link has patience. */
  readonly patienceMs?: number
  readonly signal?: AbortSignal
}

const firstPauseMs = 200
const longestPauseMs = 10_000
const answerWithinMs = 120_000

export function controllerLink(options: {
  /** Of this phase: `http://…/v1/runs/<namespace>/<name>/<uid>/<phase>`. */
  readonly url: string
  readonly token: string
  /** For how long it may be silent. */
  readonly patienceMs: number
  readonly now?: () => number
  readonly random?: () => number
}): ControllerLink {
  const { url, token, patienceMs, now = () => performance.now(), random = Math.random } = options
  let heardAt = now()

  async function once(method: string, path: string, body: Uint8Array | string | undefined, signal?: AbortSignal) {
    const timeout = AbortSignal.timeout(answerWithinMs)
    const answer = await fetch(`${url}/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: body as string | Uint8Array<ArrayBuffer> }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    const bytes = Buffer.from(await answer.arrayBuffer())
    const refused = answer.status >= 400 && answer.status < 500 && answer.status !== 429
    if (answer.ok || refused) heardAt = now()
    if (answer.ok) return bytes
    if (refused) throw new LinkRefused(answer.status, bytes.toString('utf8').trim())
    throw new Error(`the controller answered ${answer.status}: ${bytes.toString('utf8').trim()}`)
  }

  async function patiently(
    method: string,
    path: string,
    body: Uint8Array | string | undefined,
    callOptions: CallOptions = {},
  ): Promise<Buffer> {
    const { signal } = callOptions
    const until = callOptions.patienceMs === undefined ? heardAt + patienceMs : now() + callOptions.patienceMs
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      try {
        return await once(method, path, body, signal)
      } catch (error) {
        if (error instanceof LinkRefused || signal?.aborted) throw error
        if (now() + pauseMs > until) throw new Error(givenUp(error, now() - heardAt), { cause: error })
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + random() / 2)))
    }
  }

  return {
    get: (path, callOptions) => patiently('GET', path, undefined, callOptions),
    send: (method, path, body, callOptions) => patiently(method, path, body, callOptions),
  }
}

function givenUp(error: unknown, silentMs: number): string {
  const { message, cause } = error as Error
  const why = cause instanceof Error ? cause.message : message // fetch itself says no more than that it failed
  return `the controller has not been heard for ${Math.round(silentMs / 1000)} s: ${why}`
}
