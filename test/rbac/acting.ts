/** For tests of rights: a client that acts as somebody, and what the API server says somebody may do. */

import { expect, vi } from 'vitest'
import { type KubeClient, kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import type { KubeError } from '../../kube/kube-error.ts'
import type { Cluster } from '../cluster/cluster.ts'

/** A client with the rights of that kubeconfig; by default the cluster administrator's, which may act `as` anybody. */
export function clientOf(cluster: Cluster, kubeconfig = cluster.kubeconfig): KubeClient {
  return kubeClient({ cluster: loadCluster({ environment: { KUBECONFIG: kubeconfig } }), fieldManager: 'rbac-test' })
}

/** `allowed`, or the message with which it was refused. */
export async function outcome(action: Promise<unknown>): Promise<string> {
  return action.then(
    () => 'allowed',
    (error: KubeError) => error.message,
  )
}

/** The API server hears of new roles and policies a moment after they were made: resolves once `action` comes out so. */
export async function comesTo(expected: RegExp, action: () => Promise<unknown>): Promise<void> {
  await vi.waitFor(async () => expect(await outcome(action())).toMatch(expected), { timeout: 120_000, interval: 50 })
}

interface RulesReview {
  readonly status: {
    readonly incomplete: boolean
    readonly resourceRules: readonly {
      readonly verbs: readonly string[]
      readonly apiGroups?: readonly string[]
      readonly resources?: readonly string[]
      readonly resourceNames?: readonly string[]
    }[]
  }
}

/**
 * All that whoever `client` is may do in a namespace, as `resource.group: verb verb`, sorted; without what every
 * authenticated user may do (asking about themselves).
 */
export async function rightsIn(client: KubeClient, namespace: string): Promise<readonly string[]> {
  const answer = await client.raw('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectRulesReview',
      spec: { namespace },
    }),
  })
  const { status } = JSON.parse(String(answer.body)) as RulesReview
  if (status.incomplete) throw new Error('the API server did not tell all rules')
  const rights = new Map<string, Set<string>>()
  for (const { verbs, apiGroups = [], resources = [], resourceNames } of status.resourceRules) {
    if (resources.every((resource) => resource.startsWith('selfsubject'))) continue
    for (const group of apiGroups) {
      for (const resource of resources) {
        const name = `${resource}${group && `.${group}`}${resourceNames ? ` (${resourceNames.join(', ')})` : ''}`
        const known = rights.get(name) ?? new Set()
        for (const verb of verbs) known.add(verb)
        rights.set(name, known)
      }
    }
  }
  return [...rights].map(([name, verbs]) => `${name}: ${[...verbs].sort().join(' ')}`).sort()
}
