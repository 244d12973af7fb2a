/**
 * Two Credentials with keys of their own that lead to one project: what one has called, the other has to wait for, since it is the
 * project's calls that Google counts. Against the server that speaks Compute Engine; the clock of the buckets stands still, so
 * that nothing is given back while anybody looks.
 */
import { expect, it } from 'vitest'
import type { MeteredCloud } from '../../clouds/metered-cloud.ts'
import { meters } from '../../clouds/meters.ts'
import { providers } from '../../clouds/providers.ts'
import { cloudRegistry } from '../../controller/credential/cloud-registry.ts'
import type { Credential } from '../../crds/credential.ts'
import { PROJECT } from '../gce/accounts.ts'
import { startGce } from '../gce/gce-server.ts'

const namespace = 'team-a'
const regions = ['us-central1', 'europe-west1'] as const

function credentialNamed(name: string): Credential {
  return {
    apiVersion: 'skyclust.io/v1alpha1',
    kind: 'Credential',
    metadata: {
      name,
      namespace,
      uid: crypto.randomUUID(),
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { provider: 'gcp', source: 'Secret', secretRef: { name }, region: regions[0] },
  }
}

it('Credentials of one project share its calls in a region, and nothing else', async () => {
  await using gce = await startGce()
  const credentials = new Map(['one', 'other'].map((name) => [name, credentialNamed(name)]))
  let now = 0
  const waits: (() => void)[] = []
  const sleep = () => new Promise<void>((resolve) => waits.push(resolve))
  const clock = { now: () => now, sleep }
  const registry = cloudRegistry({
    credentials: { get: ({ name }) => credentials.get(name), onChange: () => () => undefined, isSynced: true },
    providers: providers({ enabled: ['gcp'], gcpEndpoint: gce.url }),
    meters: meters(clock),
  })
  for (const [name, credential] of credentials) {
    const identity = { secret: { service_account_key: gce.accounts.keyFile({ private_key_id: name }) } }
    const finding = { kind: 'accepted', account: PROJECT, identity: name } as const
    registry.learn(credential, { version: name, identity, finding, dueAt: 0, backoffMs: 0 })
  }
  const cloudOf = (name: string, region: string): MeteredCloud => {
    const access = registry.access(namespace, name, region)
    return access.kind === 'ready' ? access.cloud : expect.fail(`${name} gives no access`)
  }
  const listings = () => gce.calls.filter((action) => action === 'instances.aggregatedList').length
  const list = (name: string, region: string) => cloudOf(name, region).listPage({ kind: 'all' })
  const { burst, refillPerSecond } = cloudOf('one', regions[0]).limits.list.calls

  await Promise.all(Array.from({ length: burst }, () => list('one', regions[0])))
  expect({ calls: listings(), waits: waits.length }).toEqual({ calls: burst, waits: 0 })

  const waiting = list('other', regions[0])
  await list('other', regions[1])
  expect({ calls: listings(), waits: waits.length }).toEqual({ calls: burst + 1, waits: 1 })

  now += 1_000 / refillPerSecond
  for (const wake of waits) wake()
  await waiting
  expect({ calls: listings(), waits: waits.length }).toEqual({ calls: burst + 2, waits: 1 })
})
