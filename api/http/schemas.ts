/**
 * The kinds of value that REST bodies and answers are made of.
 *
 * Every text that comes in goes through {@link text}: bounded, and free of what no Kubernetes object, log line or
 * terminal should have to carry.
 */
import { z } from '@hono/zod-openapi'
import { check } from './validation.ts'

const printable = check({
  ko: '제어 문자나 짝이 없는 서로게이트를 포함할 수 없습니다.',
  en: 'must not have control characters or lone surrogates',
})

/** Well-formed Unicode without control characters; `multiline` allows line breaks and tabs. */
export function text(bounds: { readonly min?: number; readonly max: number; readonly multiline?: boolean }) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is control characters that are refused
  const control = bounds.multiline ? /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/ : /[\x00-\x1f\x7f]/
  return z
    .string()
    .min(bounds.min ?? 0)
    .max(bounds.max)
    .refine((value) => value.isWellFormed() && !control.test(value), printable)
}

/** What is meant to be read: not only blanks. */
export function title(max: number) {
  return text({ min: 1, max }).refine(
    (value) => value.trim() !== '',
    check({ ko: '비어 있을 수 없습니다.', en: 'must not be empty' }),
  )
}

/** Compared without case. 254 characters: RFC 5321 §4.5.3.1.3. */
export const email = z
  .string()
  .max(254)
  .pipe(z.email())
  .openapi({ type: 'string', format: 'email', maxLength: 254, example: 'alice@example.com' })

/** Any well-formed text: a passphrase in any script. Counted in characters (code points), as a person counts. */
export const password = z
  .string()
  .refine(
    (value) => [...value.slice(0, 512)].length >= 8,
    check({ ko: '비밀번호는 8자 이상이어야 합니다.', en: 'must have at least 8 characters' }),
  )
  .refine(
    (value) => value.length <= 256 && [...value].length <= 128,
    check({ ko: '비밀번호는 128자 이하여야 합니다.', en: 'must have at most 128 characters' }),
  )
  .refine((value) => value.isWellFormed() && !value.includes('\0'), printable)
  .openapi({ type: 'string', format: 'password', minLength: 8, maxLength: 128 })

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

/** RFC 1123. */
export const dnsLabel = z
  .string()
  .refine(
    (value) => label.test(value),
    check({
      ko: '영문 소문자, 숫자, 하이픈으로 된 63자 이하의 DNS 레이블이어야 합니다(예: web-1).',
      en: 'must be a DNS label: at most 63 lower-case letters, digits and hyphens, such as web-1',
    }),
  )
  .openapi({ pattern: label.source, example: 'web-1' })

/** An id as a reference: one that is no UUID is simply one that does not exist. */
export const reference = z.string().max(256).openapi({ format: 'uuid' })

/** An id in a path. The pattern is for the reader of `/openapi.json`: whatever does not fit it does not exist. */
export const pathId = z.string().openapi({
  format: 'uuid',
  pattern: '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$',
  example: '5b0f3c5e-3d0e-4a53-9f5c-3d7c7d1f9f10',
})

/** A name in a path, likewise. */
export const pathName = (example: string) =>
  z.string().openapi({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$', example })

export const uuid = z.string().openapi({ format: 'uuid', example: '5b0f3c5e-3d0e-4a53-9f5c-3d7c7d1f9f10' })
export const time = z.string().openapi({ format: 'date-time', example: '2024-01-01T00:00:00Z' })

/** For a `PUT` in which every field may be left out, but not all of them. */
export function notEmpty<S extends z.ZodRawShape>(shape: S) {
  const names = Object.keys(shape).join(', ')
  return z
    .strictObject(shape)
    .refine(
      (value) => Object.values(value).some((field) => field !== undefined),
      check({ ko: `다음 중 하나 이상이 필요합니다: ${names}.`, en: `give at least one of ${names}` }),
    )
}
