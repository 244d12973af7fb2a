/**
 * From an `Authorization` header to a caller.
 *
 * A token is good when we signed it, its Session is there, and the Session's User is there and not disabled: each is
 * asked on every call, of caches that follow the cluster, so that logout, disabling and deleting on any replica (or with
 * kubectl) count here a moment later. A Session made on another replica a moment ago is asked of the API server. While the
 * cluster has not been heard for {@link STALE_AFTER_MS}, nobody can say whether a session still lives, and every token
 * is refused with 503.
 */
import { sessionKind } from '../../crds/session.ts'
import { userKind } from '../../crds/user.ts'
import type { KubeClient } from '../../kube/client.ts'
import { find } from '../../kube/find.ts'
import { ApiError } from '../http/api-error.ts'
import { refused } from '../language/messages.ts'
import { recentSet } from '../store/recent-set.ts'
import type { Store } from '../store/store.ts'
import { type Caller, callerOf } from './caller.ts'
import type { TokenClaims, Tokens } from './tokens.ts'

/** Bookmarks come about once a minute, and a silent watch is cut after 75 s: a healthy one is never this old. */
export const STALE_AFTER_MS = 90_000

/** Throws an `ApiError`: 401 without a good token, 503 when that cannot be told. Waits only for what is new here. */
export type Authenticate = (authorization: string | undefined) => Caller | Promise<Caller>

export interface AuthenticateOptions {
  readonly store: Store
  readonly tokens: Tokens
  readonly client: KubeClient
  /** Of the installation. */
  readonly namespace: string
}

const bearerForm = /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i
const ENDED_SESSIONS_REMEMBERED = 50_000

export function authenticate({ store, tokens, client, namespace }: AuthenticateOptions): Authenticate {
  const { sessions, users } = store
  const ended = recentSet(ENDED_SESSIONS_REMEMBERED)
  sessions.onChange((change) => {
    if (change.type === 'delete') ended.add(change.object.metadata.name)
  })

  function fromCaches(claims: TokenClaims): Caller | undefined {
    const session = sessions.get({ namespace, name: claims.sessionName })
    const user = users.byUid(claims.userUid)
    if (session === undefined || user === undefined || session.spec.userUID !== claims.userUid) return undefined
    return isIn(user) && session.metadata.deletionTimestamp === undefined ? callerOf(user, session) : undefined
  }

  /** The caches know nothing of it: either it has ended, or it began elsewhere a moment ago. */
  async function fromCluster(claims: TokenClaims): Promise<Caller | undefined> {
    const key = { namespace, name: claims.sessionName }
    if (ended.has(key.name)) return undefined
    if (sessions.get(key) !== undefined && users.byUid(claims.userUid) !== undefined) return undefined // they said no

    const session = sessions.get(key) ?? (await find(client, sessionKind, key))
    if (session === undefined) {
      ended.add(key.name)
      return undefined
    }
    const user = users.byUid(claims.userUid) ?? (await find(client, userKind, { name: session.spec.user }))
    const good = user?.metadata.uid === claims.userUid && session.spec.userUID === claims.userUid && isIn(user)
    return good && session.metadata.deletionTimestamp === undefined ? callerOf(user, session) : undefined
  }

  async function slowly(token: string): Promise<Caller> {
    const claims = tokens.remembered(token) ?? (await tokens.verify(token))
    const caller = claims && (fromCaches(claims) ?? (await fromCluster(claims)))
    if (caller === undefined) throw unauthorized('invalid_token')
    return caller
  }

  return (authorization) => {
    if (authorization === undefined) throw unauthorized()
    const token = bearerForm.exec(authorization)?.[1]
    if (token === undefined) throw unauthorized('invalid_token')
    if (sessions.freshness().staleMs > STALE_AFTER_MS || users.freshness().staleMs > STALE_AFTER_MS) {
      throw new ApiError('SERVICE_UNAVAILABLE', store.isSynced ? refused.stale : refused.starting, {
        retryAfterSeconds: 2,
      })
    }
    const claims = tokens.remembered(token)
    return (claims && fromCaches(claims)) ?? slowly(token)
  }
}

function isIn(user: {
  readonly metadata: { deletionTimestamp?: string | undefined }
  spec: { disabled: boolean }
}): boolean {
  return !user.spec.disabled && user.metadata.deletionTimestamp === undefined
}

/** @see https://www.rfc-editor.org/rfc/rfc6750#section-3 */
function unauthorized(problem?: 'invalid_token'): ApiError {
  const challenge = problem === undefined ? 'Bearer realm="skyclust"' : `Bearer realm="skyclust", error="${problem}"`
  const said = problem === undefined ? refused.noToken : refused.badToken
  return new ApiError('UNAUTHORIZED', said, { headers: { 'www-authenticate': challenge } })
}
