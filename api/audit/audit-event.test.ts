import { describe, expect, it } from 'vitest'
import type { Call } from '../http/call.ts'
import { type AuditEvent, auditLine } from './audit-event.ts'

const call: Call = {
  requestId: 'request-1',
  receivedAt: Date.parse('2025-01-01T00:00:00.250Z'),
  startedAt: 1_000,
  sourceAddress: '203.0.113.7',
  locale: 'ko',
  headers: {},
  caller: undefined,
  object: { resource: 'vms', id: 'the-uid', namespace: 'team-a', name: 'web-1' },
}

function event(url: string, more: { method?: string; userAgent?: string } = {}): AuditEvent {
  const { method = 'GET', userAgent } = more
  return JSON.parse(auditLine({ call, method, url, status: 200, userAgent, endedAt: 1_012.5 }))
}

describe('auditLine', () => {
  it('says who, from where, what, which object, the outcome and how long, as audit.k8s.io/v1', () => {
    expect(event('http://host/api/v1/vms/the-uid?limit=5', { userAgent: 'curl/8' })).toEqual({
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'Metadata',
      auditID: expect.stringMatching(/^[0-9a-f-]{36}$/),
      stage: 'ResponseComplete',
      requestURI: '/api/v1/vms/the-uid?limit=5',
      verb: 'get',
      user: { username: 'system:anonymous' },
      sourceIPs: ['203.0.113.7'],
      userAgent: 'curl/8',
      objectRef: { resource: 'vms', namespace: 'team-a', name: 'web-1', uid: 'the-uid' },
      responseStatus: { code: 200 },
      requestReceivedTimestamp: '2025-01-01T00:00:00.250000Z',
      stageTimestamp: '2025-01-01T00:00:00.262000Z',
      annotations: {
        'skyclust.io/request-id': 'request-1',
        'skyclust.io/method': 'GET',
        'skyclust.io/duration-ms': '12.500',
      },
    })
  })

  it.each([
    ['/api/v1/auth/login?password=hunter2', '/api/v1/auth/login?…'],
    ['/api/v1/vms?workspace_id=hunter2&limit=5', '/api/v1/vms?…&limit=5'],
    ['/api/v1/providers/aws/instances?region=AKIAIOSFODNN7EXAMPLE', '/api/v1/providers/aws/instances?…'],
    ['/api/v1/providers/aws/instances?region=us-east-1', '/api/v1/providers/aws/instances?region=us-east-1'],
    ['/api/v1/vms?hunter2', '/api/v1/vms?…'],
    ['/api/v1/users/p%40ssword', '/api/v1/users/…'],
    [`/api/v1/users/${'a'.repeat(70)}`, '/api/v1/users/…'],
  ])('repeats nothing that may be a secret in the wrong place: %s', (url, shown) => {
    expect(event(`http://host${url}`).requestURI).toBe(shown)
  })

  it('is one line of JSON, whatever it is made of', () => {
    const line = auditLine({
      call: { ...call, sourceAddress: '"\n' },
      method: 'GE"T\n',
      url: 'http://host/"\n{}?"=\n',
      status: 400,
      userAgent: '"}\n{',
      endedAt: 0,
    })

    expect(line).not.toContain('\n')
    expect(JSON.parse(line).annotations['skyclust.io/duration-ms']).toBe('0.000')
  })

  it('is bounded, whatever it is made of', () => {
    const url = `http://host/${'x/'.repeat(10_000)}?${'region=us-east-1&'.repeat(1_000)}`
    const line = auditLine({ call, method: 'G'.repeat(99), url, status: 404, userAgent: 'u'.repeat(9_999), endedAt: 0 })

    expect(line.length).toBeLessThan(8_192)
  })
})
