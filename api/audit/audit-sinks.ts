/**
 * The two places that audit lines can go to: standard output, and a file.
 *
 * A file that was renamed or removed by a log rotator is opened anew within seconds; one that grows beyond `rotateBytes`
 * is rotated here (`audit.log` → `audit.log.1` …), and no line is ever split between two files.
 */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import type { AuditSink } from './audit-log.ts'

/** Standard output, where the chart leaves audit lines; they are told from log lines by their `kind`. */
export function stdoutSink(stream: NodeJS.WritableStream): AuditSink {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => (error ? reject(error) : resolve(bytes.byteLength)))
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
  /** A line is begun and not ended: its end belongs into the same file. */
  let isMidway = false

  /** Another process may write the same file: whoever finds it too long rotates it, once. */
  async function current(): Promise<FileHandle> {
    file ??= await openForAppending(path)
    if (isMidway || Date.now() - lookedAt < LOOK_EVERY_MS) return file
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
      const { bytesWritten } = await (await current()).write(bytes)
      isMidway = bytesWritten < bytes.byteLength
      return bytesWritten
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
