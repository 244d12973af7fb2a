/** What a run printed, put together from the pieces that the controller keeps in ConfigMaps. */
import type { ConfigMap } from '../../kube/builtin-types.ts'

export interface Piece {
  readonly phase: 'plan' | 'apply'
  readonly index: number
  readonly text: string
}

/** The last part of the output that `GET executions/:id` shows, in characters. */
const TAIL = 64 * 1024

/** In the order in which they were printed; where some were left out because there was too much, a line says so. */
export function piecesInOrder(items: readonly ConfigMap[]): readonly Piece[] {
  const pieces = items.map(pieceOf).sort((a, b) => order(a) - order(b) || a.index - b.index)
  return pieces.map((piece, at) => {
    const before = pieces[at - 1]
    const expected = before?.phase === piece.phase ? before.index + 1 : 0
    return piece.index === expected
      ? piece
      : { ...piece, text: `\n… (a part of the output was too long to be kept)\n${piece.text}` }
  })
}

export function outputTail(pieces: readonly Piece[]): string {
  const whole = pieces.map(({ text }) => text).join('')
  return whole.length <= TAIL ? whole : `…${whole.slice(whole.length - TAIL)}`
}

function pieceOf({ metadata, data }: ConfigMap): Piece {
  return {
    phase: metadata.labels?.['skyclust.io/tofu-content'] === 'output-apply' ? 'apply' : 'plan',
    index: Number(metadata.annotations?.['skyclust.io/output-piece'] ?? 0),
    text: data?.output ?? '',
  }
}

function order({ phase }: Piece): number {
  return phase === 'plan' ? 0 : 1
}
