/**
 * Fields and rules that several kinds share. Whatever a user may get wrong is a CEL rule rather than a `pattern`,
 * because a rule's message can say what would be right.
 */
import { z } from 'zod'
import type { ValidationRule } from './kind.ts'

/** Puts CEL rules on a schema; the most outward `describe` or `meta` of a field must not come before. */
export function rules(...list: readonly ValidationRule[]): { readonly 'x-kubernetes-validations': ValidationRule[] } {
  return { 'x-kubernetes-validations': [...list] }
}

/**
 * A rule for a schema with the field `field`: its value, or its absence, never changes.
 * @param remedy what to do instead, as the end of a sentence
 */
export function immutable(field: string, remedy: string): ValidationRule {
  return {
    rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
    message: `spec.${field} cannot be changed: ${remedy}`,
    fieldPath: `.${field}`,
  }
}

/**
 * The object's own name is a DNS label (RFC 1123), as names of Namespaces and hosts are: what a name with dots has
 * more than that is all that is left to refuse here.
 */
export function nameIsLabel(kind: string): ValidationRule {
  return {
    rule: "!self.metadata.name.contains('.')",
    message: `metadata.name of a ${kind} has no dots: use lower-case letters, digits and '-'`,
    fieldPath: '.metadata.name',
  }
}

/** The name of another object, as every Kubernetes object may be named. @param field as in its message: `spec.owner` */
export function objectName(field: string, what: string) {
  return z
    .string()
    .min(1)
    .max(253)
    .meta(
      rules({
        rule: "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
        message: `${field} must be the name of ${what}: lower-case letters, digits, '-' and '.'`,
      }),
    )
}

/** A region's or zone's name. */
export function placeName(field: string, example: string) {
  return z
    .string()
    .max(63)
    .meta(
      rules({
        rule: "self.matches('^[a-z][a-z0-9-]*[a-z0-9]$')",
        message: `${field} must be a name such as ${example}; leave the field out for the default`,
      }),
    )
}

/** RFC 3339; the API server checks the format. */
export const time = z.iso.datetime({ offset: true })

const condition = z.object({
  type: z.string().max(316).describe('What the condition is about, in CamelCase.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .describe('The metadata.generation for which it was found; older than the present one means out of date.'),
  lastTransitionTime: time.describe('When its status last changed.'),
  reason: z.string().min(1).max(1024).describe('Why, as one CamelCase word for programs.'),
  message: z.string().max(32768).describe('Why, as a sentence for people.'),
})

export const conditions = z
  .array(condition)
  .max(16)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
  .describe('What is known of the object, each with its reason: wait for one with kubectl wait --for=condition=Ready.')

export const observedGeneration = z
  .int()
  .min(-1)
  .describe(
    'The metadata.generation that the controller has seen; older than the present one means not yet acted upon, -1 never.',
  )

export const providers = ['aws', 'gcp', 'sim'] as const
export type ProviderName = (typeof providers)[number]

export const ageColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Since when there is such an object.',
} as const

export const readyColumn = {
  name: 'Ready',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].status',
  description: 'Whether it is as its spec wants it.',
} as const

export const reasonColumn = {
  name: 'Reason',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
  description: 'Why it is ready or is not.',
} as const
