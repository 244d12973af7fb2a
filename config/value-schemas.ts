/**
 * What one setting's text may say. Every schema takes the text as it stands in an environment
 * variable and gives the value the program works with; its message says what would be right,
 * because it ends up as the one line with which a start is refused.
 */
import { z } from 'zod'

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const durationPart = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g
const durationText = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/

/** `500ms`, `60s`, `1h30m`: milliseconds. The bounds are texts of the same form. */
export function duration(bounds: { readonly min?: string; readonly max?: string } = {}) {
  const min = bounds.min === undefined ? 0 : durationMs(bounds.min)
  const max = bounds.max === undefined ? Number.MAX_SAFE_INTEGER : durationMs(bounds.max)
  return z
    .string()
    .regex(durationText, 'is no duration; write a number and a unit (ms, s, m, h, d), such as 30s or 1h30m')
    .transform(durationMs)
    .refine((ms) => ms >= min, `is too short; the least is ${bounds.min}`)
    .refine((ms) => ms <= max, `is too long; the most is ${bounds.max}`)
}

function durationMs(text: string): number {
  let ms = 0
  for (const [, amount, unit] of text.matchAll(durationPart)) ms += Number(amount) * (unitMs[unit ?? ''] ?? 0)
  return ms
}

/** A whole number within these bounds. */
export function wholeNumber(bounds: { readonly min: number; readonly max: number }) {
  const message = `is no whole number from ${bounds.min} to ${bounds.max}`
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .refine((value) => value >= bounds.min && value <= bounds.max, message)
}

const byteUnits: Readonly<Record<string, number>> = { Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 }

/** `512Mi`, `4Gi`: bytes. The least is a text of the same form. */
export function bytes({ min }: { readonly min: string }) {
  return z
    .string()
    .regex(/^\d{1,6}[MGT]i$/, 'is no size; write a whole number and a unit (Mi, Gi, Ti), such as 512Mi or 4Gi')
    .transform(byteCount)
    .refine((count) => count >= byteCount(min), `is too small; the least is ${min}`)
}

function byteCount(text: string): number {
  return Number(text.slice(0, -2)) * (byteUnits[text.slice(-2)] ?? 0)
}

/** Shares of processors as Kubernetes writes them: `2`, `0.5`, `500m`. */
export const processors = z
  .string()
  .regex(/^(\d{1,3}(\.\d{1,3})?|\d{1,6}m)$/, 'is no number of CPUs, such as 2, 0.5 or 500m')
  .refine((value) => parseFloat(value) >= (value.endsWith('m') ? 100 : 0.1), 'is too small; the least is 100m')

/** A TCP port; 0 lets the system pick one. */
export const port = wholeNumber({ min: 0, max: 65_535 })

/** `true` or `false`. */
export const flag = z.enum(['true', 'false'], 'is neither true nor false').transform((text) => text === 'true')

export function oneOf<const T extends readonly [string, ...string[]]>(...choices: T) {
  return z.enum(choices, `is none of ${choices.join(', ')}`)
}

/** Comma-separated, each one of these, each once. */
export function listOf<const T extends readonly [string, ...string[]]>(...choices: T) {
  const item = z.enum(choices, `is no comma-separated list of ${choices.join(', ')}`)
  return z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(item))
    .transform((items) => [...new Set(items)] as readonly T[number][])
}

/** Any text on one line. */
export const text = z.string().regex(/^[^\r\n]*$/, 'has more than one line')

/** An `http` or `https` URL, kept as it was written but for slashes at its end. */
export const url = z
  .string()
  .refine(isHttpUrl, 'is no http or https URL, such as https://example.com')
  .transform((value) => value.replace(/\/+$/, ''))

function isHttpUrl(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
}

/** A DNS label, as a Kubernetes namespace is named (RFC 1123). */
export const dnsLabel = z
  .string()
  .regex(/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/, 'is no DNS label; use lower-case letters, digits and -, 63 at most')

/** Comma-separated UIDs of Kubernetes objects; none is fine. */
export const uids = z
  .string()
  .transform(
    (value) =>
      value
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean) as readonly string[],
  )
  .refine(
    (parts) => parts.every((part) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(part)),
    'is no comma-separated list of UIDs; kubectl get namespace kube-system -o jsonpath={.metadata.uid} shows that of a cluster',
  )
