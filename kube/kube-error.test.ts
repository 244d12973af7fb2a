import { describe, expect, it } from 'vitest'
import {
  errorFromAnswer,
  isAlreadyExists,
  isConflict,
  isForbidden,
  isGone,
  isInvalid,
  isNotFound,
  isThrottled,
  isUnavailable,
  KubeError,
} from './kube-error.ts'

const status = (code: number, reason: string, more: object = {}) =>
  JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code,
    reason,
    message: `it is ${reason}`,
    ...more,
  })

describe('errorFromAnswer', () => {
  it('says what the Status says', () => {
    const details = {
      name: 'web-1',
      causes: [{ reason: 'FieldValueInvalid', field: 'spec.region', message: 'is immutable' }],
    }
    const error = errorFromAnswer(422, status(422, 'Invalid', { details }), undefined, 'PATCH /apis/x')

    expect(error).toMatchObject({
      status: 422,
      reason: 'Invalid',
      message: 'it is Invalid',
      details,
      request: 'PATCH /apis/x',
    })
    expect(error.retryAfterMs).toBeUndefined()
  })

  it('quotes an answer that is no Status, shortened', () => {
    expect(errorFromAnswer(502, '<html>Bad Gateway</html>')).toMatchObject({
      status: 502,
      reason: '',
      message: '<html>Bad Gateway</html>',
    })
    expect(errorFromAnswer(500, 'x'.repeat(10_000)).message).toHaveLength(300)
    expect(errorFromAnswer(503, '').message).toBe('HTTP 503')
    expect(errorFromAnswer(500, 'null').message).toBe('null')
  })

  it('takes the wait from the header, else from the Status', () => {
    const body = status(429, 'TooManyRequests', { details: { retryAfterSeconds: 3 } })
    expect(errorFromAnswer(429, body, '7').retryAfterMs).toBe(7_000)
    expect(errorFromAnswer(429, body).retryAfterMs).toBe(3_000)
    expect(errorFromAnswer(429, body, 'Wed, 21 Oct 2015 07:28:00 GMT').retryAfterMs).toBeUndefined()
  })
})

describe('questions to an error', () => {
  const of = (code: number, reason = '') => errorFromAnswer(code, status(code, reason))

  it('tell the two kinds of 409 apart', () => {
    expect(isConflict(of(409, 'Conflict'))).toBe(true)
    expect(isConflict(of(409, 'AlreadyExists'))).toBe(false)
    expect(isAlreadyExists(of(409, 'AlreadyExists'))).toBe(true)
  })

  it('find an expired version by status and by reason', () => {
    expect(isGone(of(410, 'Gone'))).toBe(true)
    expect(isGone(of(410, 'Expired'))).toBe(true)
    expect(isGone(of(404, 'NotFound'))).toBe(false)
  })

  it('take no answer and a server that is not well for the same', () => {
    expect(isUnavailable(new KubeError('refused', { status: 0 }))).toBe(true)
    expect(isUnavailable(of(503))).toBe(true)
    expect(isUnavailable(of(429))).toBe(false)
    expect(isThrottled(of(429))).toBe(true)
  })

  it('are about KubeErrors only', () => {
    for (const question of [isNotFound, isConflict, isForbidden, isInvalid, isGone, isUnavailable]) {
      expect(question({ status: 404, code: 404 })).toBe(false)
      expect(question(undefined)).toBe(false)
    }
  })
})
