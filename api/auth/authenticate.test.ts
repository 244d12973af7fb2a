import { describe, expect, it } from 'vitest'
import type { Session } from '../../crds/session.ts'
import type { User } from '../../crds/user.ts'
import type { KubeClient } from '../../kube/client.ts'
import { KubeError } from '../../kube/kube-error.ts'
import type { Store } from '../store/store.ts'
import { authenticate, STALE_AFTER_MS } from './authenticate.ts'
import type { TokenClaims, Tokens } from './tokens.ts'

const namespace = 'skyclust-system'
const claims: TokenClaims = { userUid: 'user-1', sessionName: 'session-1', expiresAt: 1e15 }
const user = {
  metadata: { name: 'alice', uid: 'user-1' },
  spec: { email: 'alice@example.com', admin: false, disabled: false },
} as User
const session = {
  metadata: { namespace, name: 'session-1', uid: 'session-uid' },
  spec: { user: 'alice', userUID: 'user-1', kind: 'Login' },
} as Session

interface Known {
  user: User | undefined
  session: Session | undefined
}

/** A replica that has heard `heard` of a cluster that is as `cluster` says. */
function replica() {
  const heard: Known & { staleMs: number } = { user, session, staleMs: 0 }
  const cluster: Known = { user, session }
  const asked: string[] = []
  let told: (change: { type: string; object: Session }) => void = () => undefined
  const listen = (listener: typeof told) => {
    told = listener
  }
  const freshness = () => ({ staleMs: heard.staleMs })
  const store = {
    isSynced: true,
    sessions: { get: () => heard.session, freshness, onChange: listen },
    users: { byUid: () => heard.user, freshness },
  } as unknown as Store
  const client = {
    async get({ kind }: { kind: string }) {
      asked.push(kind)
      const found = kind === 'User' ? cluster.user : cluster.session
      if (found === undefined) throw new KubeError('not found', { status: 404, reason: 'NotFound' })
      return found
    },
  } as unknown as KubeClient
  const tokens: Tokens = {
    issue: async () => 'good',
    remembered: (token) => (token === 'good' ? claims : undefined),
    verify: async (token) => (token === 'good' || token === 'new' ? claims : undefined),
  }
  const ask = authenticate({ store, tokens, client, namespace })
  return {
    heard,
    cluster,
    asked,
    askNow: (token: string) => ask(`Bearer ${token}`),
    ask: async (authorization: string | undefined) => ask(authorization),
    hearsOfTheEnd() {
      heard.session = undefined
      told({ type: 'delete', object: session })
    },
  }
}

describe('authenticate', () => {
  it('knows the bearer of a token that was seen before without waiting for anything', () => {
    const { askNow, asked } = replica()

    expect(askNow('good')).toMatchObject({ id: 'user-1', name: 'alice', isAdmin: false })
    expect(asked).toEqual([])
  })

  it('asks the cluster about a session that began elsewhere a moment ago', async () => {
    const { ask, heard, asked } = replica()
    Object.assign(heard, { session: undefined, user: undefined })

    expect(await ask('Bearer new')).toMatchObject({ id: 'user-1' })
    expect(asked).toEqual(['Session', 'User'])
  })

  it('refuses a session that has ended, and asks nobody about it', async () => {
    const { ask, hearsOfTheEnd, asked } = replica()
    hearsOfTheEnd()

    await expect(ask('Bearer good')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    expect(asked).toEqual([])
  })

  it('asks once about a session that there is none of', async () => {
    const { ask, heard, cluster, asked } = replica()
    heard.session = undefined
    cluster.session = undefined

    await expect(ask('Bearer good')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    await expect(ask('Bearer good')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    expect(asked).toEqual(['Session'])
  })

  it.each([
    ['is disabled', { spec: { ...user.spec, disabled: true } }],
    ['is being deleted', { metadata: { ...user.metadata, deletionTimestamp: '2025-01-01T00:00:00Z' } }],
  ])('refuses a user who %s', async (_, more) => {
    const { ask, heard, asked } = replica()
    heard.user = { ...user, ...more } as User

    await expect(ask('Bearer good')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    expect(asked).toEqual([])
  })

  it('refuses a session of somebody else, whatever the token says', async () => {
    const { ask, heard } = replica()
    heard.session = { ...session, spec: { ...session.spec, userUID: 'user-2' } }

    await expect(ask('Bearer good')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })

  it('refuses everybody while it cannot know which sessions still live, and says that this will pass', async () => {
    const { ask, heard } = replica()
    heard.staleMs = STALE_AFTER_MS + 1

    await expect(ask('Bearer good')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', status: 503 })
    heard.staleMs = 0
    expect(await ask('Bearer good')).toMatchObject({ id: 'user-1' })
  })

  it.each([undefined, '', 'Bearer', 'Bearer  ', 'Basic Zm9v', 'good', 'Bearer a b', 'Bearer unknown'])(
    'refuses %o with a challenge',
    async (authorization) => {
      const { ask } = replica()

      await expect(ask(authorization)).rejects.toMatchObject({
        code: 'UNAUTHORIZED',
        headers: { 'www-authenticate': expect.stringMatching(/^Bearer realm="skyclust"/) },
      })
    },
  )
})
