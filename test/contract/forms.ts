/** What values look like, for `toEqual`. */
import { expect } from 'vitest'

export const anId = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
/** ISO 8601 in UTC, with whole seconds. */
export const aTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
export const aText = expect.stringMatching(/./)

/** A UUID that nothing has. */
export const NOBODY = '00000000-0000-4000-8000-000000000000'

export function failure(code: string, message: unknown = aText) {
  return { success: false, error: { code, message } }
}

/** A `VALIDATION_ERROR` that names these fields. */
export function invalid(...fields: readonly string[]) {
  const details = { fields: Object.fromEntries(fields.map((field) => [field, aText])) }
  return { success: false, error: { code: 'VALIDATION_ERROR', message: aText, details } }
}
