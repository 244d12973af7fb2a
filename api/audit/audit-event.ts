/**
 * One call as one line of the audit log, shaped as `audit.k8s.io/v1`, so that what reads the cluster's audit log reads this.
 *
 * Who, from where, what, which object, the outcome, how long; never a body, a header but `User-Agent`, or a query value or
 * path segment that does not look like one of ours: whatever somebody puts into the wrong field, it is not repeated here.
 *
 * @see https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
 */
import { randomUUID } from 'node:crypto'
import { kubernetesUser, usersGroup } from '../../crds/names.ts'
import type { Session } from '../../crds/session.ts'
import type { Caller } from '../auth/caller.ts'
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

/**
 * The line of a call: an {@link AuditEvent} as JSON, put together by hand, because every read pays for it. Whatever comes
 * from outside goes through `JSON.stringify`.
 */
export function auditLine({ call, method, url, status, userAgent, endedAt }: AnsweredCall): string {
  const durationMs = Math.max(0, endedAt - call.startedAt)
  const { caller, object } = call
  const verb = verbs[method] ?? method.toLowerCase().slice(0, 16)
  const agent = userAgent === undefined ? '' : `"userAgent":${JSON.stringify(userAgent.slice(0, MAX_USER_AGENT))},`
  const about = object === undefined ? '' : `"objectRef":${JSON.stringify(objectRef(object))},`
  return (
    `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"${randomUUID()}",` +
    `"stage":"ResponseComplete","requestURI":${JSON.stringify(shownUri(url))},"verb":${JSON.stringify(verb)},` +
    `"user":${caller === undefined ? ANONYMOUS : userText(caller)},"sourceIPs":[${JSON.stringify(call.sourceAddress)}],` +
    `${agent}${about}"responseStatus":{"code":${status}},` +
    `"requestReceivedTimestamp":"${receivedTime(call.receivedAt)}","stageTimestamp":"${answeredTime(call.receivedAt + durationMs)}",` +
    `"annotations":{"skyclust.io/request-id":"${call.requestId}","skyclust.io/method":${JSON.stringify(method.slice(0, 16))},` +
    `"skyclust.io/duration-ms":"${durationMs.toFixed(3)}"}}`
  )
}

const receivedTime = microTimes()
const answeredTime = microTimes()

const ANONYMOUS = '{"username":"system:anonymous"}'
const userTexts = new WeakMap<Session, string>()

function userText({ name, id, groups, session }: Caller): string {
  let text = userTexts.get(session)
  if (text === undefined) {
    text = JSON.stringify({ username: kubernetesUser(name), uid: id, groups: [usersGroup, ...groups] })
    userTexts.set(session, text)
  }
  return text
}

function objectRef({ resource, id, namespace, name }: AuditObject): AuditEvent['objectRef'] & {} {
  return { resource, ...(namespace !== undefined && { namespace }), ...(name !== undefined && { name }), uid: id }
}

const id = /^[0-9a-f-]{36}$/
const word = /^[a-z]{2,16}$/i
const region = /^[a-z]{2,16}(?:-[a-z0-9]{1,16}){1,3}$/
const count = /^\d{1,9}$/
const instant = /^[\dTZ:.+-]{10,35}$/

/** Query parameters of ours, and how their values look: what does not look so is no such value. */
const shownParameters: Readonly<Record<string, RegExp>> = {
  workspace_id: id,
  credential_id: id,
  user_id: id,
  provider: word,
  region,
  status: /^(?:[a-z]{2,16}|\d{3})$/,
  method: word,
  since: instant,
  until: instant,
  limit: count,
  offset: count,
}

function shownUri(url: string): string {
  const pathStart = url.startsWith('/') ? 0 : url.indexOf('/', url.indexOf('//') + 2)
  const uri = pathStart < 0 ? '/' : url.slice(pathStart)
  const question = uri.indexOf('?')
  return question < 0 ? shownPath(uri) : `${shownPath(uri.slice(0, question))}?${shownQuery(uri.slice(question + 1))}`
}

const plainPath = /^(?:\/[\w.-]{0,64}){1,12}$/
const plainSegment = /^[\w.-]{0,64}$/

/** Our own paths have nothing but names and ids; a segment that cannot be either may be anything. */
function shownPath(path: string): string {
  if (plainPath.test(path)) return path
  const segments = path.slice(0, MAX_PATH).split('/')
  return segments.map((segment) => (plainSegment.test(segment) ? segment : '…')).join('/')
}

function shownQuery(query: string): string {
  const shown: string[] = []
  for (const [name, value] of new URLSearchParams(query.slice(0, 2048))) {
    const form = Object.hasOwn(shownParameters, name) ? shownParameters[name] : undefined
    if (form?.test(value)) shown.push(`${name}=${encodeURIComponent(value)}`)
    else if (shown.at(-1) !== '…') shown.push('…')
  }
  return shown.join('&')
}

/** Of a millisecond, once: calls come in the same one, and end in the same one. */
function microTimes(): (ms: number) => string {
  let last = Number.NaN
  let text = ''
  return (ms) => {
    const whole = Math.floor(ms)
    if (whole !== last) {
      last = whole
      text = `${new Date(whole).toISOString().slice(0, -1)}000Z`
    }
    return text
  }
}
