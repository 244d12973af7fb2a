/** What the controller keeps in memory of the cluster, each a cache of its own. */
import { type Credential, credentialKind } from '../crds/credential.ts'
import { labels } from '../crds/names.ts'
import { type TofuRun, tofuRunKind } from '../crds/tofu-run.ts'
import { type User, userKind } from '../crds/user.ts'
import { type VM, vmKind } from '../crds/vm.ts'
import { type Workspace, workspaceKind } from '../crds/workspace.ts'
import { type Namespace, namespaceType, type Secret, secretType } from '../kube/builtin-types.ts'
import { type Cache, cache } from '../kube/cache.ts'
import type { KubeClient } from '../kube/client.ts'
import { instanceNames } from './vm/identity.ts'

export interface Caches {
  readonly workspaces: Cache<Workspace>
  readonly credentials: Cache<Credential>
  readonly vms: Cache<VM>
  readonly runs: Cache<TofuRun>
  readonly users: Cache<User>
  /** Those that carry a Workspace's name. */
  readonly namespaces: Cache<Namespace>
  /** Those that Credentials use: the controller labels them. */
  readonly credentialSecrets: Cache<Secret>
  synced(signal: AbortSignal): Promise<void>
  /** What is not to be trusted now, a sentence each. */
  missing(): readonly string[]
  /** By cache: seconds since it heard of the API server; only of those that are filled. */
  staleness(): readonly (readonly [cache: string, seconds: number])[]
  /** By cache: how many objects it holds. */
  sizes(): readonly (readonly [cache: string, objects: number])[]
  readonly done: Promise<void>
}

/** The API server sends a bookmark a minute; when nothing was heard for longer, nobody knows what happened meanwhile. */
const STALE_MS = 90_000

export function openCaches(client: KubeClient, signal: AbortSignal): Caches {
  const all = {
    workspaces: cache(client, workspaceKind, { signal }),
    credentials: cache(client, credentialKind, {
      signal,
      indexes: {
        secret: ({ metadata, spec }) => (spec.secretRef ? [`${metadata.namespace}/${spec.secretRef.name}`] : []),
      },
    }),
    vms: cache(client, vmKind, {
      signal,
      indexes: {
        credential: ({ metadata, spec }) => [`${metadata.namespace}/${spec.credentialRef.name}`],
        instance: instanceNames,
        userData: ({ metadata, spec }) =>
          spec.userDataSecretRef ? [`${metadata.namespace}/${spec.userDataSecretRef.name}`] : [],
      },
    }),
    runs: cache(client, tofuRunKind, { signal }),
    users: cache(client, userKind, { signal, indexes: { email: ({ spec }) => [spec.email.toLowerCase()] } }),
    namespaces: cache(client, namespaceType, { signal, labelSelector: labels.workspace }),
    credentialSecrets: cache(client, secretType, { signal, labelSelector: labels.credentialSecret }),
  }
  return {
    ...all,
    synced: async (own) => void (await Promise.all(Object.values(all).map((one) => one.synced(own)))),
    missing() {
      return Object.entries(all).flatMap(([name, one]) => {
        const { synced, connected, staleMs } = one.freshness()
        if (!synced) return [`The cache of ${name} is not filled yet.`]
        if (!connected) return [`The watch of ${name} has lost the API server.`]
        return staleMs > STALE_MS ? [`The watch of ${name} has heard nothing for ${Math.round(staleMs / 1000)} s.`] : []
      })
    },
    staleness: () =>
      Object.entries(all).flatMap(([name, one]) => {
        const { synced, staleMs } = one.freshness()
        return synced ? [[name, staleMs / 1000] as const] : []
      }),
    sizes: () => Object.entries(all).map(([name, one]) => [name, one.size] as const),
    done: Promise.all(Object.values(all).map((one) => one.done)).then(() => undefined),
  }
}
