/**
 * The installation's keys, in one Secret of its own namespace: those that seal states and plans, one of which
 * is the primary, and the one from which the tokens of runs are derived.
 *
 * Guarantees: two processes that start at once end with the same keyring; a key that was added by a rotation
 * is found by whoever meets a blob sealed with it; no key is ever dropped here, because what it sealed would be lost.
 *
 * Rotation adds a key and makes it the primary. What was sealed before stays readable, and is sealed anew when
 * it is next written.
 */
import { isAlreadyExists } from '../../../kube/kube-error.ts'
import type { SealingKey } from './sealed-blob.ts'
import type { SecretObjects } from './secret-objects.ts'

export interface Keyring {
  /** The key to seal with. */
  primary(signal?: AbortSignal): Promise<SealingKey>
  /** @throws Error naming the id when the keyring has no such key. */
  byId(id: string, signal?: AbortSignal): Promise<SealingKey>
  /** 32 bytes from which run tokens are derived. */
  tokenKey(signal?: AbortSignal): Promise<Uint8Array>
  /** Adds a key, makes it the primary, and gives its id. */
  rotate(signal?: AbortSignal): Promise<string>
}

export const keyringName = 'skyclust-tofu-keyring'

/** After that long the Secret is read again, so that a rotation reaches every process. */
const rereadAfterMs = 60_000

export function keyring(options: {
  readonly secrets: SecretObjects
  readonly randomBytes: (count: number) => Uint8Array
  readonly now: () => number
}): Keyring {
  const { secrets, randomBytes, now } = options
  let known: { readonly data: Readonly<Record<string, Buffer>>; readonly readAt: number } | undefined

  async function read(signal?: AbortSignal) {
    const found = (await secrets.get(keyringName, signal)) ?? (await foundOne(signal))
    known = { data: found.data, readAt: now() }
    return known.data
  }

  async function foundOne(signal?: AbortSignal) {
    const id = newId()
    const data = { primary: Buffer.from(id), [`key.${id}`]: randomBytes(32), token: randomBytes(32) }
    try {
      return await secrets.create({ name: keyringName, data }, signal)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      const theirs = await secrets.get(keyringName, signal)
      if (theirs === undefined) throw error
      return theirs
    }
  }

  const newId = () => Buffer.from(randomBytes(4)).toString('hex')

  async function current(signal?: AbortSignal) {
    return known !== undefined && now() - known.readAt < rereadAfterMs ? known.data : read(signal)
  }

  function keyIn(data: Readonly<Record<string, Buffer>>, id: string): SealingKey | undefined {
    const secret = data[`key.${id}`]
    return secret === undefined ? undefined : { id, secret }
  }

  async function byId(id: string, signal?: AbortSignal): Promise<SealingKey> {
    const key = keyIn(await current(signal), id) ?? keyIn(await read(signal), id)
    if (key === undefined) {
      throw new Error(`Secret ${keyringName} has no key ${id}: put it back from a backup, or what it sealed is lost`)
    }
    return key
  }

  return {
    byId,
    async primary(signal) {
      const data = await current(signal)
      return byId(String(data.primary), signal)
    },
    async tokenKey(signal) {
      const data = await current(signal)
      if (data.token === undefined) throw new Error(`Secret ${keyringName} has no field token`)
      return data.token
    },
    async rotate(signal) {
      await read(signal)
      const secret = await secrets.get(keyringName, signal)
      if (secret === undefined) throw new Error(`Secret ${keyringName} is gone`)
      const id = newId()
      const data = { ...secret.data, primary: Buffer.from(id), [`key.${id}`]: Buffer.from(randomBytes(32)) }
      const written = await secrets.replace(
        { name: keyringName, resourceVersion: secret.resourceVersion, labels: secret.labels, data },
        signal,
      )
      known = { data: written.data, readAt: now() }
      return id
    },
  }
}
