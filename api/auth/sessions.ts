/**
 * Sessions: a login makes one, a logout deletes it, and a token is good for as long as its Session is there.
 *
 * An answer waits until this replica has seen what it wrote, so that a token works on it at once, and is dead on it at
 * once; the others hear of it by their watch, in milliseconds.
 */
import { randomUUID } from 'node:crypto'
import { apiVersion } from '../../crds/names.ts'
import { type Session, sessionKind } from '../../crds/session.ts'
import type { User } from '../../crds/user.ts'
import type { KubeClient } from '../../kube/client.ts'
import { wholeSeconds } from '../../kube/conditions.ts'
import { keyOf, type OwnerReference } from '../../kube/resource.ts'
import type { Store } from '../store/store.ts'
import { ignoringNotFound } from '../writes/as-caller.ts'
import type { Tokens } from './tokens.ts'

export interface IssuedToken {
  readonly token: string
  readonly session: Session
}

export interface Origin {
  readonly userAgent: string | undefined
  readonly sourceAddress: string
}

/** What a Session may be beside a plain login. */
export type SessionExtras = Partial<Pick<Session['spec'], 'kind' | 'displayName' | 'scope' | 'workspace' | 'groups'>>

export interface Sessions {
  /** @param lifeMs how long the token is good for; by default as long as a login */
  begin(user: User, origin: Origin, extras?: SessionExtras & { readonly lifeMs?: number }): Promise<IssuedToken>
  end(session: Session): Promise<void>
  /** All of the user's, but the one that asks. Also those that this replica has not heard of yet. */
  endAll(user: User, but?: Session): Promise<void>
  /** Deletes what has expired; to be called now and then. */
  sweep(): Promise<void>
}

export interface SessionsOptions {
  readonly client: KubeClient
  readonly namespace: string
  readonly store: Store
  readonly tokens: Tokens
  readonly loginLifeMs: number
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

const SEEN_WITHIN_MS = 2_000
/** A user who logs in more often than this loses the oldest sessions: the cluster is not theirs to fill. */
const MAX_SESSIONS = 1_000
const SWEEP_AT_ONCE = 200

export function sessions(options: SessionsOptions): Sessions {
  const { client, namespace, store, tokens, loginLifeMs, now = Date.now } = options

  async function end(session: Session): Promise<void> {
    const key = keyOf(session)
    await ignoringNotFound(client.delete(sessionKind, key))
    await store.sessions.until(key, (current) => current === undefined, { timeoutMs: SEEN_WITHIN_MS })
  }

  return {
    end,

    async begin(user, origin, { lifeMs = loginLifeMs, ...extras } = {}) {
      const { name, uid } = user.metadata
      const expiresAt = now() + lifeMs
      const session = await client.create(sessionKind, {
        metadata: { namespace, name: randomUUID(), ownerReferences: [userReference(user)] },
        spec: {
          user: name,
          userUID: uid,
          kind: 'Login',
          createdAt: wholeSeconds(new Date(now())),
          expiresAt: wholeSeconds(new Date(expiresAt)),
          ...(origin.userAgent !== undefined && { userAgent: origin.userAgent.slice(0, 512) }),
          sourceIP: origin.sourceAddress,
          ...extras,
        },
      })
      const token = await tokens.issue({ userUid: uid, sessionName: session.metadata.name, expiresAt })
      await store.sessions.seen(session, { timeoutMs: SEEN_WITHIN_MS })
      await endOldest(uid)
      return { token, session }
    },

    async endAll(user, but) {
      const { items } = await client.list(sessionKind, { namespace, fieldSelector: `spec.user=${user.metadata.name}` })
      await Promise.all(items.filter(({ metadata }) => metadata.uid !== but?.metadata.uid).map(end))
    },

    async sweep() {
      const expired = store.sessions.list(namespace).filter(({ spec }) => Date.parse(spec.expiresAt) <= now())
      for (const session of expired.slice(0, SWEEP_AT_ONCE)) {
        await ignoringNotFound(client.delete(sessionKind, keyOf(session)))
      }
    },
  }

  async function endOldest(userUid: string): Promise<void> {
    const logins = store.sessionsOfUser(userUid).filter(({ spec }) => spec.kind === 'Login')
    if (logins.length <= MAX_SESSIONS) return
    const oldest = logins.toSorted((one, other) => (one.spec.createdAt < other.spec.createdAt ? -1 : 1))
    await Promise.all(oldest.slice(0, logins.length - MAX_SESSIONS).map(end))
  }
}

/** What belongs to a User goes with it: the garbage collector sees to that. */
export function userReference({ metadata }: User): OwnerReference {
  return { apiVersion, kind: 'User', name: metadata.name, uid: metadata.uid }
}
