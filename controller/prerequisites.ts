/** What has to be there before the controller starts, each with a sentence that says what is missing. */

import { kinds } from '../crds/kinds.ts'
import { apiVersion } from '../crds/names.ts'
import { namespaceType } from '../kube/builtin-types.ts'
import type { KubeClient } from '../kube/client.ts'
import { requireKinds } from '../kube/discovery.ts'
import { isKubeError } from '../kube/kube-error.ts'

export interface ClusterFacts {
  /** metadata.uid of the Namespace kube-system, which lives as long as the cluster does. */
  readonly clusterUID: string
}

/** Throws an Error of one line when the cluster does not answer, or does not know our kinds. */
export async function askCluster(client: KubeClient, server: URL, signal: AbortSignal): Promise<ClusterFacts> {
  try {
    await requireKinds(client, { apiVersion, kinds }, signal)
    const { metadata } = await client.get(namespaceType, { name: 'kube-system' }, { signal })
    return { clusterUID: metadata.uid }
  } catch (error) {
    signal.throwIfAborted()
    if (isKubeError(error) || error instanceof Error)
      throw new Error(`the cluster at ${server.origin}: ${error.message}`)
    throw error
  }
}
