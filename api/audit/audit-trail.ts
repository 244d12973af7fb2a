/**
 * What `GET /api/v1/audit` reads: the newest lines first.
 *
 * Where audit lines go to a file, that file is read from its end, and then those that were rotated away (and, when another
 * replica writes into them too, its lines are there as well), {@link SEARCHED_BYTES} far at most. Where they go to standard output, whoever collects that
 * has them all; this process remembers its own last {@link REMEMBERED} lines.
 */
import { type FileHandle, open } from 'node:fs/promises'
import type { AuditEvent } from './audit-event.ts'

export interface AuditTrail {
  /** Newest first. */
  newest(): AsyncIterable<AuditEvent>
}

const REMEMBERED = 10_000
const SEARCHED_BYTES = 64 * 1024 * 1024
const CHUNK_BYTES = 256 * 1024

/** Remembers the last lines of this process. */
export function memoryTrail(): AuditTrail & { remember(line: string): void } {
  const ring: string[] = []
  let next = 0
  return {
    remember(line) {
      ring[next] = line
      next = (next + 1) % REMEMBERED
    },
    async *newest() {
      const size = ring.length
      const end = next // lines that come while this is read are not part of it
      for (let back = 1; back <= size; back++) {
        const event = parse(ring[(end - back + REMEMBERED) % REMEMBERED] ?? '')
        if (event !== undefined) yield event
      }
    },
  }
}

export interface FileTrailOptions {
  readonly path: string
  /** How many rotated files there may be. */
  readonly keep: number
  /** Resolves once what was logged so far is in the file. */
  readonly written: () => Promise<void>
}

export function fileTrail({ path, keep, written }: FileTrailOptions): AuditTrail {
  return {
    async *newest() {
      await written()
      const files = await openAll([path, ...Array.from({ length: keep }, (_, index) => `${path}.${index + 1}`)])
      try {
        let left = SEARCHED_BYTES
        const read = new Set<number>()
        for (const file of files) {
          const { size, ino } = await file.stat()
          if (read.has(ino)) continue // it was rotated while they were opened
          read.add(ino)
          for await (const line of linesFromEnd(file, size, left)) {
            const event = parse(line)
            if (event !== undefined) yield event
          }
          left -= size
          if (left <= 0) return
        }
      } finally {
        await Promise.all(files.map((file) => file.close()))
      }
    },
  }
}

/** At once, so that a rotation between two of them is not in the way. Those that are not there are left out. */
async function openAll(paths: readonly string[]): Promise<readonly FileHandle[]> {
  const files = await Promise.all(
    paths.map((path) =>
      open(path, 'r').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined
        throw error
      }),
    ),
  )
  return files.filter((file) => file !== undefined)
}

/** The lines of the last `within` bytes, last first. */
async function* linesFromEnd(file: FileHandle, size: number, within: number): AsyncGenerator<string> {
  const end = Math.max(0, size - within)
  let position = size
  let beginning = Buffer.alloc(0) // of a line whose start is in an earlier chunk
  while (position > end) {
    const length = Math.min(CHUNK_BYTES, position - end)
    position -= length
    const chunk = Buffer.alloc(length)
    await file.read(chunk, 0, length, position)
    const text = Buffer.concat([chunk, beginning])
    const firstBreak = position === 0 ? -1 : text.indexOf(0x0a)
    beginning = firstBreak < 0 && position > 0 ? text : text.subarray(0, Math.max(0, firstBreak))
    if (firstBreak < 0 && position > 0) continue
    const lines = text
      .subarray(firstBreak + 1)
      .toString()
      .split('\n')
    for (let index = lines.length - 1; index >= 0; index--) if (lines[index]) yield lines[index] as string
  }
}

/** `undefined` for what is no audit line: a line that was cut off when a disk was full. */
function parse(line: string): AuditEvent | undefined {
  try {
    const event = JSON.parse(line) as AuditEvent
    return event.kind === 'Event' ? event : undefined
  } catch {
    return undefined
  }
}
