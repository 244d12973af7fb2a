/**
 * The keys that sign tokens: ES256, in one Secret of the installation that all replicas share.
 *
 * Guarantees:
 * - the first key is made once, whichever replica comes first (create, or read what another created);
 * - a new key is published at least {@link PUBLISHED_AHEAD_MS} before anybody signs with it, so that every replica can
 *   verify it by then; whoever meets an unknown key all the same reads the Secret anew;
 * - rotation logs nobody out: a retired key stays for verification, its private part is thrown away, and it goes
 *   only when no token it signed can still be valid.
 *
 * The Secret is moved by compare-and-swap; two replicas that rotate at once make one new key.
 */
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { type Secret, secretType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../../kube/kube-error.ts'
import { installationLabels, SIGNING_KEYS_SECRET } from '../installation-objects.ts'

export interface SigningKeys {
  /** The key to sign with now. */
  signer(): { readonly kid: string; readonly key: CryptoKey }
  /** `undefined` when no replica has published such a key. Reads the Secret anew for one that is not known here. */
  verifier(kid: string): Promise<CryptoKey | undefined>
  /** For anybody to verify tokens with. */
  publicKeys(): readonly PublicKey[]
  /** Reads the Secret and rotates when it is time; to be called every minute or so. */
  refresh(): Promise<void>
  /** Called whenever the set of keys has changed. */
  onChange(listener: () => void): void
}

/** RFC 7517, RFC 7518 §6.2. */
export interface PublicKey {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y: string
  readonly kid: string
  readonly alg: 'ES256'
  readonly use: 'sig'
}

export interface SigningKeysOptions {
  readonly client: KubeClient
  readonly namespace: string
  /** How long a key signs. */
  readonly rotateAfterMs: number
  /** The longest life of a token. */
  readonly tokenLifeMs: number
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/** As it stands in the Secret. A retired key has no private part (`d`). */
interface StoredKey {
  readonly kid: string
  /** Milliseconds since the epoch from which it signs. */
  readonly activeFrom: number
  readonly jwk: JWK
}

const PUBLISHED_AHEAD_MS = 5 * 60_000
/** An unknown key id makes a replica read the Secret, but not more often than this. */
const REREAD_AFTER_MS = 5_000
const DATA_KEY = 'keys.json'

/** Reads the Secret, or makes it; throws when the cluster cannot be reached. */
export async function signingKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const { client, namespace, rotateAfterMs, tokenLifeMs, now = Date.now } = options
  const key = { namespace, name: SIGNING_KEYS_SECRET }
  const listeners: (() => void)[] = []
  let stored: readonly StoredKey[] = []
  let verifiers = new Map<string, CryptoKey>()
  let signers = new Map<string, CryptoKey>()
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<unknown> | undefined

  async function adopt(secret: Secret): Promise<void> {
    const keys = parseKeys(secret)
    readAt = now()
    if (JSON.stringify(keys) === JSON.stringify(stored)) return
    const secretOnes = keys.filter(({ jwk }) => jwk.d !== undefined)
    verifiers = new Map(
      await Promise.all(keys.map(async (one) => [one.kid, await imported(publicPart(one.jwk))] as const)),
    )
    signers = new Map(await Promise.all(secretOnes.map(async (one) => [one.kid, await imported(one.jwk)] as const)))
    stored = keys
    for (const listener of listeners) listener()
  }

  async function readOrMake(): Promise<Secret> {
    try {
      return await client.get(secretType, key)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
    const data = keysData([await newKey(now())])
    try {
      return await client.create(secretType, { metadata: { ...key, labels: installationLabels }, type: 'Opaque', data })
    } catch (error) {
      if (isAlreadyExists(error)) return client.get(secretType, key)
      throw error
    }
  }

  async function refresh(): Promise<void> {
    const secret = await readOrMake()
    const keys = parseKeys(secret)
    const next = await rotated(keys, { now: now(), rotateAfterMs, tokenLifeMs })
    if (next === keys) return adopt(secret)
    try {
      await adopt(await client.replace(secretType, { ...secret, data: keysData(next) }))
    } catch (error) {
      if (!isConflict(error)) throw error
      await adopt(await client.get(secretType, key)) // another replica rotated
    }
  }

  /** One read at a time, however many ask. */
  function refreshOnce(): Promise<unknown> {
    reading ??= refresh().finally(() => {
      reading = undefined
    })
    return reading
  }

  await refresh()
  return {
    signer() {
      const t = now()
      const active = stored.findLast((one) => one.activeFrom <= t && signers.has(one.kid)) ?? stored[0]
      const signing = active && signers.get(active.kid)
      if (signing === undefined) throw new Error(`the Secret ${SIGNING_KEYS_SECRET} has no key to sign with`)
      return { kid: active?.kid ?? '', key: signing }
    },
    async verifier(kid) {
      if (!verifiers.has(kid) && now() - readAt >= REREAD_AFTER_MS) await refreshOnce()
      return verifiers.get(kid)
    },
    publicKeys: () => stored.map(({ kid, jwk }) => ({ ...publicPart(jwk), kid, alg: 'ES256', use: 'sig' })),
    refresh: async () => void (await refreshOnce()),
    onChange: (listener) => void listeners.push(listener),
  }
}

/** `keys` itself when nothing is to be done. Oldest first, always. */
async function rotated(
  keys: readonly StoredKey[],
  { now, rotateAfterMs, tokenLifeMs }: { now: number; rotateAfterMs: number; tokenLifeMs: number },
): Promise<readonly StoredKey[]> {
  const newest = keys.at(-1)
  const due = newest === undefined || now - newest.activeFrom >= rotateAfterMs
  const all = due ? [...keys, await newKey(now + PUBLISHED_AHEAD_MS)] : keys
  const next = all
    .filter((_, index) => retiredAt(all, index) + tokenLifeMs > now)
    .map((one, index, kept) => (retiredAt(kept, index) <= now ? { ...one, jwk: publicPart(one.jwk) } : one))
  return JSON.stringify(next) === JSON.stringify(keys) ? keys : next
}

/** When the successor takes over, with a margin for a replica whose clock is behind. */
function retiredAt(keys: readonly StoredKey[], index: number): number {
  const successor = keys[index + 1]
  return successor === undefined ? Number.POSITIVE_INFINITY : successor.activeFrom + PUBLISHED_AHEAD_MS
}

async function newKey(activeFrom: number): Promise<StoredKey> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { kid: await calculateJwkThumbprint(jwk), activeFrom, jwk }
}

async function imported(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, 'ES256')
  if (key instanceof Uint8Array) throw new Error(`the Secret ${SIGNING_KEYS_SECRET} holds a key that is not ES256`)
  return key
}

function publicPart({ kty = '', crv = '', x = '', y = '' }: JWK): Pick<PublicKey, 'kty' | 'crv' | 'x' | 'y'> {
  return { kty, crv, x, y }
}

function keysData(keys: readonly StoredKey[]): Record<string, string> {
  return { [DATA_KEY]: Buffer.from(JSON.stringify(keys)).toString('base64') }
}

function parseKeys(secret: Secret): readonly StoredKey[] {
  try {
    return JSON.parse(Buffer.from(secret.data?.[DATA_KEY] ?? '', 'base64').toString()) as StoredKey[]
  } catch {
    throw new Error(
      `the Secret ${secret.metadata.namespace}/${secret.metadata.name} holds no keys; delete it to have new ones made`,
    )
  }
}
