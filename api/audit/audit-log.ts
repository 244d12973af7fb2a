/**
 * Where audit lines go: a stream of their own, a line a call.
 *
 * Lines are gathered for as long as a write is under way, those of reads for {@link GATHER_MS}, and then written as one,
 * in order: a write a line would cost more than the read itself. Nothing is dropped while there is room in memory ({@link MAX_PENDING_BYTES}); a write that fails is tried again, so that a disk that was full for
 * a while loses nothing. What is dropped all the same is counted. `accepts()` says whether there is room for another
 * mutation's line, so that mutations can be refused rather than go unrecorded, and `written()` lets them wait.
 *
 * A file that was renamed or removed by a log rotator is opened anew within seconds; one that grows beyond
 * `rotateBytes` is rotated here (`audit.log` → `audit.log.1` …).
 */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'

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
  /** Lines that wait to be written. */
  readonly pending: number
  /** Writes what there is, as far as that goes within `timeoutMs`, and closes. */
  close(timeoutMs: number): Promise<void>
}

/** What takes the bytes; throws when it cannot. */
export interface AuditSink {
  write(bytes: Buffer): Promise<void>
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
  let dropped = 0
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
      const bytes = Buffer.from(batch.join(''))
      while (!(await tryToWrite(bytes))) {
        if (closing.signal.aborted) {
          dropped += batch.length
          break
        }
        await pause(retryAfterMs, closing.signal)
      }
      for (const line of batch) pendingBytes -= line.length
    }
    writing = undefined
    for (const resolve of waiters.splice(0)) resolve()
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

  async function tryToWrite(bytes: Buffer): Promise<boolean> {
    try {
      await sink.write(bytes)
      return true
    } catch (error) {
      onError(error)
      return false
    }
  }

  return {
    write(line, urgency) {
      if (pendingBytes + line.length > maxPendingBytes) {
        dropped += 1
        return
      }
      pendingBytes += line.length + 1
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
      return lines.length
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

/** Standard output, where the chart leaves audit lines; they are told from log lines by their `kind`. */
export function stdoutSink(stream: NodeJS.WritableStream): AuditSink {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => (error ? reject(error) : resolve()))
      }),
    close: async () => undefined,
  }
}

export interface FileSinkOptions {
  readonly path: string
  /** Bytes from which the file is rotated; 0 leaves that to somebody else. */
  readonly rotateBytes: number
  /** How many rotated files are kept. */
  readonly keep: number
}

/** How often to look whether the path still leads to the file that is open. */
const LOOK_EVERY_MS = 2_000

/** Throws when the file cannot be opened for appending. */
export async function fileSink({ path, rotateBytes, keep }: FileSinkOptions): Promise<AuditSink> {
  let file: FileHandle | undefined = await openForAppending(path)
  let lookedAt = Date.now()

  /** Another process may write the same file: whoever finds it too long rotates it, once. */
  async function current(): Promise<FileHandle> {
    file ??= await openForAppending(path)
    if (Date.now() - lookedAt < LOOK_EVERY_MS) return file
    lookedAt = Date.now()
    const [opened, atPath] = await Promise.all([file.stat(), stat(path).catch(() => undefined)])
    const isSame = atPath !== undefined && atPath.ino === opened.ino && atPath.dev === opened.dev
    if (isSame && (rotateBytes === 0 || opened.size < rotateBytes)) return file
    if (isSame) await rotate(path, keep)
    await file.close()
    file = undefined
    file = await openForAppending(path)
    return file
  }

  return {
    async write(bytes) {
      const target = await current()
      for (let at = 0; at < bytes.byteLength; ) at += (await target.write(bytes, at)).bytesWritten
    },
    close: async () => file?.close(),
  }
}

/** For nobody else to read. */
function openForAppending(path: string): Promise<FileHandle> {
  return open(path, 'a', 0o600)
}

async function rotate(path: string, keep: number): Promise<void> {
  await rm(`${path}.${keep}`, { force: true })
  for (let number = keep - 1; number >= 0; number--) {
    const from = number === 0 ? path : `${path}.${number}`
    await rename(from, `${path}.${number + 1}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
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
