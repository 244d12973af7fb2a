import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Secret } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { KubeError } from '../../kube/kube-error.ts'
import { failed, type LoginAttempts } from './login-attempts.ts'
import { PLACES, SHELVES, unclaimedAttempts } from './unclaimed-attempts.ts'

/** Secrets by name, with the versions that compare-and-swap goes by. */
function secrets() {
  const kept = new Map<string, Secret>()
  let version = 0
  const put = (secret: Secret) => {
    version += 1
    const written = { ...secret, metadata: { ...secret.metadata, resourceVersion: String(version) } }
    kept.set(secret.metadata.name, written)
    return written
  }
  const client = {
    async get(_type: unknown, { name }: { name: string }) {
      const secret = kept.get(name)
      if (!secret) throw new KubeError('not found', { status: 404, reason: 'NotFound' })
      return secret
    },
    async create(_type: unknown, secret: Secret) {
      if (kept.has(secret.metadata.name)) throw new KubeError('exists', { status: 409, reason: 'AlreadyExists' })
      return put(secret)
    },
    async replace(_type: unknown, secret: Secret) {
      if (kept.get(secret.metadata.name)?.metadata.resourceVersion !== secret.metadata.resourceVersion) {
        throw new KubeError('conflict', { status: 409, reason: 'Conflict' })
      }
      return put(secret)
    },
  } as unknown as KubeClient
  return { kept, client }
}

const digest = (email: string) => createHash('sha256').update(email).digest('hex').slice(0, 24)
const oneMore = (attempts: LoginAttempts) => failed(attempts, 'somewhere', 1_000)

describe('unclaimedAttempts', () => {
  it('counts what comes to several replicas at once as one', async () => {
    const { client } = secrets()
    const replicas = [unclaimedAttempts(client, 'system'), unclaimedAttempts(client, 'system')]
    const account = digest('nobody@example.com')
    await Promise.all(Array.from({ length: 8 }, (_, index) => replicas[index % 2]?.update(account, oneMore)))

    expect((await replicas[0]?.read(account))?.strange).toEqual({ failures: 8, lastAt: 1_000 })
    expect((await replicas[1]?.read(digest('another@example.com')))?.strange.failures).toBe(0)
  })

  it('keeps no more than it has places for: who was tried longest ago is forgotten first', async () => {
    const { client, kept } = secrets()
    const attempts = unclaimedAttempts(client, 'system')
    // All of one Secret: the first digits say of which.
    const accounts = Array.from({ length: PLACES + 10 }, (_, index) => `0000${index}`)
    for (const account of accounts) await attempts.update(account, oneMore)

    expect(kept.size).toBe(1)
    for (const { data } of kept.values()) expect(data?.counters?.length).toBeLessThan(100 * PLACES)
    expect((await attempts.read(accounts[0] ?? '')).strange.failures).toBe(0)
    expect((await attempts.read(accounts.at(-1) ?? '')).strange.failures).toBe(1)
  })

  it('has a fixed number of Secrets, however many addresses there are', async () => {
    const { client, kept } = secrets()
    const attempts = unclaimedAttempts(client, 'system')
    for (let index = 0; index < 20 * SHELVES; index++) await attempts.update(digest(`guess-${index}`), oneMore)

    expect(kept.size).toBe(SHELVES)
  })
})
