/**
 * `Idempotency-Key`: a POST that may be repeated until its answer arrives, without making a second thing.
 *
 * The object itself is the record: it carries a digest of who sent which key to which route, and one of the body. So it survives
 * a lost answer and the death of any replica, needs no table that could be lost or must be swept, and lasts as long as the object.
 * What decides between two at the same time is the cluster: an object whose name nobody chose is named after the digest, and
 * two objects cannot have one name.
 *
 * Guarantees: the same key and body give the object that the first made, as it is now; the same key with another body is refused; two
 * at once make one. No secret is kept: a digest of a body is keyed with the very Idempotency-Key, which is kept nowhere, so
 * that whoever reads it cannot try out secrets; hence a key should be random, such as a UUID.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
import { createHash, createHmac } from 'node:crypto'
import { annotations, labels } from '../crds/names.ts'
import { isAlreadyExists, isUnavailable } from '../kube/kube-error.ts'
import type { KubeObject } from '../kube/resource.ts'
import { ApiError, invalidField } from './http/api-error.ts'
import type { ApiContext } from './http/call.ts'
import type { Message } from './language/messages.ts'

/** What an object carries that was made under a key. */
export interface IdempotencyMark {
  /** Of caller, route and key: 32 hexadecimal digits. */
  readonly key: string
  /** Of the body: 64 hexadecimal digits. */
  readonly body: string
}

export interface IdempotentRequest {
  /** The User's uid: a repetition may come with another token. */
  readonly callerId: string
  /** `POST /api/v1/vms`. */
  readonly route: string
  /** As it was validated, so that a repetition may order its fields otherwise. */
  readonly body: unknown
}

export interface CreateOnce<T extends KubeObject> {
  readonly mark: IdempotencyMark | undefined
  /** The object of this name or with this mark as the API server has it now, whoever made it. */
  readonly find: () => Promise<T | undefined>
  readonly create: () => Promise<T>
}

export interface CreatedOnce<T> {
  readonly object: T
  /** An earlier request made it. */
  readonly replayed: boolean
}

const said = {
  form: {
    ko: 'Idempotency-Key는 공백 없는 ASCII 1~255자여야 합니다(예: UUID).',
    en: 'must be 1 to 255 visible ASCII characters, such as a UUID',
  },
  otherBody: {
    ko: '같은 Idempotency-Key로 내용이 다른 요청이 이미 처리되었습니다. 새 키를 사용하십시오.',
    en: 'This Idempotency-Key was used before with another body: use a new key.',
  },
} as const satisfies Record<string, Message>

const keyForm = /^[\x21-\x7e]{1,255}$/

/** The mark of a request that carries a key; throws `VALIDATION_ERROR` for a malformed one. */
export function idempotencyMark(key: string | undefined, request: IdempotentRequest): IdempotencyMark | undefined {
  if (key === undefined) return undefined
  if (!keyForm.test(key)) throw invalidField('Idempotency-Key', said.form)
  const { callerId, route, body } = request
  return {
    key: createHash('sha256').update([callerId, route, key].join('\n')).digest('hex').slice(0, 32),
    body: createHmac('sha256', key).update(canonicalJson(body)).digest('hex'),
  }
}

/** The name of an object whose name nobody chose: the same for every repetition, or `otherwise` without a key. */
export function markedName(mark: IdempotencyMark | undefined, prefix: string, otherwise: () => string): string {
  return mark === undefined ? otherwise() : `${prefix}-${mark.key.slice(0, 16)}`
}

/** The mark of the request that `context` answers. */
export function markOf(context: ApiContext, callerId: string, body: unknown): IdempotencyMark | undefined {
  const { method, routePath, raw } = context.req
  return idempotencyMark(raw.headers.get('idempotency-key') ?? undefined, {
    callerId,
    route: `${method} ${routePath}`,
    body,
  })
}

/** Labels and annotations of the object to be made. */
export function markedMetadata(mark: IdempotencyMark | undefined): {
  labels?: Record<string, string>
  annotations?: Record<string, string>
} {
  if (mark === undefined) return {}
  return { labels: { [labels.idempotency]: mark.key }, annotations: { [annotations.idempotencyBody]: mark.body } }
}

/**
 * Creates the object, or finds the one that an earlier or simultaneous request with the same key made. Throws `CONFLICT` when
 * that had another body, and whatever `create` throws when the clash has nothing to do with the key.
 */
export async function createOnce<T extends KubeObject>({ mark, find, create }: CreateOnce<T>): Promise<CreatedOnce<T>> {
  if (mark === undefined) return { object: await create(), replayed: false }
  const earlier = madeUnder(mark, await find())
  if (earlier) return { object: earlier, replayed: true }
  try {
    return { object: await create(), replayed: false }
  } catch (error) {
    if (!isAlreadyExists(error) && !isUnavailable(error)) throw error
    const meanwhile = madeUnder(mark, await find())
    if (meanwhile) return { object: meanwhile, replayed: isAlreadyExists(error) }
    throw error
  }
}

/** Tells the caller that nothing was made this time. */
export function sayReplayed(context: ApiContext, { replayed }: { readonly replayed: boolean }): void {
  if (replayed) context.env.call.headers['idempotent-replayed'] = 'true'
}

function madeUnder<T extends KubeObject>(mark: IdempotencyMark, object: T | undefined): T | undefined {
  if (object?.metadata.labels?.[labels.idempotency] !== mark.key) return undefined
  if (object.metadata.annotations?.[annotations.idempotencyBody] === mark.body) return object
  throw new ApiError('CONFLICT', said.otherBody)
}

/** Keys sorted, what is `undefined` left out. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  const sorted = fields.sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${sorted.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(',')}}`
}
