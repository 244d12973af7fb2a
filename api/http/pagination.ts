/**
 * `limit` and `offset`, and the order of every list: oldest first, then by id.
 */
import { z } from '@hono/zod-openapi'
import type { KubeObject } from '../../kube/resource.ts'
import { check } from './validation.ts'

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1000

function wholeNumber(documented: { minimum: number; maximum: number; default: number; description: string }) {
  return z
    .string()
    .refine(
      (value) => /^\d{1,15}$/.test(value),
      check({ ko: '0 이상의 정수여야 합니다.', en: 'must be a whole number' }),
    )
    .transform(Number)
    .pipe(z.number().int().min(documented.minimum).max(documented.maximum))
    .default(documented.default)
    .openapi({ type: 'integer', ...documented })
}

/** What every list takes; spread it into a `z.strictObject`, so that a misspelt filter is refused and not ignored. */
export const pageQuery = {
  limit: wholeNumber({
    minimum: 1,
    maximum: MAX_LIMIT,
    default: DEFAULT_LIMIT,
    description: 'How many entries to answer.',
  }),
  offset: wholeNumber({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 0,
    description: 'How many entries to skip.',
  }),
}

export interface Page {
  readonly limit: number
  readonly offset: number
}

export function pageOf<T>(all: readonly T[], page: Page): { items: readonly T[]; total: number } {
  const whole = page.offset === 0 && all.length <= page.limit
  return { items: whole ? all : all.slice(page.offset, page.offset + page.limit), total: all.length }
}

/** Kubernetes times are RFC 3339 in UTC with whole seconds: as texts they sort as they should. */
export function oldestFirst(one: KubeObject, other: KubeObject): number {
  const a = one.metadata.creationTimestamp ?? ''
  const b = other.metadata.creationTimestamp ?? ''
  if (a !== b) return a < b ? -1 : 1
  return one.metadata.uid < other.metadata.uid ? -1 : 1
}
