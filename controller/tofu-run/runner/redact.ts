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

export function redactor(secrets: Iterable<string>): Redactor {
  const forms = disguises(secrets)
  const longest = forms.reduce((length, form) => Math.max(length, form.length), 0)
  const byFirst = Map.groupBy(forms, (form) => form[0])
  const pattern = forms.length === 0 ? undefined : new RegExp(forms.map(literal).join('|'), 'g')
  let held = ''

  function clean(text: string): string {
    return pattern === undefined ? text : text.replace(pattern, redacted)
  }

  /** Where the end of the text begins that may be the beginning of a secret; the length of the text when none may. */
  function unfinished(text: string): number {
    for (let from = Math.max(0, text.length - longest + 1); from < text.length; from++) {
      const end = text.slice(from)
      if (byFirst.get(text[from])?.some((form) => form.length > end.length && form.startsWith(end))) return from
    }
    return text.length
  }

  return {
    push(text) {
      if (pattern === undefined) return text
      held += text
      // A secret that begins before `safe` has been seen to its end; one that begins there may be incomplete.
      let safe = unfinished(held)
      for (const match of held.matchAll(pattern)) {
        if (match.index < safe && match.index + match[0].length > safe) safe = match.index + match[0].length
      }
      const shown = clean(held.slice(0, safe))
      held = held.slice(safe)
      return shown
    },
    end() {
      const rest = clean(held)
      held = ''
      return rest
    },
  }
}

/** Everything under which a secret might be printed, the longest first, so that none is cut short by a part of itself. */
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
  return [...forms].sort((a, b) => b.length - a.length)
}

/** As a regular expression that matches just this text. */
function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
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
