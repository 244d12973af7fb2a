/**
 * That a state is used once, whichever replicas it is shown to: the first to create the marker named after it has used it.
 *
 * A marker holds nothing but its name, a digest. It is kept for longer than any state lives, and then swept away; so what
 * is stored is bounded by the rate at which states can be shown. Beginning a login stores nothing.
 */
import { createHash } from 'node:crypto'
import { secretType } from '../../../kube/builtin-types.ts'
import type { KubeClient } from '../../../kube/client.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../../../kube/kube-error.ts'
import { installationLabels } from '../../installation-objects.ts'
import { STATE_LIFE_MS } from './state.ts'

export interface SingleUse {
  /** True for the first who asks, for ever false for all others. */
  use(id: string): Promise<boolean>
  /** Removes the markers of states that have long expired; to be called every few minutes, by any replica. */
  sweep(signal?: AbortSignal): Promise<void>
}

export interface SingleUseOptions {
  readonly client: KubeClient
  readonly namespace: string
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/** Finds the markers to sweep. */
const MARKER_LABEL = 'skyclust.io/oidc-state'
/** Three lives, because replicas and the API server need not agree on the time. */
const KEPT_MS = 3 * STATE_LIFE_MS
const PAGE_SIZE = 500

export function singleUse({ client, namespace, now = Date.now }: SingleUseOptions): SingleUse {
  const labels = { ...installationLabels, [MARKER_LABEL]: 'used' }

  async function remove(name: string, uid: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await client.delete(secretType, { namespace, name }, { preconditions: { uid }, signal })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error // another replica swept it
    }
  }

  return {
    async use(id) {
      const name = `oidc-state-${createHash('sha256').update(id).digest('hex').slice(0, 48)}`
      try {
        await client.create(secretType, { metadata: { namespace, name, labels }, type: 'Opaque', immutable: true })
        return true
      } catch (error) {
        if (isAlreadyExists(error)) return false
        throw error
      }
    },

    async sweep(signal) {
      const labelSelector = `${MARKER_LABEL}=used`
      let next: string | undefined
      do {
        const page = await client.list(secretType, {
          namespace,
          labelSelector,
          limit: PAGE_SIZE,
          continue: next,
          signal,
        })
        for (const { metadata } of page.items) {
          const isOld = now() - Date.parse(metadata.creationTimestamp) > KEPT_MS
          if (isOld) await remove(metadata.name, metadata.uid, signal)
        }
        next = page.metadata.continue
      } while (next)
    },
  }
}
