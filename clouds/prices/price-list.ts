/**
 * Price lists as files: those that come with the program, and the operator's, which has the same form. A file may hold several
 * lists, as YAML documents or as a sequence:
 *
 *     provider: aws
 *     source: our agreement with AWS
 *     date: 2026-11-01
 *     currency: USD
 *     types:
 *       m5.large: {us-east-1: 0.081, eu-west-1: 0.09}
 *
 * A list is taken whole or refused with a sentence that names what is wrong: a price that was silently left out would be
 * replaced by another one.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import type { Price, PricedType } from './price.ts'

export interface PriceList {
  find(type: PricedType): Price | undefined
  /** How many prices there are. */
  readonly size: number
}

const name = z.string().min(1).max(64)
/** Of an hour. The dearest type that any cloud offers is a few hundred dollars. */
const dollars = z.number().min(0).max(100_000)

const listSchema = z.strictObject({
  provider: z.enum(['aws', 'gcp', 'sim']),
  source: z.string().min(1).max(256),
  date: z.iso.date(),
  currency: z.literal('USD'),
  types: z.record(name, z.record(name, dollars)),
})

/** @param file how it is called in a refusal @throws Error of one line */
export function parsePriceLists(text: string, file: string): readonly PriceList[] {
  const documents = parseAllDocuments(text)
  if (!Array.isArray(documents) || documents.length === 0) throw new Error(`${file}: has no price list`)
  const found = documents.flatMap((document): unknown[] => {
    const [problem] = document.errors
    if (problem !== undefined) throw new Error(`${file}: ${firstLine(problem.message)}`)
    const content: unknown = document.toJS()
    return Array.isArray(content) ? content : [content]
  })
  return found.map((content, index) => {
    const parsed = listSchema.safeParse(content)
    if (parsed.success) return priceList(parsed.data)
    const where = found.length === 1 ? file : `${file}, list ${index + 1}`
    throw new Error(`${where}: ${words(parsed.error.issues[0])}`)
  })
}

/** Those that come with the program, in the order of their names. */
export function shippedPriceLists(): readonly PriceList[] {
  const directory = new URL('lists/', import.meta.url)
  return readdirSync(directory)
    .sort()
    .flatMap((file) => parsePriceLists(readFileSync(new URL(file, directory), 'utf8'), file))
}

function priceList({ provider, source, date, currency, types }: z.output<typeof listSchema>): PriceList {
  const prices = new Map<string, Price>()
  for (const [instanceType, regions] of Object.entries(types)) {
    for (const [region, amount] of Object.entries(regions)) {
      const key = `${region}/${instanceType}`
      prices.set(key, { amount: String(amount), currency, source, pricedAt: `${date}T00:00:00Z` })
    }
  }
  return {
    size: prices.size,
    find: (type) => (type.provider === provider ? prices.get(`${type.region}/${type.instanceType}`) : undefined),
  }
}

function words(issue: z.core.$ZodIssue | undefined): string {
  return issue === undefined ? 'is not valid' : `${issue.path.map(String).join('.') || 'it'}: ${issue.message}`
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? ''
}
