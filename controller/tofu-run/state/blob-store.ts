/**
 * Blobs of any size as immutable Secrets below the size a Secret may have.
 *
 * Guarantees: a reference that `put` returned is complete (every chunk was acknowledged) and never changes. Each
 * attempt uses a name of its own, so a writer that died, or one that lives on after it was fenced off, can neither
 * complete nor spoil another's blob. What nobody refers to is found by `sweep`.
 */
import { createHash } from 'node:crypto'
import type { Keyring } from './keyring.ts'
import { keyIdOf, open, seal } from './sealed-blob.ts'
import type { SecretObjects } from './secret-objects.ts'

/** Where a blob lies. Small enough to stand in a head object; holds nothing secret. */
export interface BlobReference {
  readonly id: string
  readonly chunks: number
  readonly keyId: string
  /** Of the plain bytes. */
  readonly bytes: number
  /** `sha256:…` of the plain bytes. */
  readonly digest: string
}

export interface BlobStore {
  put(blob: { plain: Uint8Array; boundTo: string; owner: string }, signal?: AbortSignal): Promise<BlobReference>
  /** @throws Error when a chunk is gone or anything was changed. */
  get(reference: BlobReference, boundTo: string, signal?: AbortSignal): Promise<Buffer>
  remove(reference: BlobReference, signal?: AbortSignal): Promise<void>
  /** Whatever carries this owner's label. */
  removeAll(owner: string, signal?: AbortSignal): Promise<void>
  /** Removes the owner's chunks that belong to none of `kept` and are older than an upload may take. */
  sweep(owner: string, kept: readonly BlobReference[], signal?: AbortSignal): Promise<number>
}

/** 768 KiB is 1 MiB in base64; etcd takes requests up to 1.5 MiB. */
export const chunkBytes = 768 * 1024

const parallelCalls = 4
const uploadMayTakeMs = 15 * 60_000
export const ownerLabel = 'skyclust.io/tofu-blob-owner'

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

export function blobStore(options: {
  readonly secrets: SecretObjects
  readonly keyring: Keyring
  readonly randomBytes: (count: number) => Uint8Array
  /** Milliseconds since 1970. */
  readonly now: () => number
}): BlobStore {
  const { secrets, keyring, randomBytes, now } = options
  const chunkName = (id: string, index: number) => `tofu-blob-${id}-${String(index).padStart(3, '0')}`

  return {
    async put({ plain, boundTo, owner }, signal) {
      const sealed = await seal({ plain, key: await keyring.primary(signal), boundTo, randomBytes })
      const id = Buffer.from(randomBytes(10)).toString('hex')
      const chunks = Math.ceil(sealed.length / chunkBytes)
      await eachOf(chunks, async (index) => {
        const data = { chunk: sealed.subarray(index * chunkBytes, (index + 1) * chunkBytes) }
        const labels = { [ownerLabel]: owner }
        await secrets.create({ name: chunkName(id, index), labels, data, immutable: true }, signal)
      })
      return { id, chunks, keyId: keyIdOf(sealed), bytes: plain.length, digest: digestOf(plain) }
    },

    async get(reference, boundTo, signal) {
      const parts: Buffer[] = []
      await eachOf(reference.chunks, async (index) => {
        const name = chunkName(reference.id, index)
        const part = (await secrets.get(name, signal))?.data.chunk
        if (part === undefined) throw new Error(`Secret ${name} with a part of ${boundTo} is gone`)
        parts[index] = part
      })
      const blob = Buffer.concat(parts)
      const plain = await open({ blob, key: await keyring.byId(keyIdOf(blob), signal), boundTo })
      if (digestOf(plain) !== reference.digest)
        throw new Error(`${boundTo} does not have the digest it was stored with`)
      return plain
    },

    async remove(reference, signal) {
      await eachOf(reference.chunks, (index) => secrets.remove(chunkName(reference.id, index), signal))
    },

    async removeAll(owner, signal) {
      const found = await secrets.names(`${ownerLabel}=${owner}`, signal)
      await eachOf(found.length, async (index) => secrets.remove(found[index]?.name ?? '', signal))
    },

    async sweep(owner, kept, signal) {
      const ids = new Set(kept.map((reference) => reference.id))
      const found = await secrets.names(`${ownerLabel}=${owner}`, signal)
      const stale = found.filter(({ name, createdAt }) => {
        const id = name.slice('tofu-blob-'.length, -4)
        return !ids.has(id) && now() - Date.parse(createdAt) > uploadMayTakeMs
      })
      await eachOf(stale.length, async (index) => {
        const secret = stale[index]
        if (secret !== undefined) await secrets.remove(secret.name, signal)
      })
      return stale.length
    },
  }
}

/** Runs `work` for 0…count-1, a few at a time; the first failure ends it once those under way are settled. */
async function eachOf(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  let failed = false
  async function worker(): Promise<void> {
    while (!failed && next < count) {
      try {
        await work(next++)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const settled = await Promise.allSettled(Array.from({ length: Math.min(parallelCalls, count) }, worker))
  const failure = settled.find((result) => result.status === 'rejected')
  if (failure !== undefined) throw failure.reason
}
