/**
 * A reader of server-sent events, as a browser's `EventSource` reads them, with a bearer token. It keeps what it is told of VMs.
 */
export interface ReadEvent {
  readonly event: string
  readonly data: Record<string, unknown>
  readonly id: string | undefined
}

export interface ReadVm {
  readonly id: string
  readonly status: string
  readonly [field: string]: unknown
}

export interface EventReader extends AsyncDisposable {
  readonly headers: Headers
  readonly seen: readonly ReadEvent[]
  /** What the events so far amount to, by id. */
  readonly vms: ReadonlyMap<string, ReadVm>
  /** Ids of which it was told that they are gone. */
  readonly gone: ReadonlySet<string>
  readonly lastEventId: string | undefined
  /** The data of the first event of that name. */
  until(event: string, timeoutMs?: number): Promise<Record<string, unknown>>
  when(condition: () => boolean, timeoutMs?: number): Promise<void>
  /** Settles when the server has closed the stream. */
  readonly closed: Promise<void>
}

export interface FollowOptions {
  readonly lastEventId?: string | undefined
  readonly language?: string
}

/** Throws when the answer is no stream. */
export async function followEvents(url: string, token: string, options: FollowOptions = {}): Promise<EventReader> {
  const stop = new AbortController()
  const answer = await fetch(url, {
    signal: stop.signal,
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'text/event-stream',
      ...(options.language !== undefined && { 'accept-language': options.language }),
      ...(options.lastEventId !== undefined && { 'last-event-id': options.lastEventId }),
    },
  })
  if (answer.status !== 200 || answer.body === null) throw new Error(`${answer.status} ${await answer.text()}`)
  const { body } = answer
  const seen: ReadEvent[] = []
  const vms = new Map<string, ReadVm>()
  const gone = new Set<string>()
  const waiting = new Set<() => void>()
  let lastEventId: string | undefined

  function understand(block: string): void {
    const fields = new Map(block.split('\n').map((line) => line.split(/: ?(.*)/s, 2) as [string, string]))
    const id = fields.get('id')
    if (id !== undefined) lastEventId = id
    const event = fields.get('event')
    if (event === undefined) return
    const data = JSON.parse(fields.get('data') ?? '{}') as Record<string, unknown>
    seen.push({ event, data, id })
    if (event === 'reset') vms.clear()
    if (event === 'vm') vms.set(String(data.id), data as ReadVm)
    if (event === 'vm_deleted') {
      vms.delete(String(data.id))
      gone.add(String(data.id))
    }
    if (event === 'workspace_removed') {
      for (const [vm, { workspace_id }] of vms) if (workspace_id === data.workspace_id) vms.delete(vm)
    }
    for (const look of waiting) look()
  }

  async function read(): Promise<void> {
    let rest = ''
    const decoder = new TextDecoder()
    for await (const chunk of body) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) understand(block)
    }
  }

  const closed = read().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error
  })
  closed.catch(() => undefined) // whoever awaits it is told

  function when(condition: () => boolean, timeoutMs = 180_000): Promise<void> {
    if (condition()) return Promise.resolve()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const look = () => condition() && resolve()
    const told = () => JSON.stringify(seen.slice(-5))
    const timer = setTimeout(
      () => reject(new Error(`not within ${timeoutMs} ms; the last events: ${told()}`)),
      timeoutMs,
    )
    waiting.add(look)
    return promise.finally(() => {
      clearTimeout(timer)
      waiting.delete(look)
    })
  }

  return {
    headers: answer.headers,
    seen,
    vms,
    gone,
    get lastEventId() {
      return lastEventId
    },
    async until(event, timeoutMs) {
      await when(() => seen.some((one) => one.event === event), timeoutMs)
      return seen.find((one) => one.event === event)?.data ?? {}
    },
    when,
    closed,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await closed.catch(() => undefined)
    },
  }
}
