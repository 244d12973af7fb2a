import { describe, expect, it } from 'vitest'
import { errorFamilies, judge } from './error-codes.ts'
import { noAnswer, operationFailure, refusal } from './gcp-error.ts'

const insert = { action: 'instances.insert', mutation: true }
const body = (code: number, reason: string, message = 'Words.', info?: string) => ({
  error: {
    code,
    message,
    errors: [{ reason }],
    ...(info && { details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: info }] }),
  },
})

describe('the table of Google’s codes', () => {
  it('has each code once, and a page for each family', () => {
    const codes = errorFamilies.flatMap((family) => family.codes)

    expect(new Set(codes).size).toBe(codes.length)
    for (const { source } of errorFamilies) expect(source).toMatch(/^https:\/\//)
  })
})

describe('a refusal of Google’s', () => {
  it.each([
    [403, 'rateLimitExceeded', 'throttled'],
    [403, 'forbidden', 'forbidden'],
    [403, 'quotaExceeded', 'quota'],
    [401, 'authError', 'unauthorized'],
    [404, 'notFound', 'notFound'],
    [400, 'invalid', 'invalid'],
    [400, 'resourceNotReady', 'notReady'],
    [412, 'conditionNotMet', 'conflict'],
    [503, 'backendError', 'transient'],
    [400, 'INVALID_SOMETHING_NEW', 'invalid'],
    [503, 'GPU_STOCKOUT', 'capacity'],
  ] as const)('%i %s is %s', (status, reason, errorClass) => {
    expect(refusal(status, body(status, reason), insert)).toMatchObject({ class: errorClass, code: reason })
  })

  it.each([
    [
      'accessNotConfigured',
      'SERVICE_DISABLED',
      'Compute Engine API has not been used',
      /Enable the Compute Engine API/,
    ],
    ['forbidden', 'BILLING_DISABLED', 'This API method requires billing to be enabled.', /billing account/],
    ['forbidden', undefined, 'Project x has billing disabled. Please enable it.', /billing account/],
  ])('that is not about a permission says what to do instead: %s %s', (reason, info, message, remedy) => {
    expect(refusal(403, body(403, reason, message, info), insert)).toMatchObject({
      class: 'forbidden',
      remedy: expect.stringMatching(remedy),
    })
  })

  it('of a project says nothing of what is in it', () => {
    const words = "The resource 'projects/gone' was not found"
    expect(refusal(404, body(404, 'notFound', words), insert).class).toBe('forbidden')
  })

  it('that is not in Google’s form is no answer of Google’s, least of all "not found"', () => {
    expect(refusal(404, undefined, insert)).toMatchObject({ class: 'transient', outcomeUnknown: false })
    expect(refusal(502, undefined, insert)).toMatchObject({ class: 'transient', outcomeUnknown: true })
  })

  it('of the token endpoint is told from a clock that is off', () => {
    const clock = {
      error: 'invalid_grant',
      error_description: 'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.',
    }
    const deleted = { error: 'invalid_grant', error_description: 'Invalid grant: account not found' }

    expect(refusal(400, clock, insert)).toMatchObject({ class: 'transient', remedy: expect.stringContaining('clock') })
    expect(refusal(400, deleted, insert)).toMatchObject({
      class: 'unauthorized',
      message: 'invalid_grant: Invalid grant: account not found',
      remedy: expect.stringContaining('Make a new key'),
    })
  })
})

describe('an operation that failed', () => {
  it('says for certain that nothing was made, in Google’s words', () => {
    const error = { errors: [{ code: 'ZONE_RESOURCE_POOL_EXHAUSTED', message: 'No room.' }] }
    expect(operationFailure({ error, httpErrorStatusCode: 503 }, 'instances.insert')).toMatchObject({
      class: 'capacity',
      message: 'No room.',
      outcomeUnknown: false,
    })
  })
})

describe('no answer', () => {
  it('leaves the outcome of a mutation unknown, unless nothing was sent', () => {
    const cause = (code: string) => new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })

    expect(noAnswer(cause('ECONNREFUSED'), insert)).toMatchObject({ class: 'transient', outcomeUnknown: false })
    expect(noAnswer(cause('UND_ERR_SOCKET'), insert)).toMatchObject({ class: 'transient', outcomeUnknown: true })
  })
})

describe('a code that nobody knows', () => {
  it('is judged by its status', () => {
    expect(judge({ codes: ['new'], message: '', status: 429 }).class).toBe('throttled')
    expect(judge({ codes: [], message: '', status: 500 }).class).toBe('transient')
  })
})
