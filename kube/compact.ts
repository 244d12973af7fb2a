/**
 * Makes objects fit to be kept for long by the thousand: deeply frozen, and with strings that many of them repeat (images,
 * messages of conditions, label values) held once.
 *
 * Assumes plain JSON values that nobody else holds: they are changed in place before they are frozen.
 */

/** Shorter ones V8 shares by itself when it parses JSON (`JsonParser::kMaxInternalizedStringValueLength`). */
const SHARED_BY_V8 = 10
/** Longer ones are hardly ever repeated, and comparing them costs. */
const LONGEST_SHARED = 256
const SLOTS = 8192

export type Compact = <V>(value: V) => V

/**
 * The strings seen last are remembered, each in the one slot that its hash says; a new one takes the slot over. So memory
 * is bounded, and strings that are all different cost a comparison each and nothing else.
 */
export function compactor(): Compact {
  const slots: string[] = new Array(SLOTS).fill('')

  function shared(text: string): string {
    const slot = hash(text) % SLOTS
    const known = slots[slot]
    if (known === text) return known
    slots[slot] = text
    return text
  }

  function compact<V>(value: V): V {
    if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
    const object = value as Record<string, unknown>
    for (const key in object) {
      const inner = object[key]
      if (typeof inner === 'object') compact(inner)
      else if (typeof inner === 'string' && inner.length > SHARED_BY_V8 && inner.length <= LONGEST_SHARED) {
        object[key] = shared(inner)
      }
    }
    return Object.freeze(value)
  }

  return compact
}

/** Of the length and a few characters: equal strings collide, and different ones seldom do. */
function hash(text: string): number {
  const { length } = text
  let sum = length
  const step = (length >> 4) + 1
  for (let index = length - 1; index >= 0; index -= step) sum = (Math.imul(sum, 31) + text.charCodeAt(index)) >>> 0
  return sum
}
