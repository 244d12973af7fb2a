/**
 * The plan file of a run and the files it was made from, sealed and chunked as states are, under an index that names both.
 *
 * What `get` gives is, to the byte, what `put` took; the digest of the plan is what an approval names.
 */
import { isAlreadyExists, isConflict } from '../../../kube/kube-error.ts'
import { type BlobReference, type BlobStore, digestOf } from './blob-store.ts'
import type { SecretObjects } from './secret-objects.ts'

export type PlanPart = 'plan' | 'workspace'

export interface PlanStore {
  put(run: string, part: PlanPart, bytes: Uint8Array, signal?: AbortSignal): Promise<BlobReference>
  get(run: string, part: PlanPart, signal?: AbortSignal): Promise<Buffer | undefined>
  /** Everything of the run; nothing to remove is no error. */
  remove(run: string, signal?: AbortSignal): Promise<void>
}

export function planStore(options: { readonly secrets: SecretObjects; readonly blobs: BlobStore }): PlanStore {
  const { secrets, blobs } = options
  const indexName = (run: string) => `tofu-plan-${run}`
  const boundTo = (run: string, part: PlanPart) => `${part}/${run}`

  async function find(run: string, signal?: AbortSignal) {
    const index = await secrets.get(indexName(run), signal)
    const parts = index?.data.parts
    const references = (parts === undefined ? {} : JSON.parse(String(parts))) as Partial<
      Record<PlanPart, BlobReference>
    >
    return { index, references }
  }

  return {
    async put(run, part, bytes, signal) {
      const known = (await find(run, signal)).references[part]
      if (known?.digest === digestOf(bytes)) return known
      const reference = await blobs.put({ plain: bytes, boundTo: boundTo(run, part), owner: run }, signal)
      for (;;) {
        signal?.throwIfAborted()
        const { index, references } = await find(run, signal)
        const draft = {
          name: indexName(run),
          data: { parts: Buffer.from(JSON.stringify({ ...references, [part]: reference })) },
        }
        try {
          if (index === undefined) await secrets.create(draft, signal)
          else await secrets.replace({ ...draft, resourceVersion: index.resourceVersion }, signal)
          return reference
        } catch (error) {
          if (!isConflict(error) && !isAlreadyExists(error)) throw error
        }
      }
    },

    async get(run, part, signal) {
      const reference = (await find(run, signal)).references[part]
      return reference === undefined ? undefined : blobs.get(reference, boundTo(run, part), signal)
    },

    async remove(run, signal) {
      await blobs.removeAll(run, signal)
      await secrets.remove(indexName(run), signal)
    },
  }
}
