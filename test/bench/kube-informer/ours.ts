/** Follows all VMs of `KUBECONFIG` by the cache of `kube/`. `argv[2]`: how many there are. */
import { cache } from '../../../kube/cache.ts'
import { kubeClient } from '../../../kube/client.ts'
import { loadCluster } from '../../../kube/cluster.ts'
import { measure, vmType } from './followed.ts'

const count = Number(process.argv[2])
const client = kubeClient({ cluster: loadCluster({ environment: process.env }), fieldManager: 'bench' })
let added = 0

await measure(async () => {
  const vms = cache(client, vmType, { signal: new AbortController().signal, onChange: () => void added++ })
  await vms.synced()
  if (vms.size !== count || added !== count) throw new Error(`${vms.size} of ${count} VMs, ${added} told`)
})
