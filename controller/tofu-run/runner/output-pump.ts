/**
 * Carries what tofu prints to the controller: redacted, in numbered pieces that are sent whole, so that repeating one is
 * harmless; at least once a second while there is something new. Bounded: of what is too long, the first and the last pieces are
 * kept, here too while they cannot be sent, and a reader sees by the numbers that some are missing.
 *
 * It never holds up tofu and never fails it: a piece that cannot be sent is sent with the next beat. What has not arrived when the patience
 * of the link is over is lost.
 */
import { outputFirstPieces, outputLastPieces, outputPieceBytes } from '../protocol.ts'
import type { Redactor } from './redact.ts'

export interface OutputPump {
  write(text: string): void
  /** Sends what there is, until everything has arrived. */
  close(): Promise<void>
  /** Sends nothing more. */
  cease(): void
}

/** A piece is never longer than this, redaction done. UTF-16 units; at most three bytes each. */
const pieceLength = Math.floor(outputPieceBytes / 3)

export function outputPump(options: {
  readonly redactor: Redactor
  readonly sendPiece: (index: number, text: string, patient: boolean) => Promise<void>
  /** Also called with every beat: the controller hears that we live, and may say that we should stop. */
  readonly beat: () => Promise<void>
  readonly everyMs: number
}): OutputPump {
  const { redactor, sendPiece, beat, everyMs } = options
  /** Pieces that have not arrived as they are now; the last one may still grow. */
  const pieces = new Map<number, string>()
  let last = 0
  /** The last piece as it is now: it is sent again, whole, when it has grown. */
  let grown = ''
  let sending: Promise<void> = Promise.resolve()
  let closed = false

  function add(shown: string): void {
    let text = grown + shown
    while (text.length > pieceLength) {
      pieces.set(last, text.slice(0, pieceLength))
      text = text.slice(pieceLength)
      last += 1
      const replaced = last - outputLastPieces // the new one takes its place
      if (replaced >= outputFirstPieces) pieces.delete(replaced)
    }
    grown = text
    pieces.set(last, text)
  }
  async function sendAll(patient: boolean): Promise<void> {
    for (const [index, text] of [...pieces]) {
      await sendPiece(index, text, patient)
      if (pieces.get(index) === text) pieces.delete(index)
    }
  }

  function tick(): void {
    sending = sending
      .then(() => sendAll(false))
      .then(beat)
      .catch(() => undefined) // the next beat tries again
      .finally(() => {
        if (!closed) timer = setTimeout(tick, everyMs)
      })
  }
  let timer = setTimeout(tick, everyMs)

  function cease(): void {
    closed = true
    clearTimeout(timer)
  }

  return {
    cease,
    write(text) {
      const shown = redactor.push(text)
      if (shown !== '') add(shown)
    },
    async close() {
      cease()
      const rest = redactor.end()
      if (rest !== '') add(rest)
      await sending
      await sendAll(true).catch(() => undefined)
    },
  }
}
