/**
 * Finds `backend` and `cloud` blocks in a configuration, with file and line. SkyClust keeps the state; a configuration
 * that names another place would be overridden silently, and its author would look for the state where it never was.
 *
 * It knows as much of HCL as telling blocks from strings, templates, heredocs and comments takes, and leaves every
 * judgement on what does not parse to tofu, which words it better.
 */
export interface ForbiddenBlock {
  readonly file: string
  readonly line: number
  readonly block: 'backend' | 'cloud'
}

/** @param files the text of each file of the root module, by its name. */
export function forbiddenBlocks(files: Readonly<Record<string, string>>): ForbiddenBlock[] {
  return Object.entries(files).flatMap(([file, text]) => {
    if (/\.(tf|tofu)\.json$/.test(file)) return inJson(file, text)
    if (/\.(tf|tofu)$/.test(file)) return inHcl(file, text)
    return []
  })
}

function inJson(file: string, text: string): ForbiddenBlock[] {
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch {
    return []
  }
  return (['backend', 'cloud'] as const).flatMap((block) => {
    const settings = objectsOf(root).flatMap((object) => objectsOf(object.terraform))
    if (!settings.some((object) => block in object)) return []
    const before = text.slice(0, Math.max(0, text.indexOf(`"${block}"`)))
    return [{ file, line: before.split('\n').length, block }]
  })
}

/** In JSON syntax a block may be an object or a list of objects. */
function objectsOf(value: unknown): Record<string, unknown>[] {
  const values: unknown[] = Array.isArray(value) ? value : [value]
  return values.filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null)
}

/** One token at a time: what is skipped whole, and what has a meaning here. */
const token =
  /(?<comment>#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|<<-?(?<heredoc>[\w-]+)[^\n]*\n|(?<quote>")|(?<word>[\p{L}_][\p{L}\p{N}_-]*)|(?<mark>[{}()[\]=\n])/gu

function inHcl(file: string, text: string): ForbiddenBlock[] {
  const found: ForbiddenBlock[] = []
  const open: string[] = []
  let statement: string[] = []
  let line = 1
  let counted = 0

  function lineAt(index: number): number {
    for (; counted < index; counted++) if (text[counted] === '\n') line++
    return line
  }

  function enter(index: number): void {
    const name = statement.includes('=') ? '' : (statement[0] ?? '')
    if (open.length === 1 && open[0] === 'terraform' && (name === 'backend' || name === 'cloud')) {
      found.push({ file, line: lineAt(index), block: name })
    }
    open.push(name)
    statement = []
  }

  token.lastIndex = 0
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const { heredoc, quote, word, mark } = match.groups ?? {}
    if (heredoc !== undefined) token.lastIndex = endOfHeredoc(text, token.lastIndex, heredoc)
    else if (quote !== undefined) token.lastIndex = endOfString(text, token.lastIndex)
    else if (word !== undefined) statement.push(word)
    else if (mark === '{' || mark === '(' || mark === '[') enter(match.index)
    else if (mark === '}' || mark === ')' || mark === ']') {
      open.pop()
      statement = []
    } else if (mark === '=') statement.push('=')
    else if (mark === '\n') statement = []
  }
  return found
}

function endOfHeredoc(text: string, from: number, marker: string): number {
  for (let start = from; start < text.length; ) {
    const end = text.indexOf('\n', start)
    const stop = end === -1 ? text.length : end
    if (text.slice(start, stop).trim() === marker) return stop
    start = stop + 1
  }
  return text.length
}

/** From behind the opening quote to behind the closing one; a template inside may hold strings of its own. */
function endOfString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const char = text[at]
    if (char === '\\') at++
    else if (char === '"') return at + 1
    else if ((char === '$' || char === '%') && text[at + 1] === '{') {
      if (text[at - 1] === char) continue
      at = endOfTemplate(text, at + 2) - 1
    }
  }
  return text.length
}

function endOfTemplate(text: string, from: number): number {
  let depth = 1
  for (let at = from; at < text.length; at++) {
    const char = text[at]
    if (char === '"') at = endOfString(text, at + 1) - 1
    else if (char === '{') depth++
    else if (char === '}' && --depth === 0) return at + 1
  }
  return text.length
}
