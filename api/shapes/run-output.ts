/** What a run printed, put together from the pieces that the controller keeps in ConfigMaps. */
import type { ConfigMap } from '../../kube/builtin-types.ts'

export interface Piece {
  readonly phase: 'plan' | 'apply'
  readonly index: number
  readonly text: string
  /** Whether pieces before this one were left out, because there was too much. */
  readonly afterGap: boolean
}

/** The last part of the output that `GET executions/:id` shows, in characters. */
const TAIL = 64 * 1024

/** Stands where something was left out. */
export const GAP = '\n… (a part of the output was too long to be kept)\n'

/** In the order in which they were printed. */
export function piecesInOrder(items: readonly ConfigMap[]): readonly Piece[] {
  const pieces = items.map(pieceOf).sort((a, b) => order(a) - order(b) || a.index - b.index)
  return pieces.map((piece, at) => {
    const before = pieces[at - 1]
    const expected = before?.phase === piece.phase ? before.index + 1 : 0
    return { ...piece, afterGap: piece.index !== expected }
  })
}

export function wholeOutput(pieces: readonly Piece[]): string {
  return pieces.map(({ text, afterGap }) => (afterGap ? `${GAP}${text}` : text)).join('')
}

export function outputTail(pieces: readonly Piece[]): string {
  const whole = wholeOutput(pieces)
  return whole.length <= TAIL ? whole : `…${whole.slice(whole.length - TAIL)}`
}

function pieceOf({ metadata, data }: ConfigMap): Omit<Piece, 'afterGap'> {
  return {
    phase: metadata.labels?.['skyclust.io/tofu-content'] === 'output-apply' ? 'apply' : 'plan',
    index: Number(metadata.annotations?.['skyclust.io/output-piece'] ?? 0),
    text: data?.output ?? '',
  }
}

function order({ phase }: Pick<Piece, 'phase'>): number {
  return phase === 'plan' ? 0 : 1
}
