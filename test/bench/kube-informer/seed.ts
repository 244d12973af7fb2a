/** VMs as a cluster in use has them, spread over ten namespaces. */
import { vmKind } from '../../../crds/vm.ts'
import { kubeClient } from '../../../kube/client.ts'
import { loadCluster } from '../../../kube/cluster.ts'
import type { TestCluster } from '../../cluster/cluster.ts'
import { copyRecord } from '../seed/records.ts'
import { makeNamespaces } from '../vm-scale/load.ts'
import { fullVm, fullVmStatus } from './full-vm.ts'

const MODEL = 0

export async function seed(cluster: TestCluster, count: number): Promise<void> {
  const client = kubeClient({
    cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
    fieldManager: 'skyclust-bench',
  })
  const namespaces = await makeNamespaces(client, 'team', 10)
  const made = await client.create(vmKind, fullVm(MODEL, namespaces))
  const status = { status: fullVmStatus(MODEL) }
  const model = await client.patch(vmKind, made.metadata, status, { kind: 'merge', subresource: 'status' })
  await client.close()

  await copyRecord(cluster, vmKind, {
    model,
    count: count - 1,
    differenceOf: (before) => {
      const { metadata, spec } = fullVm(before + 1, namespaces)
      return { metadata: { ...metadata, name: metadata.name ?? '' }, spec, status: fullVmStatus(before + 1) }
    },
  })
}
