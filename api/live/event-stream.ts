/**
 * Server-sent events on the wire, and the stream that carries them to one reader.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

const encoder = new TextEncoder()

/** One event; `json` is JSON text, which has no line breaks. */
export function eventBytes(name: string, json: string): Uint8Array {
  return encoder.encode(`event: ${name}\ndata: ${json}\n\n`)
}

/** Goes before an event and becomes the reader's `Last-Event-ID` with it. */
export function idBytes(id: string): Uint8Array {
  return encoder.encode(`id: ${id}\n`)
}

/** Fires nothing at the reader, keeps proxies from closing the connection, and moves the reader's `Last-Event-ID` on. */
export function heartbeatBytes(id: string | undefined): Uint8Array {
  return encoder.encode(id === undefined ? ':\n\n' : `:\nid: ${id}\n\n`)
}

/** How long a reader waits before it comes back. */
export function retryBytes(ms: number): Uint8Array {
  return encoder.encode(`retry: ${ms}\n\n`)
}

/** Where a listener writes to. */
export interface Sink {
  /** Whether the reader keeps up: what is written while it does not is held in memory. */
  ready(): boolean
  write(bytes: Uint8Array): void
  /** After what was written. Nothing is written afterwards. */
  end(): void
}

export interface EventStreamOptions {
  /** The reader has room again. */
  readonly onReady: () => void
  /** The reader went away. */
  readonly onGone: () => void
  /** How much is held for a reader before it counts as slow. */
  readonly highWaterMarkBytes?: number
}

/** A sink and the body of the answer that it fills. */
export function eventStream(options: EventStreamOptions): { sink: Sink; body: ReadableStream<Uint8Array> } {
  const { onReady, onGone, highWaterMarkBytes = 32 * 1024 } = options
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined

  const body = new ReadableStream<Uint8Array>(
    {
      start(opened) {
        controller = opened
      },
      pull() {
        onReady()
      },
      cancel() {
        controller = undefined
        onGone()
      },
    },
    { highWaterMark: highWaterMarkBytes, size: (bytes) => bytes.byteLength },
  )

  const sink: Sink = {
    ready: () => (controller?.desiredSize ?? 0) > 0,
    write: (bytes) => controller?.enqueue(bytes),
    end() {
      controller?.close()
      controller = undefined
    },
  }
  return { sink, body }
}
