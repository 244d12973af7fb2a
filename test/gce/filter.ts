/**
 * List filters as AIP-160 has them, as far as Compute Engine takes them: `field = value`, joined by `AND` and `OR`, in
 * parentheses or not. `OR` binds more tightly than `AND`.
 *
 * @see https://google.aip.dev/160
 */
import { GceRefusal } from './refusal.ts'

type Matcher = (resource: unknown) => boolean

const token = /\s*(\(|\)|AND\b|OR\b|!=|=|"(?:[^"\\]|\\.)*"|[A-Za-z0-9_.-]+)/y

export function filterMatcher(text: string): Matcher {
  const tokens = tokensOf(text)
  let at = 0

  function conjunction(): Matcher {
    const parts = [disjunction()]
    while (tokens[at] === 'AND') {
      at++
      parts.push(disjunction())
    }
    return (resource) => parts.every((part) => part(resource))
  }

  function disjunction(): Matcher {
    const parts = [term()]
    while (tokens[at] === 'OR') {
      at++
      parts.push(term())
    }
    return (resource) => parts.some((part) => part(resource))
  }

  function term(): Matcher {
    if (tokens[at] !== '(') return comparison()
    at++
    const inner = conjunction()
    if (tokens[at++] !== ')') throw malformed(text)
    return inner
  }

  function comparison(): Matcher {
    const [field, operator, value] = tokens.slice(at, at + 3)
    at += 3
    if (field === undefined || value === undefined || (operator !== '=' && operator !== '!=')) throw malformed(text)
    const wanted = value.startsWith('"') ? (JSON.parse(value) as string) : value
    return (resource) => (valueAt(resource, field) === wanted) === (operator === '=')
  }

  const matcher = conjunction()
  if (at !== tokens.length) throw malformed(text)
  return matcher
}

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  token.lastIndex = 0
  while (token.lastIndex < text.trimEnd().length) {
    const found = token.exec(text)
    if (!found?.[1]) throw malformed(text)
    tokens.push(found[1])
  }
  return tokens
}

/** `labels.<key>` may have dots behind the first; what is not there is nothing. */
function valueAt(resource: unknown, field: string): string | undefined {
  const [first = '', ...rest] = field.split('.')
  const value = (resource as Record<string, unknown> | undefined)?.[first]
  return rest.length === 0 ? (value === undefined ? undefined : String(value)) : valueAt(value, rest.join('.'))
}

function malformed(text: string): GceRefusal {
  return new GceRefusal(400, 'invalid', `Invalid value for field 'filter': '${text}'. Invalid list filter expression.`)
}
