/** What has to be there before the facade starts, each with a sentence that says what is missing. */
import { costEstimateKind } from '../crds/cost-estimate.ts'
import { credentialKind } from '../crds/credential.ts'
import { apiVersion } from '../crds/names.ts'
import { sessionKind } from '../crds/session.ts'
import { userKind } from '../crds/user.ts'
import { vmKind } from '../crds/vm.ts'
import { workspaceKind } from '../crds/workspace.ts'
import type { KubeClient } from '../kube/client.ts'

const needed = [workspaceKind, vmKind, credentialKind, userKind, sessionKind, costEstimateKind]

/** Throws an Error of one line when the cluster does not answer, or does not know our kinds. */
export async function askCluster(client: KubeClient, server: URL, signal: AbortSignal): Promise<void> {
  const cluster = `the cluster at ${server.origin}`
  const discovery = await client.raw(`/apis/${apiVersion}`, { signal, timeoutMs: 10_000 }).catch((error: unknown) => {
    signal.throwIfAborted()
    throw new Error(`${cluster}: ${error instanceof Error ? error.message : String(error)}`)
  })
  if (discovery.status === 401) throw new Error(`${cluster}: it does not accept our credentials`)
  const served = discovery.status === 404 ? [] : resourcesIn(discovery.body)
  const missing = needed.filter(({ plural }) => !served.includes(plural)).map(({ plural }) => plural)
  if (missing.length > 0) {
    throw new Error(
      `${cluster}: it does not serve ${missing.join(', ')} of ${apiVersion}: kubectl apply --server-side -f crds/yaml`,
    )
  }
}

function resourcesIn(body: string): readonly string[] {
  try {
    const { resources = [] } = JSON.parse(body) as { resources?: { name: string }[] }
    return resources.map(({ name }) => name)
  } catch {
    return []
  }
}
