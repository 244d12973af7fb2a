/**
 * What `GET /api/v1/audit` reads: the newest lines first.
 *
 * Where audit lines go to a file, that file is read from its end (and, when another replica writes into it too, its
 * lines are there as well), {@link SEARCHED_BYTES} far at most. Where they go to standard output, whoever collects that
 * has them all; this process remembers its own last {@link REMEMBERED} lines.
 */
import { open } from 'node:fs/promises'
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

/** @param written resolves once what was logged so far is in the file */
export function fileTrail(path: string, written: () => Promise<void>): AuditTrail {
  return {
    async *newest() {
      await written()
      for await (const line of linesFromEnd(path)) {
        const event = parse(line)
        if (event !== undefined) yield event
      }
    },
  }
}

async function* linesFromEnd(path: string): AsyncGenerator<string> {
  const file = await open(path, 'r')
  try {
    let position = (await file.stat()).size
    const end = Math.max(0, position - SEARCHED_BYTES)
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
  } finally {
    await file.close()
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
