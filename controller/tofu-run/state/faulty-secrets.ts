/**
 * Secrets in memory, with the compare-and-swap of the real ones, for tests that stop the world at any call: before it took
 * effect, or after it did with the answer lost. `test/tofu` runs the same store against a real kube-apiserver.
 */
import { KubeError } from '../../../kube/kube-error.ts'
import type { SecretDraft, SecretObjects, StoredSecret } from './secret-objects.ts'

export type Fault = 'before' | 'after'

export interface FaultySecrets extends SecretObjects {
  /** Every call from the n-th on fails (0 is the next one): the n-th as `fault` says, the rest before they take effect. */
  dieAt(call: number, fault: Fault): void
  heal(): void
  /** Calls made so far. */
  calls(): number
  all(): readonly StoredSecret[]
}

export function faultySecrets(now: () => number): FaultySecrets {
  const stored = new Map<string, StoredSecret>()
  let revision = 0
  let made = 0
  let fatal: { call: number; fault: Fault } | undefined

  /** One call; reads and writes alike may be the last thing a process did. */
  async function call<T>(effect: () => T): Promise<T> {
    const index = made++
    if (fatal !== undefined && index >= fatal.call) {
      if (index === fatal.call && fatal.fault === 'after') effect()
      throw new KubeError('the connection was reset', { status: 0, reason: 'ConnectionFailed' })
    }
    return effect()
  }

  function save(draft: SecretDraft): StoredSecret {
    const data = Object.fromEntries(Object.entries(draft.data).map(([key, value]) => [key, Buffer.from(value)]))
    const secret = {
      name: draft.name,
      resourceVersion: String(++revision),
      createdAt: stored.get(draft.name)?.createdAt ?? new Date(now()).toISOString(),
      labels: draft.labels ?? {},
      data,
    }
    stored.set(draft.name, secret)
    return secret
  }

  return {
    get: (name) => call(() => stored.get(name)),
    create: (draft) =>
      call(() => {
        if (stored.has(draft.name)) throw new KubeError('exists', { status: 409, reason: 'AlreadyExists' })
        return save(draft)
      }),
    replace: (draft) =>
      call(() => {
        const current = stored.get(draft.name)
        if (current === undefined) throw new KubeError('gone', { status: 404, reason: 'NotFound' })
        if (current.resourceVersion !== draft.resourceVersion) {
          throw new KubeError('changed', { status: 409, reason: 'Conflict' })
        }
        return save(draft)
      }),
    remove: (name) => call(() => void stored.delete(name)),
    names: (selector) =>
      call(() => {
        const [label = '', value] = selector.split('=')
        return [...stored.values()].filter((secret) => secret.labels[label] === value)
      }),
    dieAt(n, fault) {
      fatal = { call: made + n, fault }
    },
    heal() {
      fatal = undefined
    },
    calls: () => made,
    all: () => [...stored.values()],
  }
}
