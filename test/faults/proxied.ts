/** Proxies between a controller and its world, through which a test sees and breaks what it does. */
import { join } from 'node:path'
import { serviceAccounts } from '../../crds/names.ts'
import { tokenFor } from '../../tools/installation.ts'
import { writeKubeconfig } from '../../tools/kubeconfig.ts'
import { INSTALLATION_NAMESPACE } from '../cluster/shared-cluster.ts'
import { type FaultProxy, faultProxy } from '../fault-proxy/fault-proxy.ts'
import type { Stage } from '../vm/stage.ts'

export interface Proxied extends AsyncDisposable {
  readonly kube: FaultProxy
  readonly sim: FaultProxy
  /** These two lead nowhere on a stage without moto, and without a Compute Engine. */
  readonly moto: FaultProxy
  readonly gce: FaultProxy
  /** For the controller that is to go through them. */
  readonly env: Readonly<Record<string, string>>
}

const nowhere = 'http://127.0.0.1:1'

/** The controller keeps its own identity: its token goes through with its requests. */
export async function proxied({ cluster, simUrl, moto, gce }: Stage, name = 'proxied'): Promise<Proxied> {
  await using made = new AsyncDisposableStack()
  const ca = cluster.authority.certificate
  const kube = made.use(await faultProxy({ upstream: cluster.server, tls: { ca } }))
  const sim = made.use(await faultProxy({ upstream: simUrl }))
  const aws = made.use(await faultProxy({ upstream: new URL(moto?.url ?? nowhere) }))
  const google = made.use(await faultProxy({ upstream: new URL(gce?.url ?? nowhere) }))

  const options = { kubectl: cluster.kubectlWith, namespace: INSTALLATION_NAMESPACE }
  const token = await tokenFor(serviceAccounts.controller, options, 24)
  const KUBECONFIG = join(cluster.directory, `${name}.kubeconfig`)
  await writeKubeconfig(KUBECONFIG, { server: kube.url, certificateAuthority: ca, user: { token } })

  const stack = made.move()
  return {
    kube,
    sim,
    moto: aws,
    gce: google,
    env: {
      KUBECONFIG,
      SKYCLUST_SIM_URL: sim.url.origin,
      AWS_ENDPOINT_URL: aws.url.origin,
      SKYCLUST_GCP_ENDPOINT: google.url.origin,
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
