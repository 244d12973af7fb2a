/**
 * From zod to the structural OpenAPI v3 schema that a CRD must have, and the rules of this house for it: every field
 * is described, every string, list and map is bounded. What breaks a rule is refused here, when the YAML is made,
 * with the path of the field.
 *
 * @see https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 */
import { z } from 'zod'

export interface StructuralSchema {
  readonly type: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, StructuralSchema>>
  readonly [keyword: string]: unknown
}

interface JsonSchema {
  readonly type?: string
  readonly format?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: JsonSchema | false
  readonly items?: JsonSchema
  readonly [keyword: string]: unknown
}

/** In the order in which they are read best; anything else that zod may say has no place in a CRD. */
const keywords = [
  'description',
  'type',
  'format',
  'enum',
  'default',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-validations',
] as const

/** What is rewritten rather than copied, or means nothing to the API server. */
const rewritten = new Set(['properties', 'additionalProperties', 'items', 'pattern'])

/** @throws when something in the schema is undescribed, unbounded or not structural; names its path from `path` */
export function structuralSchema(schema: z.ZodType, path: string): StructuralSchema {
  const json = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', reused: 'inline', cycles: 'throw' })
  return rewrite(json as JsonSchema, path)
}

function rewrite(schema: JsonSchema, path: string): StructuralSchema {
  if (schema.type === undefined) throw new Error(`${path}: has no type, so it is not structural`)
  if (schema.description === undefined) throw new Error(`${path}: has no description`)
  checkBounds(schema, path)
  return { ...copyKeywords(schema, path), ...rewriteChildren(schema, path) } as StructuralSchema
}

function copyKeywords(schema: JsonSchema, path: string): Record<string, unknown> {
  for (const keyword of Object.keys(schema)) {
    if (rewritten.has(keyword) || (keywords as readonly string[]).includes(keyword)) continue
    throw new Error(`${path}: ${keyword} has no place in a CRD`)
  }
  if (schema.pattern !== undefined && schema.format === undefined) {
    throw new Error(`${path}: say what is wrong by a CEL rule with a message, not by a pattern`)
  }
  const copied: Record<string, unknown> = {}
  for (const keyword of keywords) {
    const value = schema[keyword]
    if (value !== undefined && !isSafeIntegerBound(value)) copied[keyword] = value
  }
  if (schema.type === 'integer') copied.format = 'int64'
  return copied
}

function rewriteChildren(schema: JsonSchema, path: string): Record<string, unknown> {
  const { properties, additionalProperties, items } = schema
  const children: Record<string, unknown> = {}
  if (items) children.items = rewriteItem(items, `${path}[]`)
  // `false` is how zod says "nothing else", which a structural schema says by pruning.
  if (additionalProperties) children.additionalProperties = rewriteItem(additionalProperties, `${path}{}`)
  if (properties) {
    const entries = Object.entries(properties).map(([name, child]) => [name, rewrite(child, `${path}.${name}`)])
    children.properties = Object.fromEntries(entries)
  }
  return children
}

/** What a list or map holds is described by the list or map. */
function rewriteItem(item: JsonSchema, path: string): Record<string, unknown> {
  const described = rewrite({ description: '', ...item }, path)
  if (described.description !== '') return described
  const { description: _, ...rest } = described
  return rest
}

function checkBounds(schema: JsonSchema, path: string): void {
  const { type } = schema
  const bounded =
    type === 'string'
      ? schema.maxLength !== undefined || schema.enum !== undefined || schema.format !== undefined
      : type === 'array'
        ? schema.maxItems !== undefined
        : type === 'object' && schema.additionalProperties
          ? schema.maxProperties !== undefined
          : true
  if (!bounded) throw new Error(`${path}: is a ${type} without an upper bound`)
}

/** zod's way to say that an integer has no bound of its own. */
function isSafeIntegerBound(value: unknown): boolean {
  return value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER
}
