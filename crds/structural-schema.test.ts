import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { structuralSchema } from './structural-schema.ts'

const text = z.string().max(9).describe('A text.')

function refusal(schema: z.ZodType): string {
  try {
    structuralSchema(schema, 'spec')
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('was not refused')
}

describe('structuralSchema', () => {
  it('keeps bounds, defaults, descriptions and Kubernetes extensions', () => {
    const rules = [{ rule: 'self != "x"', message: 'spec.name cannot be x: choose another' }]
    const schema = z
      .object({
        name: z.string().min(1).max(9).meta({ 'x-kubernetes-validations': rules }).describe('Its name.'),
        mode: z.enum(['On', 'Off']).default('On').describe('Its mode.'),
      })
      .describe('A thing.')

    expect(structuralSchema(schema, 'spec')).toEqual({
      description: 'A thing.',
      type: 'object',
      required: ['name'],
      properties: {
        name: {
          description: 'Its name.',
          type: 'string',
          minLength: 1,
          maxLength: 9,
          'x-kubernetes-validations': rules,
        },
        mode: { description: 'Its mode.', type: 'string', enum: ['On', 'Off'], default: 'On' },
      },
    })
  })

  it('says of integers how wide they are, and not that JavaScript ends at 2^53', () => {
    const schema = z.object({ count: z.int().min(0).describe('How many.') }).describe('A thing.')

    expect(structuralSchema(schema, 'spec').properties?.count).toEqual({
      description: 'How many.',
      type: 'integer',
      format: 'int64',
      minimum: 0,
    })
  })

  it('asks for a description of every field', () => {
    expect(refusal(z.object({ name: z.string().max(9) }).describe('A thing.'))).toBe('spec.name: has no description')
  })

  it.each([
    ['string', z.object({ a: z.string().describe('A.') })],
    ['array', z.object({ a: z.array(text).describe('A.') })],
    ['object', z.object({ a: z.record(z.string(), text).describe('A.') })],
  ])('refuses a %s without an upper bound', (type, schema) => {
    expect(refusal(schema.describe('A thing.'))).toBe(`spec.a: is a ${type} without an upper bound`)
  })

  it('refuses a pattern, whose message nobody understands', () => {
    const schema = z.object({ a: z.string().max(9).regex(/^a/).describe('A.') }).describe('A thing.')

    expect(refusal(schema)).toMatch(/^spec\.a: say what is wrong by a CEL rule/)
  })

  it('refuses what is not structural', () => {
    const schema = z.object({ a: z.union([text, z.int()]).describe('A.') }).describe('A thing.')

    expect(refusal(schema)).toMatch(/^spec\.a: has no type/)
  })
})
