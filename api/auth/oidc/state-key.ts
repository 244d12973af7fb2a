/**
 * The key that states are signed with: 32 bytes in a Secret that all replicas share.
 *
 * Whichever replica needs it first makes it. It is read anew every minute, so that an operator who deletes the Secret to have a
 * new key has it in force everywhere by then; logins under way begin again.
 */
import { randomBytes } from 'node:crypto'
import { type Secret, secretType } from '../../../kube/builtin-types.ts'
import type { KubeClient } from '../../../kube/client.ts'
import { isAlreadyExists, isNotFound } from '../../../kube/kube-error.ts'
import { installationLabels } from '../../installation-objects.ts'

export const STATE_KEY_SECRET = 'skyclust-oidc-state-key'

const REREAD_AFTER_MS = 60_000
const KEY_BYTES = 32

export interface StateKeyOptions {
  readonly client: KubeClient
  readonly namespace: string
  /** Milliseconds from any origin. */
  readonly now?: () => number
}

export function stateKey({
  client,
  namespace,
  now = () => performance.now(),
}: StateKeyOptions): () => Promise<Uint8Array> {
  const key = { namespace, name: STATE_KEY_SECRET }
  let known: { readonly key: Uint8Array; readonly readAt: number } | undefined

  async function readOrMake(): Promise<Secret> {
    try {
      return await client.get(secretType, key)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
    const data = { key: randomBytes(KEY_BYTES).toString('base64') }
    try {
      return await client.create(secretType, {
        metadata: { ...key, labels: installationLabels },
        type: 'Opaque',
        immutable: true,
        data,
      })
    } catch (error) {
      if (isAlreadyExists(error)) return client.get(secretType, key)
      throw error
    }
  }

  return async () => {
    if (known && now() - known.readAt < REREAD_AFTER_MS) return known.key
    const bytes = Buffer.from((await readOrMake()).data?.key ?? '', 'base64')
    if (bytes.byteLength < KEY_BYTES)
      throw new Error(`the Secret ${STATE_KEY_SECRET} holds no key; delete it to have one made`)
    known = { key: bytes, readAt: now() }
    return bytes
  }
}
