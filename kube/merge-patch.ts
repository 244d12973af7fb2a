/**
 * The JSON merge patch (RFC 7386) that turns one JSON value into another: nested objects are compared key by key,
 * lists and scalars are replaced whole, `null` removes a key. Keys whose value is `undefined` count as absent, as in JSON.
 */

/** `undefined` when both say the same. */
export function mergePatchBetween(before: unknown, after: unknown): unknown {
  if (!isObject(before) || !isObject(after)) return sameJson(before, after) ? undefined : after
  const patch: Record<string, unknown> = {}
  for (const key of Object.keys(before)) {
    if (before[key] !== undefined && after[key] === undefined) patch[key] = null
  }
  for (const [key, value] of Object.entries(after)) {
    if (value === undefined) continue
    const difference = mergePatchBetween(before[key], value)
    if (difference !== undefined) patch[key] = difference
  }
  return Object.keys(patch).length === 0 ? undefined : patch
}

/** Whether both would be the same JSON, whatever the order of keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((value, index) => sameJson(value, b[index]))
  }
  if (!isObject(a) || !isObject(b)) return false
  return presentKeys(a) === presentKeys(b) && Object.keys(a).every((key) => sameJson(a[key], b[key]))
}

function presentKeys(value: Record<string, unknown>): number {
  let count = 0
  for (const key in value) if (value[key] !== undefined) count++
  return count
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
