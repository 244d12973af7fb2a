/**
 * Splits the bytes of a watch into lines, one JSON document each.
 *
 * A line is put together once, however many chunks it came in, and chunks are cut at newline bytes only, so
 * that no character is torn apart. A line longer than {@link MAX_LINE_BYTES} is a `KubeError`: the API server's objects
 * are far smaller (etcd refuses 1.5 MiB by default), and memory must not depend on what a peer sends.
 */
import { KubeError } from './kube-error.ts'

export interface LineSplitter {
  /** The lines that this chunk completes; empty ones left out. */
  push(chunk: Buffer): string[]
}

export const MAX_LINE_BYTES = 32 * 1024 * 1024
const NEWLINE = 0x0a

export function lineSplitter(): LineSplitter {
  let pieces: Buffer[] = []
  let pendingBytes = 0

  function keep(piece: Buffer): void {
    if (piece.length === 0) return
    pendingBytes += piece.length
    if (pendingBytes > MAX_LINE_BYTES) throw tooLong()
    pieces.push(piece)
  }

  return {
    push(chunk) {
      const end = chunk.lastIndexOf(NEWLINE)
      if (end < 0) {
        keep(chunk)
        return []
      }
      let complete: Buffer = chunk.subarray(0, end)
      if (pieces.length > 0) {
        complete = Buffer.concat([...pieces, complete])
        pieces = []
        pendingBytes = 0
      }
      keep(chunk.subarray(end + 1))
      return complete
        .toString('utf8')
        .split('\n')
        .filter((line) => line !== '')
    },
  }
}

function tooLong(): KubeError {
  return new KubeError(`a watch event of more than ${MAX_LINE_BYTES} bytes`, { status: 0, reason: 'BadAnswer' })
}
