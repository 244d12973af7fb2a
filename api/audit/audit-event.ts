/**
 * One call as one line of the audit log, shaped as `audit.k8s.io/v1`, so that what reads the cluster's audit log reads this.
 *
 * Who, from where, what, which object, the outcome, how long; never a body, a header but `User-Agent`, or a query value
 * that is not one of ours: whatever somebody puts into the wrong field, it is not repeated here.
 *
 * @see https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
 */
import { randomUUID } from 'node:crypto'
import { kubernetesUser, usersGroup } from '../../crds/names.ts'
import type { AuditObject, Call } from '../http/call.ts'

/** What is written; the fields that `GET /api/v1/audit` shows, and those that readers of audit lines expect. */
export interface AuditEvent {
  readonly kind: 'Event'
  readonly apiVersion: 'audit.k8s.io/v1'
  readonly level: 'Metadata'
  readonly auditID: string
  readonly stage: 'ResponseComplete'
  readonly requestURI: string
  /** As Kubernetes says it: `get`, `create`, `update`, `patch`, `delete`. */
  readonly verb: string
  readonly user: { readonly username: string; readonly uid?: string; readonly groups?: readonly string[] }
  readonly sourceIPs: readonly string[]
  readonly userAgent?: string
  readonly objectRef?: {
    readonly resource: string
    readonly namespace?: string
    readonly name?: string
    readonly uid: string
  }
  readonly responseStatus: { readonly code: number }
  /** Microseconds, as `metav1.MicroTime`. */
  readonly requestReceivedTimestamp: string
  readonly stageTimestamp: string
  readonly annotations: {
    /** Ours, or what the caller sent as `X-Request-Id`. */
    readonly 'skyclust.io/request-id': string
    readonly 'skyclust.io/method': string
    readonly 'skyclust.io/duration-ms': string
  }
}

export interface AnsweredCall {
  readonly call: Call
  readonly method: string
  /** With query, as it came. */
  readonly url: string
  readonly status: number
  readonly userAgent: string | undefined
  /** Monotonic milliseconds. */
  readonly endedAt: number
}

const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  OPTIONS: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

const MAX_PATH = 512
const MAX_USER_AGENT = 256

export function auditEvent({ call, method, url, status, userAgent, endedAt }: AnsweredCall): AuditEvent {
  const durationMs = Math.max(0, endedAt - call.startedAt)
  const { caller, object } = call
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: randomUUID(),
    stage: 'ResponseComplete',
    requestURI: shownUri(url),
    verb: verbs[method] ?? method.toLowerCase().slice(0, 16),
    user: caller
      ? { username: kubernetesUser(caller.name), uid: caller.id, groups: [usersGroup, ...caller.groups] }
      : { username: 'system:anonymous' },
    sourceIPs: [call.sourceAddress],
    ...(userAgent !== undefined && { userAgent: userAgent.slice(0, MAX_USER_AGENT) }),
    ...(object && { objectRef: objectRef(object) }),
    responseStatus: { code: status },
    requestReceivedTimestamp: microTime(call.receivedAt),
    stageTimestamp: microTime(call.receivedAt + durationMs),
    annotations: {
      'skyclust.io/request-id': call.requestId,
      'skyclust.io/method': method.slice(0, 16),
      'skyclust.io/duration-ms': durationMs.toFixed(3),
    },
  }
}

function objectRef({ resource, id, namespace, name }: AuditObject): AuditEvent['objectRef'] & {} {
  return { resource, ...(namespace !== undefined && { namespace }), ...(name !== undefined && { name }), uid: id }
}

/** Query parameters of ours whose values say what was asked for. */
const shownParameters = new Set([
  'workspace_id',
  'credential_id',
  'user_id',
  'provider',
  'region',
  'status',
  'method',
  'since',
  'until',
  'limit',
  'offset',
])

function shownUri(url: string): string {
  const pathStart = url.startsWith('/') ? 0 : url.indexOf('/', url.indexOf('//') + 2)
  const uri = pathStart < 0 ? '/' : url.slice(pathStart)
  const question = uri.indexOf('?')
  if (question < 0) return uri.slice(0, MAX_PATH)
  const shown: string[] = []
  for (const [name, value] of new URLSearchParams(uri.slice(question + 1, question + 2049))) {
    if (shownParameters.has(name)) shown.push(`${name}=${encodeURIComponent(value.slice(0, 64))}`)
    else if (shown.at(-1) !== '…') shown.push('…')
  }
  return `${uri.slice(0, Math.min(question, MAX_PATH))}?${shown.join('&')}`
}

function microTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`
}
