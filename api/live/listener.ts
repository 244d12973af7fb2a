/**
 * What one listener has still to be told. Level, not edge: it remembers *which* objects changed, and tells the state they
 * are in when the reader has room for it.
 *
 * Guarantees:
 * - however slow the reader, what is held for it grows only with the number of objects it may see;
 * - an id is written only with the last of what is pending, so that whoever comes back with it has missed nothing;
 * - `reset`, then `workspace_removed`, then states, then `ready` the first time everything is told.
 */
import { eventBytes, heartbeatBytes, idBytes, type Sink } from './event-stream.ts'

export interface Listener {
  /** Forget all you know; what follows is everything. */
  reset(uids: Iterable<string>): void
  /** This object changed; `tombstone` says that it is gone. */
  mark(uid: string, tombstone?: Uint8Array): void
  /** Told before any state. A later notice under the same key replaces an earlier one. */
  notice(key: string, bytes: Uint8Array): void
  /** Tells as much as the reader has room for. */
  flush(): void
  heartbeat(): void
  /** Says a last word, if there is room for it, and ends. */
  end(last?: Uint8Array): void
  /** Since when the reader has had no room for what is pending. */
  readonly blockedSince: number | undefined
  /** When something was last written. */
  readonly wroteAt: number
}

export interface ListenerOptions {
  readonly sink: Sink
  /** The event that tells an object's state; absent when it is gone or no longer to be seen. */
  readonly encode: (uid: string) => Uint8Array | undefined
  /** Where the listener stands once nothing is pending. */
  readonly id: () => string | undefined
  readonly now: () => number
}

/** Large enough that a snapshot is few writes, small enough that a chunk is no burden. */
const CHUNK_BYTES = 16 * 1024

const resetEvent = eventBytes('reset', '{}')
const readyEvent = eventBytes('ready', '{}')

export function listener({ sink, encode, id, now }: ListenerOptions): Listener {
  const pending = new Map<string, Uint8Array | undefined>()
  const notices = new Map<string, Uint8Array>()
  let mustReset = false
  let mustGreet = true
  let ended = false
  let blockedSince: number | undefined
  let wroteAt = now()

  const isIdle = () => pending.size === 0 && notices.size === 0 && !mustReset && !mustGreet

  function* words(): Generator<Uint8Array> {
    if (mustReset) {
      mustReset = false
      yield resetEvent
    }
    for (const [key, bytes] of notices) {
      notices.delete(key)
      yield bytes
    }
    for (const [uid, tombstone] of pending) {
      pending.delete(uid)
      const bytes = tombstone ?? encode(uid)
      if (bytes) yield bytes
    }
    if (mustGreet) {
      mustGreet = false
      yield readyEvent
    }
  }

  function nextChunk(): Uint8Array | undefined {
    const parts: Uint8Array[] = []
    let size = 0
    for (const bytes of words()) {
      parts.push(bytes)
      size += bytes.byteLength
      if (size >= CHUNK_BYTES) break
    }
    const last = parts.at(-1)
    if (!last) return undefined
    const reached = isIdle() ? id() : undefined
    if (reached !== undefined) parts.splice(-1, 1, idBytes(reached), last)
    return parts.length === 1 ? last : Buffer.concat(parts)
  }

  function write(bytes: Uint8Array): void {
    sink.write(bytes)
    wroteAt = now()
  }

  return {
    reset(uids) {
      pending.clear()
      notices.clear()
      mustReset = true
      mustGreet = true
      for (const uid of uids) pending.set(uid, undefined)
    },
    mark(uid, tombstone) {
      pending.set(uid, tombstone)
    },
    notice(key, bytes) {
      notices.set(key, bytes)
    },
    flush() {
      while (!ended && !isIdle()) {
        if (!sink.ready()) {
          blockedSince ??= now()
          return
        }
        const chunk = nextChunk()
        if (chunk) write(chunk)
      }
      blockedSince = undefined
    },
    heartbeat() {
      if (!ended && sink.ready()) write(heartbeatBytes(isIdle() ? id() : undefined))
    },
    end(last) {
      if (ended) return
      ended = true
      if (last && sink.ready()) sink.write(last)
      sink.end()
    },
    get blockedSince() {
      return blockedSince
    },
    get wroteAt() {
      return wroteAt
    },
  }
}
