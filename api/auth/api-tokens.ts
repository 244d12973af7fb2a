/**
 * API tokens: sessions for scripts and CI, with a scope, an end, and one workspace if wanted.
 *
 * Guarantees: a token may do no more than its user may at that moment, and within its scope; it carries none of the groups that
 * an identity provider named at a login, because those were true then; it can neither make nor end sessions, nor change an
 * account: whoever finds one cannot stay. It is shown once; what is kept is its Session, which holds no secret.
 */
import { apiVersion } from '../../crds/names.ts'
import { type Session, sessionKind } from '../../crds/session.ts'
import type { Workspace } from '../../crds/workspace.ts'
import type { KubeClient } from '../../kube/client.ts'
import { wholeSeconds } from '../../kube/conditions.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { ApiError } from '../http/api-error.ts'
import { createOnce, type IdempotencyMark, markedMetadata } from '../idempotency.ts'
import type { Message } from '../language/messages.ts'
import type { Store } from '../store/store.ts'
import type { Caller } from './caller.ts'
import type { Origin } from './sessions.ts'
import type { Tokens } from './tokens.ts'

export interface NewApiToken {
  readonly name: string
  readonly scope: readonly ('read' | 'write')[]
  /** The only one it may see. */
  readonly workspace?: Workspace | undefined
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export interface ApiTokens {
  make(
    caller: Caller,
    wanted: NewApiToken,
    request: { readonly origin: Origin; readonly mark?: IdempotencyMark | undefined },
  ): Promise<{ readonly token: string; readonly session: Session; readonly replayed: boolean }>
}

export interface ApiTokensOptions {
  readonly client: KubeClient
  readonly namespace: string
  readonly store: Pick<Store, 'sessions' | 'sessionsOfUser'>
  readonly tokens: Tokens
  readonly randomUUID: () => string
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

export const MAX_TOKEN_LIFE_MS = 366 * 24 * 3_600_000
export const DEFAULT_TOKEN_LIFE_MS = 90 * 24 * 3_600_000
const MAX_TOKENS_PER_USER = 100
const SEEN_WITHIN_MS = 2_000

const said = {
  loginNeeded: {
    ko: 'API 토큰으로는 할 수 없습니다. 로그인한 뒤 시도하십시오.',
    en: 'An API token may not do this: log in first.',
  },
  heldToWorkspace: {
    ko: '이 토큰은 한 워크스페이스에만 쓸 수 있습니다.',
    en: 'This token is for one workspace only.',
  },
  tooMany: {
    ko: `API 토큰은 사용자당 ${MAX_TOKENS_PER_USER}개까지 만들 수 있습니다. 쓰지 않는 토큰을 삭제하십시오.`,
    en: `A user may have ${MAX_TOKENS_PER_USER} API tokens: delete some that are not used.`,
  },
} as const satisfies Record<string, Message>

/** Throws `FORBIDDEN` for a token that is held to one workspace. */
export function requireWholeAccount({ session }: Caller): void {
  if (session.spec.workspace !== undefined) throw new ApiError('FORBIDDEN', said.heldToWorkspace)
}

/** Throws `FORBIDDEN` for the bearer of an API token. */
export function requireLogin({ session }: Caller): void {
  if (session.spec.kind === 'Token') throw new ApiError('FORBIDDEN', said.loginNeeded)
}

export function apiTokens(options: ApiTokensOptions): ApiTokens {
  const { client, namespace, store, tokens, randomUUID, now = Date.now } = options

  async function read(name: string): Promise<Session | undefined> {
    try {
      return await client.get(sessionKind, { namespace, name })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  function requireRoom(caller: Caller): void {
    const living = store.sessionsOfUser(caller.id).filter(({ spec }) => spec.kind === 'Token')
    if (living.length >= MAX_TOKENS_PER_USER) throw new ApiError('CONFLICT', said.tooMany)
  }

  return {
    async make(caller, wanted, { origin, mark }) {
      const { metadata } = caller.user
      const name = mark ? uuidFrom(mark.key) : randomUUID()
      const { object: session, replayed } = await createOnce({
        mark,
        find: () => read(name),
        create: () => {
          requireRoom(caller)
          return client.create(sessionKind, {
            metadata: {
              namespace,
              name,
              ...markedMetadata(mark),
              ownerReferences: [{ apiVersion, kind: 'User', name: metadata.name, uid: metadata.uid }],
            },
            spec: {
              user: metadata.name,
              userUID: metadata.uid,
              kind: 'Token',
              displayName: wanted.name,
              scope: wanted.scope.includes('write') ? ['read', 'write'] : ['read'],
              ...(wanted.workspace && { workspace: wanted.workspace.metadata.name }),
              createdAt: wholeSeconds(new Date(now())),
              expiresAt: wholeSeconds(new Date(wanted.expiresAt)),
              ...(origin.userAgent !== undefined && { userAgent: origin.userAgent.slice(0, 512) }),
              sourceIP: origin.sourceAddress,
            },
          })
        },
      })
      // Signed anew for a repeated request: another signature, the same token to whoever asks.
      const expiresAt = Date.parse(session.spec.expiresAt)
      const token = await tokens.issue({ userUid: caller.id, sessionName: session.metadata.name, expiresAt })
      await store.sessions.seen(session, { timeoutMs: SEEN_WITHIN_MS })
      return { token, session, replayed }
    },
  }
}

/** RFC 9562 §5.8: a UUID of one's own making. */
function uuidFrom(digest: string): string {
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 0x3) | 0x8).toString(16)
  const hex = `${digest.slice(0, 12)}8${digest.slice(13, 16)}${variant}${digest.slice(17, 32)}`
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
