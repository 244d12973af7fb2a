import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Identity } from '../../../api/auth/oidc/provider.ts'
import { singleUse } from '../../../api/auth/oidc/single-use.ts'
import { stateKey } from '../../../api/auth/oidc/state-key.ts'
import { userKind } from '../../../crds/user.ts'
import { secretType } from '../../../kube/builtin-types.ts'
import type { KubeClient } from '../../../kube/client.ts'
import { KubeError } from '../../../kube/kube-error.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { INSTALLATION_NAMESPACE as namespace, sharedCluster } from '../../cluster/shared-cluster.ts'
import { type Replica, startReplica } from './replica.ts'

let cluster: Cluster
let one: Replica
let other: Replica
beforeAll(async () => {
  cluster = await sharedCluster()
  ;[one, other] = await Promise.all([startReplica(cluster), startReplica(cluster)])
})
afterAll(async () => {
  await Promise.all([one, other].map((replica) => replica[Symbol.asyncDispose]()))
})

/** Somebody whom nobody has met. */
function somebody(more: Partial<Identity> = {}): Identity {
  const subject = randomUUID()
  return { issuer: 'https://login.example', subject, email: `${subject}@example.com`, name: 'Ada', groups: [], ...more }
}

const open = { provider: 'corp', mayRegister: true }

/** Answers one call of that verb on that kind as a process would find it that died right before or right after. */
function dying(verb: 'create' | 'patch', kind: string, when: 'before' | 'after') {
  let died = false
  return (client: KubeClient): KubeClient => ({
    ...client,
    [verb]: async (type: { kind: string }, ...rest: [never, never, never]) => {
      if (died || type.kind !== kind) return client[verb](type as never, ...rest)
      died = true
      if (when === 'after') await client[verb](type as never, ...rest)
      throw new KubeError('the process died', { status: 0, reason: 'ConnectionFailed' })
    },
  })
}

describe('signIn', () => {
  it('makes a user at the first login, and finds them at every other', async () => {
    const identity = somebody()
    const first = await one.signIn.logIn(identity, open)
    const again = await other.signIn.logIn({ ...identity, email: 'moved@example.com' }, { ...open, mayRegister: false })

    expect(first.spec).toMatchObject({ email: identity.email, displayName: 'Ada', admin: false })
    expect(again.metadata.uid).toBe(first.metadata.uid)
    expect(again.spec.email).toBe(identity.email)
  })

  it('makes one user of many first logins at once on two replicas', async () => {
    const identity = somebody()
    const logins = Array.from({ length: 8 }, (_, index) => (index % 2 ? one : other).signIn.logIn(identity, open))
    const users = await Promise.all(logins)

    expect(new Set(users.map((user) => user.metadata.uid)).size).toBe(1)
    const all = await one.client.list(userKind)
    expect(all.items.filter((user) => user.spec.email === identity.email)).toHaveLength(1)
  })

  it('never takes over the user who has the e-mail address, and leaves nothing behind', async () => {
    const email = `${randomUUID()}@example.com`
    const owner = await one.accounts.register({ email, name: 'Owner', password: 'correct horse' })
    const identity = somebody({ email: email.toUpperCase() })

    await expect(one.signIn.logIn(identity, open)).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(other.signIn.logIn(identity, open)).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(await one.identities.find(identity)).toBeUndefined()

    await one.signIn.link(identity, owner)
    expect((await other.signIn.logIn(identity, open)).metadata.uid).toBe(owner.metadata.uid)
  })

  it('links an identity once: again to the same user is fine, to another is not', async () => {
    const [alice, bob] = await Promise.all(['a', 'b'].map((name) => one.signIn.logIn(somebody({ name }), open)))
    if (!alice || !bob) throw new Error('no users')
    const identity = somebody()

    await one.signIn.link(identity, alice)
    await other.signIn.link(identity, alice)
    await expect(one.signIn.link(identity, bob)).rejects.toMatchObject({ code: 'CONFLICT' })
    expect((await one.signIn.logIn(identity, open)).metadata.uid).toBe(alice.metadata.uid)
  })

  it('gives an identity free with its user', async () => {
    const identity = somebody()
    const first = await one.signIn.logIn(identity, open)
    await one.accounts.remove(first)
    const second = await other.signIn.logIn(identity, open)

    expect(second.metadata.uid).not.toBe(first.metadata.uid)
  })

  it('makes nobody where that is not wanted, or without an e-mail address', async () => {
    const identity = somebody()
    await expect(one.signIn.logIn(identity, { ...open, mayRegister: false })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    })
    await expect(one.signIn.logIn({ ...identity, email: undefined }, open)).rejects.toMatchObject({ code: 'FORBIDDEN' })

    expect(await one.identities.find(identity)).toBeUndefined()
  })

  const deaths = [
    ['create', 'Secret', 'before'],
    ['create', 'Secret', 'after'],
    ['create', 'User', 'before'],
    ['create', 'User', 'after'],
    ['patch', 'Secret', 'before'],
    ['patch', 'Secret', 'after'],
  ] as const

  it.each(deaths)(
    'is finished by the next login after a process died at the %s of a %s, %s it took effect',
    async (...death) => {
      const identity = somebody()
      await using dead = await startReplica(cluster, dying(...death))
      await dead.signIn.logIn(identity, open).catch(() => undefined)

      const user = await other.signIn.logIn(identity, open)

      expect(user.spec.email).toBe(identity.email)
      const all = await one.client.list(userKind)
      expect(all.items.filter(({ spec }) => spec.email === identity.email)).toHaveLength(1)
      expect((await one.signIn.logIn(identity, open)).metadata.uid).toBe(user.metadata.uid)
    },
  )
})

describe('singleUse', () => {
  it('lets one use a state, of all who try on every replica', async () => {
    const id = randomUUID()
    const replicas = [one, other].map(({ client }) => singleUse({ client, namespace }))
    const uses = await Promise.all(Array.from({ length: 10 }, (_, index) => replicas[index % 2]?.use(id)))

    expect(uses.filter(Boolean)).toHaveLength(1)
    expect(await replicas[0]?.use(id)).toBe(false)
  })

  it('sweeps away what has long expired, and nothing else', async () => {
    const id = randomUUID()
    const now = singleUse({ client: one.client, namespace })
    const inAnHour = singleUse({ client: other.client, namespace, now: () => Date.now() + 3_600_000 })
    await now.use(id)
    const others = (await one.client.list(secretType, { namespace })).items.filter(isNoMarker)

    await now.sweep()
    expect(await now.use(id)).toBe(false)
    await Promise.all([inAnHour.sweep(), inAnHour.sweep()])
    expect(await now.use(id)).toBe(true)
    const left = (await one.client.list(secretType, { namespace })).items.map(({ metadata }) => metadata.name)
    expect(left).toEqual(expect.arrayContaining(others.map(({ metadata }) => metadata.name)))
  })
})

function isNoMarker({
  metadata,
}: {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> | undefined }
}) {
  return metadata.labels?.['skyclust.io/oidc-state'] === undefined
}

describe('stateKey', () => {
  it('is one for all replicas, even those that ask first at the same time', async () => {
    const keys = await Promise.all([one, other, one, other].map(({ client }) => stateKey({ client, namespace })()))

    expect(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(1)
    expect(keys[0]).toHaveLength(32)
  })
})
