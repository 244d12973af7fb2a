/** Follows all VMs of `KUBECONFIG` by the informer of `@kubernetes/client-node`. `argv[2]`: how many there are. */
import { CustomObjectsApi, KubeConfig, makeInformer } from '@kubernetes/client-node'
import { measure, vmType } from './followed.ts'

const count = Number(process.argv[2])
const { group, version, plural } = vmType
const kubeConfig = new KubeConfig()
kubeConfig.loadFromDefault()
const api = kubeConfig.makeApiClient(CustomObjectsApi)

await measure(async () => {
  const informer = makeInformer(kubeConfig, `/apis/${group}/${version}/${plural}`, () =>
    api.listClusterCustomObject({ group, version, plural }),
  )
  let added = 0
  const all = new Promise<void>((resolve, reject) => {
    informer.on('add', () => {
      added += 1
      if (added === count) resolve()
    })
    informer.on('error', reject)
  })
  await Promise.race([informer.start().then(() => all), all])
  if (informer.list().length !== count) throw new Error(`${informer.list().length} of ${count} VMs`)
})
