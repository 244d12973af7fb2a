/**
 * A sync as Argo CD does one: server-side apply under its field manager, wave after wave, each wave only once everything in the one before is Healthy by
 * the checks that the chart ships.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import type { Manifest } from '../chart/helm.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { argoHealth } from './argo-health.ts'

const asArgo = ['--server-side', '--force-conflicts', '--field-manager=argocd-controller']
const waveOf = ({ metadata }: Manifest) => Number(metadata.annotations?.['argocd.argoproj.io/sync-wave'] ?? '0')

export async function sync(cluster: Cluster, manifests: readonly Manifest[], timeoutMs = 180_000): Promise<void> {
  const waves = [...new Set(manifests.map(waveOf))].sort((a, b) => a - b)
  for (const wave of waves) {
    const members = manifests.filter((manifest) => waveOf(manifest) === wave)
    await cluster.kubectlWith(text(members), 'apply', ...asArgo, '-f', '-')
    await Promise.all(members.map((member) => healthy(cluster, member, timeoutMs)))
  }
}

/** What Argo CD would call OutOfSync: the difference that a sync would make. Empty when there is none. */
export async function difference(cluster: Cluster, manifests: readonly Manifest[]): Promise<string> {
  // It exits with 1 when something differs, and has told it by then.
  return cluster
    .kubectlWith(text(manifests), 'diff', ...asArgo, '-f', '-')
    .catch(({ stdout, stderr }) => `${stdout}${stderr}`)
}

async function healthy(cluster: Cluster, { apiVersion, kind, metadata }: Manifest, timeoutMs: number): Promise<void> {
  if (!apiVersion.startsWith('skyclust.io/')) return
  const inNamespace = metadata.namespace === undefined ? [] : ['-n', metadata.namespace]
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const object = parse(
      await cluster.kubectl('get', `${kind}.skyclust.io`, metadata.name, ...inNamespace, '-o', 'yaml'),
    )
    const health = await argoHealth(object)
    if (health.status === 'Healthy') return
    if (performance.now() > deadline) throw new Error(`${kind} ${metadata.name} is ${health.status}: ${health.message}`)
    await sleep(250)
  }
}

function text(manifests: readonly Manifest[]): string {
  return manifests.map((manifest) => stringify(manifest)).join('---\n')
}
