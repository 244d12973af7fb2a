/** What has to be there before the controller starts, each with a sentence that says what is missing. */

import { kinds } from '../crds/kinds.ts'
import { apiVersion } from '../crds/names.ts'
import { namespaceType } from '../kube/builtin-types.ts'
import type { KubeClient } from '../kube/client.ts'
import { isKubeError } from '../kube/kube-error.ts'

export interface ClusterFacts {
  /** metadata.uid of the Namespace kube-system, which lives as long as the cluster does. */
  readonly clusterUID: string
}

/** Throws an Error of one line when the cluster does not answer, or does not know our kinds. */
export async function askCluster(client: KubeClient, server: URL, signal: AbortSignal): Promise<ClusterFacts> {
  try {
    const discovery = await client.raw(`/apis/${apiVersion}`, { signal, timeoutMs: 10_000 })
    if (discovery.status === 401) throw new Error('it does not accept our credentials')
    const served = discovery.status === 404 ? [] : resourcesIn(discovery.body)
    const missing = kinds.filter(({ plural }) => !served.includes(plural)).map(({ plural }) => plural)
    if (missing.length > 0) {
      throw new Error(
        `it does not serve ${missing.join(', ')} of ${apiVersion}: kubectl apply --server-side -f crds/yaml`,
      )
    }
    const { metadata } = await client.get(namespaceType, { name: 'kube-system' }, { signal })
    return { clusterUID: metadata.uid }
  } catch (error) {
    signal.throwIfAborted()
    if (isKubeError(error) || error instanceof Error)
      throw new Error(`the cluster at ${server.origin}: ${error.message}`)
    throw error
  }
}

function resourcesIn(body: string): string[] {
  try {
    const { resources = [] } = JSON.parse(body) as { resources?: { name: string }[] }
    return resources.map(({ name }) => name)
  } catch {
    throw new Error('what answers there is no Kubernetes API server')
  }
}
