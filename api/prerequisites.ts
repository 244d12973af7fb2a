/** What has to be there before the facade starts, each with a sentence that says what is missing. */
import { costEstimateKind } from '../crds/cost-estimate.ts'
import { credentialKind } from '../crds/credential.ts'
import { apiVersion } from '../crds/names.ts'
import { sessionKind } from '../crds/session.ts'
import { userKind } from '../crds/user.ts'
import { vmKind } from '../crds/vm.ts'
import { workspaceKind } from '../crds/workspace.ts'
import type { KubeClient } from '../kube/client.ts'
import { requireKinds } from '../kube/discovery.ts'

const needed = [workspaceKind, vmKind, credentialKind, userKind, sessionKind, costEstimateKind]

/** Throws an Error of one line when the cluster does not answer, or does not know our kinds. */
export async function askCluster(client: KubeClient, server: URL, signal: AbortSignal): Promise<void> {
  await requireKinds(client, { apiVersion, kinds: needed }, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    throw new Error(`the cluster at ${server.origin}: ${error instanceof Error ? error.message : String(error)}`)
  })
}
