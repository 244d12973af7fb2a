import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { dnsLabel } from './schemas.ts'
import { validationError } from './validation.ts'

/** The fields that are wrong with a body, in English and in Korean. */
function wrongWith(schema: z.ZodType, body: unknown): Record<string, { en: string; ko: string }> {
  const { error } = schema.safeParse(body)
  if (error === undefined) throw new Error('it is right')
  return validationError(error, body, 'body').fields as Record<string, { en: string; ko: string }>
}

describe('details.fields', () => {
  it('names the values that would do where one field decides which others there are', () => {
    const schema = z.discriminatedUnion('provider', [
      z.strictObject({ provider: z.literal('aws') }),
      z.strictObject({ provider: z.literal('gcp') }),
    ])

    for (const body of [{}, { provider: 'hunter2' }, { provider: null }]) {
      const { provider } = wrongWith(schema, body)
      expect(provider).toEqual({ en: 'must be one of aws, gcp', ko: '다음 중 하나여야 합니다: aws, gcp.' })
    }
  })

  it('names the types that would do where there are several', () => {
    const schema = z.strictObject({ key: z.union([z.string(), z.record(z.string(), z.unknown())]) })

    expect(wrongWith(schema, {}).key?.en).toBe('is missing: give text or a JSON object')
    expect(wrongWith(schema, { key: 5 }).key?.ko).toBe('문자열 또는 JSON 객체이어야 합니다.')
  })

  it('says of a query parameter that it is given twice, and of a body that a list is not what is wanted', () => {
    const schema = z.strictObject({ limit: z.string() })
    const said = (whole: string) => {
      const input = { limit: ['1', '2'] }
      const { error } = schema.safeParse(input)
      return error && validationError(error, input, whole).fields?.limit?.en
    }
    expect(said('query')).toBe('is given more than once: give it once')
    expect(said('body')).toBe('must be text')
  })

  it('says what a name has to look like', () => {
    expect(wrongWith(z.strictObject({ name: dnsLabel }), { name: 'Web 1' }).name?.en).toMatch(
      /lower-case.*such as web-1/,
    )
  })

  it('says what the key of a map has to look like', () => {
    const schema = z.strictObject({ variables: z.record(z.string().regex(/^[a-z]+$/), z.string()) })

    expect(wrongWith(schema, { variables: { A: 'x' } })['variables.A']?.en).toBe(
      'has the wrong form: must match /^[a-z]+$/',
    )
  })
})
