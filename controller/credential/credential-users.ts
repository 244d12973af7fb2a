/** Who needs a Credential: its VMs, and the runs that are not finished. */
import type { Credential } from '../../crds/credential.ts'
import { type TofuRun, tofuRunKind } from '../../crds/tofu-run.ts'
import { type VM, vmKind } from '../../crds/vm.ts'
import type { Cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isFinished } from '../tofu-run/run-facts.ts'

export interface CredentialUsersOptions {
  readonly client: KubeClient
  /** With the index `credential`: `namespace/name` of the one that each is made with. */
  readonly vms: Cache<VM>
  readonly runs: Cache<TofuRun>
}

/**
 * `VM web-1`, `TofuRun net-42`, sorted. None are answered only after the API server was asked: a user that a cache has
 * not heard of yet counts too.
 */
export async function usersOf(
  credential: Credential,
  { client, vms, runs }: CredentialUsersOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { namespace = '', name } = credential.metadata
  const needsIt = (run: TofuRun) => !isFinished(run) && namesIn(run).includes(name)
  const known = [...vms.index('credential', `${namespace}/${name}`), ...runs.list(namespace).filter(needsIt)]
  if (known.length > 0) return titles(known)
  const [itsVMs, allRuns] = await Promise.all([
    client.list(vmKind, { namespace, fieldSelector: `spec.credentialRef.name=${name}`, signal }),
    client.list(tofuRunKind, { namespace, signal }),
  ])
  return titles([...itsVMs.items, ...allRuns.items.filter(needsIt)])
}

/** The names of the Credentials that a run needs. */
export function namesIn({ spec }: TofuRun): readonly string[] {
  return spec.credentialRefs?.map(({ name }) => name) ?? []
}

function titles(users: readonly (VM | TofuRun)[]): readonly string[] {
  return users.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()
}
