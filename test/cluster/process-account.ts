/**
 * Lets a test run the controller or the facade with exactly the rights that the chart gives them.
 */
import { join } from 'node:path'
import { type ProcessAccount, tokenFor } from '../../tools/installation.ts'
import { writeKubeconfig } from '../../tools/kubeconfig.ts'
import type { Cluster } from './cluster.ts'

export interface ProcessKubeconfigOptions {
  readonly account: ProcessAccount
  /** The installation's namespace: where the ServiceAccount is. */
  readonly namespace: string
  /** A folder for the file. */
  readonly directory: string
}

/** Writes a kubeconfig with a token of the process's ServiceAccount, good for 24 hours, and answers with its path. Assumes an installed cluster. */
export async function processKubeconfig(cluster: Cluster, options: ProcessKubeconfigOptions): Promise<string> {
  const { account, namespace, directory } = options
  const token = await tokenFor(account, { kubectl: cluster.kubectlWith, namespace }, 24)
  const path = join(directory, `${account}.kubeconfig`)
  await writeKubeconfig(path, {
    server: cluster.server,
    certificateAuthority: cluster.authority.certificate,
    user: { token },
  })
  return path
}
