import { describe, expect, it } from 'vitest'
import { awsErrorClass, errorFamilies } from './error-codes.ts'

const classOf = (code: string, { message = '', status = 400 } = {}) => awsErrorClass({ code, message, status })

describe('awsErrorClass', () => {
  it('has each code in one family, and each family a page of AWS’s that explains it', () => {
    const codes = errorFamilies.flatMap((family) => family.codes)

    expect(codes).toHaveLength(new Set(codes).size)
    for (const { source } of errorFamilies) expect(source).toMatch(/^https:\/\/docs\.aws\.amazon\.com\//)
  })

  it.each([
    ['capacity', 'InsufficientInstanceCapacity', 500],
    ['quota', 'VcpuLimitExceeded', 400],
    ['invalid', 'InvalidAMIID.NotFound', 400],
    ['invalid', 'InvalidParameterValue', 400],
    ['unauthorized', 'AuthFailure', 401],
    ['unauthorized', 'InvalidClientTokenId', 403],
    ['unauthorized', 'ExpiredToken', 400],
    ['unauthorized', 'RequestExpired', 400],
    ['forbidden', 'UnauthorizedOperation', 403],
    ['throttled', 'RequestLimitExceeded', 503],
    ['transient', 'InternalError', 500],
    ['transient', 'Unavailable', 503],
    ['conflict', 'IdempotentParameterMismatch', 400],
    ['notReady', 'IncorrectInstanceState', 400],
    ['notFound', 'InvalidInstanceID.NotFound', 400],
  ] as const)('is %s for %s', (errorClass, code, status) => {
    expect(classOf(code, { status })).toBe(errorClass)
  })

  it('judges a code that it does not know by its form, then by the status', () => {
    expect(classOf('FluxCapacitorLimitExceeded')).toBe('quota')
    expect(classOf('InvalidFluxCapacitor.NotFound')).toBe('invalid')
    expect(classOf('FluxCapacitorIsLoose', { status: 503 })).toBe('transient')
    expect(classOf('FluxCapacitorIsLoose', { status: 429 })).toBe('throttled')
    expect(classOf('FluxCapacitorIsLoose', { status: 403 })).toBe('forbidden')
    expect(classOf('FluxCapacitorIsLoose', { status: 401 })).toBe('unauthorized')
    expect(classOf('FluxCapacitorIsLoose', { status: 400 })).toBe('invalid')
  })

  it('does not take a key for rejected because an image is somebody else’s', () => {
    expect(classOf('AuthFailure', { message: 'Not authorized for images: [ami-0abcdef1234567890]', status: 403 })).toBe(
      'forbidden',
    )
  })

  it('does not take a key for wrong because a clock is', () => {
    const message = 'Signature expired: 20260101T000000Z is now earlier than 20260101T005500Z'

    expect(classOf('SignatureDoesNotMatch', { message, status: 403 })).toBe('transient')
    expect(classOf('SignatureDoesNotMatch', { message: 'The request signature we calculated', status: 403 })).toBe(
      'unauthorized',
    )
  })
})
