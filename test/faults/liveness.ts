/** Looks at the cloud's own truth, which never lags, after every call: how many instances each VM has alive. */
import type { Instance } from '../../clouds/cloud.ts'

export interface Liveness {
  check(): void
  readonly breaches: readonly string[]
}

export function liveness(cloud: { readonly instances: () => readonly Instance[] }): Liveness {
  const breaches: string[] = []
  return {
    breaches,
    check() {
      for (const [uid, alive] of Map.groupBy(cloud.instances().filter(isAlive), madeFor)) {
        if (uid !== undefined && alive.length > 1) {
          breaches.push(`VM ${uid} has ${alive.map(({ id, state }) => `${id} (${state})`).join(' and ')}`)
        }
      }
    },
  }
}

export function isAlive({ state }: Instance): boolean {
  return state !== 'terminating' && state !== 'terminated'
}

/** The UID of the VM for which it was created, by the token of the create, which nobody can change; it may begin with a zone. */
export function madeFor({ token }: Instance): string | undefined {
  return /(?:^|\/)skyclust-([0-9a-f-]{36})-\d+$/.exec(token)?.[1]
}
