/**
 * Where audit lines go: a stream of their own, a line a call.
 *
 * Lines are gathered for as long as a write is under way, those of reads for {@link GATHER_MS}, and then written as one,
 * in order: a write a line would cost more than the read itself. Nothing is dropped while there is room in memory
 * ({@link MAX_PENDING_BYTES}); a write that fails is gone on with where it stopped, so that a disk that was full for a
 * while loses nothing and tears no line. What is dropped all the same is counted. `accepts()` says whether there is room
 * for another mutation's line, so that mutations can be refused rather than go unrecorded; `written()` lets them wait, and
 * `isFailing` says that this may be long.
 */

export interface AuditLog {
  /**
   * Never throws, never waits. What may wait a moment goes together with what comes in that moment: the line of a read;
   * a mutation's is on its way at once.
   */
  write(line: string, urgency: 'now' | 'soon'): void
  /** Whether a line written now would be kept. */
  accepts(): boolean
  /** Resolves once everything that was written so far is with the operating system. */
  written(): Promise<void>
  /** Lines that had to be dropped. */
  readonly dropped: number
  /** Lines that are not written yet. */
  readonly pending: number
  /** The last write failed. */
  readonly isFailing: boolean
  /** Writes what there is, as far as that goes within `timeoutMs`, and closes. */
  close(timeoutMs: number): Promise<void>
}

/** What takes the bytes. */
export interface AuditSink {
  /** Answers how many it took, at least one; throws when it can take none. */
  write(bytes: Buffer): Promise<number>
  close(): Promise<void>
}

export interface AuditLogOptions {
  readonly sink: AuditSink
  readonly onError: (error: unknown) => void
  readonly retryAfterMs?: number
  readonly maxPendingBytes?: number
}

const GATHER_MS = 50
const MAX_PENDING_BYTES = 64 * 1024 * 1024
const MAX_WRITE_BYTES = 1024 * 1024

export function auditLog(options: AuditLogOptions): AuditLog {
  const { sink, onError, retryAfterMs = 1_000, maxPendingBytes = MAX_PENDING_BYTES } = options
  const lines: string[] = []
  let pendingBytes = 0
  let pendingLines = 0
  let dropped = 0
  let isFailing = false
  let writing: Promise<void> | undefined
  let gathering: NodeJS.Timeout | undefined
  const waiters: (() => void)[] = []
  const closing = new AbortController()

  function flush(): void {
    clearTimeout(gathering)
    gathering = undefined
    writing ??= drain()
  }

  async function drain(): Promise<void> {
    await Promise.resolve() // gathers what comes in the same turn
    while (lines.length > 0) {
      const batch = takeBatch()
      if (!(await writeAll(Buffer.from(batch.join(''))))) dropped += batch.length
      for (const line of batch) pendingBytes -= line.length
      pendingLines -= batch.length
    }
    writing = undefined
    for (const resolve of waiters.splice(0)) resolve()
  }

  /** False when there was no more time for it. */
  async function writeAll(bytes: Buffer): Promise<boolean> {
    for (let at = 0; at < bytes.byteLength; ) {
      try {
        at += await sink.write(bytes.subarray(at))
        isFailing = false
      } catch (error) {
        isFailing = true
        onError(error)
        if (closing.signal.aborted) return false
        await pause(retryAfterMs, closing.signal)
      }
    }
    return true
  }

  function takeBatch(): string[] {
    let size = 0
    let count = 0
    for (const line of lines) {
      size += line.length
      if (count > 0 && size > MAX_WRITE_BYTES) break
      count += 1
    }
    return lines.splice(0, count)
  }

  return {
    write(line, urgency) {
      if (pendingBytes + line.length > maxPendingBytes) {
        dropped += 1
        return
      }
      pendingBytes += line.length + 1
      pendingLines += 1
      lines.push(`${line}\n`)
      if (urgency === 'now' || pendingBytes > MAX_WRITE_BYTES) flush()
      else if (writing === undefined) gathering ??= setTimeout(flush, GATHER_MS)
    },
    accepts: () => pendingBytes < maxPendingBytes / 2,
    written() {
      if (gathering !== undefined) flush()
      return writing === undefined ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))
    },
    get dropped() {
      return dropped
    },
    get pending() {
      return pendingLines
    },
    get isFailing() {
      return isFailing
    },
    async close(timeoutMs) {
      const timer = setTimeout(() => closing.abort(), timeoutMs)
      if (lines.length > 0) flush()
      await writing
      clearTimeout(timer)
      await sink.close()
    },
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    function wake(): void {
      clearTimeout(timer)
      resolve()
    }
    signal.addEventListener('abort', wake, { once: true })
  })
}
