/**
 * One control plane for all test files of a run, with SkyClust installed as `make dev` installs it: `const cluster = await sharedCluster()`.
 *
 * Guarantees: started when the first file asks, the same for all that ask; ended with the run. Each test makes namespaces of its own
 * in it; whoever restarts the apiserver, changes what is cluster-wide or counts requests starts a cluster of their own (cluster.ts).
 */
import { homedir } from 'node:os'
import { inject } from 'vitest'
import { type KeyPair, loadAuthority } from '../../tools/certificates.ts'
import { workshop } from '../../tools/workshop.ts'
import { type Cluster, clusterAt } from './cluster.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the run's main process answers with a `SharedClusterAccess`. */
    sharedClusterUrl: string
  }
}

/** What crosses from the run's main process to the test files. */
export interface SharedClusterAccess {
  readonly server: string
  readonly kubeconfig: string
  readonly authority: KeyPair
  readonly administrator: KeyPair
}

/** The namespace of the installation in it. */
export const INSTALLATION_NAMESPACE = 'skyclust-system'

export async function sharedCluster(): Promise<Cluster> {
  const answer = await fetch(inject('sharedClusterUrl'))
  if (!answer.ok) throw new Error(`the shared control plane did not start: ${await answer.text()}`)
  const { server, kubeconfig, authority, administrator } = (await answer.json()) as SharedClusterAccess
  const kubectl = await workshop({ environment: process.env, home: homedir() }).obtain('kubectl')
  return clusterAt(
    { server: new URL(server), kubeconfig, authority: await loadAuthority(authority, new Date()), administrator },
    kubectl,
  )
}
