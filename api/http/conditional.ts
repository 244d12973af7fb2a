/**
 * `ETag`, `If-Match` and `If-None-Match`: a change that is made only to what the caller has seen, and a read that costs nothing
 * when nothing changed.
 *
 * A tag is the object's resource version, so it is the same on every replica and changes with whatever the answer shows. What an
 * answer shows beside the object (its price) is added as a mark, which a precondition of a change does not mind. A
 * precondition is checked against the object as the API server has it at the moment of the write, not against a cache.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13
 */
import type { TypedResponse } from 'hono'
import { isConflict, isNotFound } from '../../kube/kube-error.ts'
import type { KubeObject } from '../../kube/resource.ts'
import type { Message } from '../language/messages.ts'
import { ApiError } from './api-error.ts'
import type { ApiContext } from './call.ts'

const said = {
  changed: {
    ko: 'If-Match 이후에 변경되었습니다. 다시 읽은 뒤 시도하십시오.',
    en: 'It has changed since the version that If-Match names: read it again and retry.',
  },
} as const satisfies Record<string, Message>

type Versioned = Pick<KubeObject, 'metadata'>

/** Says in the answer which version it shows. */
export function tag(context: ApiContext, object: Versioned, mark = ''): void {
  context.env.call.headers.etag = etagOf(object, mark)
}

/**
 * 304 for a caller who has this version already; `undefined` for everybody else. Tags the answer either way.
 * @param mark of what the answer shows beside the object; "" for nothing
 */
export function unchanged(
  context: ApiContext,
  object: Versioned,
  mark = '',
): TypedResponse<never, 200, 'json'> | undefined {
  tag(context, object, mark)
  const known = context.req.raw.headers.get('if-none-match')
  if (known === null || !names(known, etagOf(object, mark), { weakly: true })) return undefined
  // A 304 stands for the very answer that the route declares.
  return new Response(null, { status: 304, headers: context.env.call.headers }) as unknown as TypedResponse<
    never,
    200,
    'json'
  >
}

/** Throws `PRECONDITION_FAILED` when the caller has seen another version than `current`. */
export function requireMatch(context: ApiContext, current: Versioned): void {
  const wanted = context.req.raw.headers.get('if-match')
  if (wanted === null || names(withoutMarks(wanted), etagOf(current), { weakly: false })) return
  throw new ApiError('PRECONDITION_FAILED', said.changed, { headers: { etag: etagOf(current) } })
}

/**
 * Deletes the object, and only in the version that the caller has seen, if they say which. Kubernetes itself checks that, so it
 * holds whatever the cache shows. What is gone already is no error.
 */
export async function deleteSeen(
  context: ApiContext,
  current: Versioned,
  remove: (preconditions: { readonly uid: string; readonly resourceVersion?: string }) => Promise<void>,
): Promise<void> {
  const wanted = context.req.raw.headers.get('if-match')?.trim() ?? '*'
  const one = /^"(\d{1,30})"$/.exec(withoutMarks(wanted))?.[1]
  if (one === undefined) requireMatch(context, current)
  const { uid, resourceVersion } = current.metadata
  const version = wanted === '*' ? {} : { resourceVersion: one ?? resourceVersion }
  try {
    await remove({ uid, ...version })
  } catch (error) {
    if (isNotFound(error)) return
    throw isConflict(error) && wanted !== '*' ? new ApiError('PRECONDITION_FAILED', said.changed) : error
  }
}

function etagOf({ metadata }: Versioned, mark = ''): string {
  return mark === '' ? `"${metadata.resourceVersion}"` : `"${metadata.resourceVersion}+${mark}"`
}

function withoutMarks(header: string): string {
  return header.replaceAll(/"(\d{1,30})\+[^"]*"/g, '"$1"')
}

/** A weak tag names nothing where bytes must be the same (§8.8.3.2). What is no tag names nothing. */
function names(header: string, etag: string, { weakly }: { readonly weakly: boolean }): boolean {
  if (header.trim() === '*') return true
  return header.split(',').some((part) => {
    const one = part.trim()
    return one === etag || (weakly && one === `W/${etag}`)
  })
}
