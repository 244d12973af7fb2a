/** Keys that sign tokens rotate while replicas run, and nobody is logged out. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type SigningKeys, signingKeys } from '../../api/auth/signing-keys.ts'
import { tokens } from '../../api/auth/tokens.ts'
import { secretType } from '../../kube/builtin-types.ts'
import { type KubeClient, kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

let client: KubeClient
let cluster: Cluster
let namespace: string
beforeAll(async () => {
  cluster = await sharedCluster()
  client = kubeClient({
    cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
    fieldManager: 'skyclust-api',
  })
})
beforeEach(async () => {
  namespace = await cluster.namespace('keys')
})
afterAll(() => client?.close())

/** Replicas whose clocks a test moves. */
function replicas() {
  let now = Date.now()
  const start = async () => {
    const keys = await signingKeys({
      client,
      namespace,
      rotateAfterMs: 30 * DAY,
      tokenLifeMs: DAY,
      now: () => now,
    })
    return { keys, tokens: tokens(keys, () => now) }
  }
  return {
    start,
    later: (ms: number) => {
      now += ms
    },
    claims: () => ({ userUid: 'u', sessionName: 's', expiresAt: Math.floor((now + DAY) / 1000) * 1000 }),
  }
}

const kids = (keys: SigningKeys) => keys.publicKeys().map(({ kid }) => kid)

async function stored(): Promise<{ kid: string; jwk: { d?: string } }[]> {
  const secret = await client.get(secretType, { namespace, name: 'skyclust-signing-keys' })
  return JSON.parse(Buffer.from(secret.data?.['keys.json'] ?? '', 'base64').toString())
}

describe('signingKeys', () => {
  it('are one key for replicas that start at the same time, and rotate without logging anybody out', async () => {
    const { start, later, claims } = replicas()
    const [one, other] = await Promise.all([start(), start()])
    expect(kids(one.keys)).toEqual(kids(other.keys))
    expect(kids(one.keys)).toHaveLength(1)
    const old = claims()
    const oldToken = await one.tokens.issue(old)

    later(30 * DAY)
    const fresh = claims()
    const freshToken = await other.tokens.issue(fresh)
    await Promise.all([one.keys.refresh(), other.keys.refresh()])
    await Promise.all([one.keys.refresh(), other.keys.refresh()])

    // Published, and not used yet: by then every replica can verify what it signs.
    expect(kids(one.keys)).toEqual(kids(other.keys))
    expect(kids(one.keys)).toHaveLength(2)
    expect(one.keys.signer().kid).toBe(kids(one.keys)[0])
    later(6 * 60_000)
    expect(one.keys.signer().kid).toBe(kids(one.keys)[1])
    expect(await other.tokens.verify(freshToken)).toEqual(fresh)
    expect(await other.tokens.verify(await one.tokens.issue(claims()))).toBeDefined()
    expect(await other.tokens.verify(oldToken)).toBeUndefined() // its time is over

    // The old one loses what it signs with, and goes when no token of its can still be good.
    later(10 * 60_000)
    await one.keys.refresh()
    expect((await stored()).map(({ jwk }) => jwk.d !== undefined)).toEqual([false, true])
    expect(await one.tokens.verify(freshToken)).toEqual(fresh)
    later(2 * DAY)
    await one.keys.refresh()
    expect(kids(one.keys)).toHaveLength(1)
  })

  it('that one replica made are read by another when it meets a token of theirs', async () => {
    const { start, later, claims } = replicas()
    const [one, other] = await Promise.all([start(), start()])
    later(31 * DAY)
    await one.keys.refresh()
    later(6 * 60_000)

    expect(kids(other.keys)).not.toEqual(kids(one.keys))
    expect(await other.tokens.verify(await one.tokens.issue(claims()))).toBeDefined()
    expect(kids(other.keys)).toEqual(kids(one.keys))
  })
})
