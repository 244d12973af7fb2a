/**
 * Fills a cluster with VMs in seconds: one is made through the API server, and its record in etcd is copied under other names, with uids of
 * their own. What the API server then serves is what it would had it been asked twenty thousand times.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { vmKind } from '../../../crds/vm.ts'
import { kubeClient } from '../../../kube/client.ts'
import { loadCluster } from '../../../kube/cluster.ts'
import type { TestCluster } from '../../cluster/cluster.ts'
import { inParallel, makeNamespaces } from '../vm-scale/load.ts'
import { fullVm, fullVmStatus } from './full-vm.ts'

const MODEL = 0

export async function seed(cluster: TestCluster, count: number): Promise<void> {
  const client = kubeClient({
    cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
    fieldManager: 'skyclust-bench',
  })
  const namespaces = await makeNamespaces(client, 'team', 10)
  const model = await client.create(vmKind, fullVm(MODEL, namespaces))
  await client.patch(vmKind, model.metadata, { status: fullVmStatus(MODEL) }, { kind: 'merge', subresource: 'status' })
  await client.close()

  const etcd = new Agent({ connect: { socketPath: join(cluster.directory, 'etcd:2379') } })
  const ask = async (path: string, body: object) => {
    const answer = await request(`http://etcd/v3/kv/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      dispatcher: etcd,
    })
    return (await answer.body.json()) as { kvs?: { value: string }[] }
  }
  const { kvs } = await ask('range', { key: keyOf(MODEL, namespaces) })
  const stored = JSON.parse(Buffer.from(kvs?.[0]?.value ?? '', 'base64').toString('utf8'))
  await inParallel(count - 1, async (before) => {
    const index = before + 1
    const { metadata, spec } = fullVm(index, namespaces)
    const vm = {
      ...stored,
      metadata: { ...stored.metadata, ...metadata, uid: randomUUID() },
      spec: { ...stored.spec, ...spec },
      status: { ...stored.status, ...fullVmStatus(index) },
    }
    await ask('put', { key: keyOf(index, namespaces), value: base64(JSON.stringify(vm)) })
  })
  await etcd.close()
}

function keyOf(index: number, namespaces: readonly string[]): string {
  const { namespace = '', name = '' } = fullVm(index, namespaces).metadata
  return base64(`/registry/${vmKind.group}/${vmKind.plural}/${namespace}/${name}`)
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
