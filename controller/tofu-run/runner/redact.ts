/**
 * Keeps secrets out of what tofu prints, as a stream: bytes go in as they come, text without the secrets comes out.
 *
 * Guarantees: no secret that was named appears in what comes out, however it was cut into pieces on the way in; also not
 * in base64 (all three alignments), as a JSON string, or percent-encoded. Only what may be the beginning of one of these forms is held
 * back, so the memory is bounded and what was printed is seen at once.
 *
 * Caveat: code that wants to print a secret can always disguise it further. This is a net for accidents.
 */
export interface Redactor {
  /** What may be shown by now. */
  push(text: string): string
  /** What was still held back. */
  end(): string
}

export const redacted = '(redacted)'

/** Shorter ones would blank out ordinary words, and are no secrets. */
const shortestSecret = 4
const shortestEncoded = 6

/** Longer forms are looked for in pieces: what is held back, and the time that each look takes, stay bounded. */
const longestPiece = 1024

export function redactor(secrets: Iterable<string>): Redactor {
  const pieces = disguises(secrets)
  const longest = pieces.reduce((length, piece) => Math.max(length, piece.length), 0)
  const byFirst = Map.groupBy(pieces, (piece) => piece[0])
  const byStart = Map.groupBy(pieces, (piece) => startAt(piece, 0))
  let held = ''

  /** Length of the longest piece that is there; 0 for none. */
  function pieceAt(text: string, from: number): number {
    return byStart.get(startAt(text, from))?.find((piece) => text.startsWith(piece, from))?.length ?? 0
  }

  /** Where the end of the text begins that may be the beginning of a secret; the length of the text when none may. */
  function unfinished(text: string): number {
    for (let from = Math.max(0, text.length - longest + 1); from < text.length; from++) {
      const end = text.slice(from)
      if (byFirst.get(text[from])?.some((piece) => piece.length > end.length && piece.startsWith(end))) return from
    }
    return text.length
  }

  /** Shows what begins before that place, a secret that begins there to its end. */
  function show(until: number): string {
    let shown = ''
    let from = 0
    for (let at = 0; at < until; ) {
      const length = pieceAt(held, at)
      if (length === 0) at++
      else {
        shown += held.slice(from, at) + redacted
        at += length
        from = at
      }
    }
    const end = Math.max(until, from)
    shown += held.slice(from, end)
    held = held.slice(end)
    return shown
  }

  return {
    push(text) {
      if (pieces.length === 0) return text
      held += text
      return show(unfinished(held))
    },
    end: () => show(held.length),
  }
}

/** The first two characters as one number. */
function startAt(text: string, at: number): number {
  return text.charCodeAt(at) * 65_536 + text.charCodeAt(at + 1)
}

/** Everything under which a secret might be printed, in pieces, the longest first, so that none is cut short by a part of itself. */
function disguises(secrets: Iterable<string>): string[] {
  const forms = new Set<string>()
  for (const secret of secrets) {
    for (const part of [secret, ...secret.split(/\r?\n/)]) {
      const value = part.trim()
      if (value.length < shortestSecret) continue
      forms.add(value)
      forms.add(JSON.stringify(value).slice(1, -1))
      forms.add(JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1))
      forms.add(percentEncoded(value))
      for (const encoded of base64Forms(value)) forms.add(encoded)
    }
  }
  return [...new Set([...forms].flatMap(inPieces))].sort((a, b) => b.length - a.length)
}

/** Of equal length as far as possible: a short rest would blank out ordinary words, or be shown. */
function inPieces(form: string): string[] {
  const count = Math.ceil(form.length / longestPiece)
  const start = (index: number) => Math.floor((form.length * index) / count)
  return Array.from({ length: count }, (_, index) => form.slice(start(index), start(index + 1)))
}

function percentEncoded(value: string): string {
  return value.isWellFormed() ? encodeURIComponent(value) : value
}

/**
 * Base64 of something that contains the value, wherever in it the value begins: the characters that depend on the value
 * alone, for each of the three alignments.
 */
function base64Forms(value: string): string[] {
  const bytes = Buffer.from(value)
  return [0, 1, 2].flatMap((lead) => {
    const encoded = Buffer.concat([Buffer.alloc(lead), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const from = Math.ceil((lead * 8) / 6)
    const to = Math.floor(((lead + bytes.length) * 8) / 6)
    const core = encoded.slice(from, to)
    if (core.length < shortestEncoded) return []
    return [core, core.replaceAll('+', '-').replaceAll('/', '_')]
  })
}
