/**
 * The controllers of Workspaces, Credentials and Users in the test's own process, on a control plane of their own with
 * SkyClust installed, with the rights that the chart gives the controller, and a sim cloud beside them.
 *
 * `start` puts them together as the controller's program does; what SIGKILL does to the program itself is tried elsewhere.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { vi } from 'vitest'
import { meters } from '../../clouds/meters.ts'
import { providers } from '../../clouds/providers.ts'
import { simServer } from '../../clouds/sim/server.ts'
import { createSim, type Sim } from '../../clouds/sim/sim.ts'
import { openCaches } from '../../controller/caches.ts'
import { type CloudRegistry, cloudRegistry } from '../../controller/credential/cloud-registry.ts'
import { credentialController } from '../../controller/credential/credential-controller.ts'
import { runKind } from '../../controller/kind-controller.ts'
import { controllerMetrics } from '../../controller/metrics.ts'
import { userController } from '../../controller/user/user-controller.ts'
import { workspaceController } from '../../controller/workspace/workspace-controller.ts'
import { serviceAccounts } from '../../crds/names.ts'
import { type KubeClient, kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { type Condition, getCondition } from '../../kube/conditions.ts'
import { eventRecorder } from '../../kube/events.ts'
import { find } from '../../kube/find.ts'
import { isConflict } from '../../kube/kube-error.ts'
import type { KubeObject, ObjectKey, ResourceType } from '../../kube/resource.ts'
import { install } from '../../tools/installation.ts'
import { startCluster, type TestCluster } from '../cluster/cluster.ts'
import { processKubeconfig } from '../cluster/process-account.ts'
import { INSTALLATION_NAMESPACE } from '../cluster/shared-cluster.ts'
import { type Death, mortalClient } from './mortal-client.ts'

export interface Workbench extends AsyncDisposable {
  readonly cluster: TestCluster
  /** May do everything. */
  readonly administrator: KubeClient
  readonly sim: Sim
  start(options?: StartOptions): Promise<Controllers>
  /** The object, once it passes; `undefined` stands for one that is not there. Throws with what it was last. */
  until<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    passes: (object: T | undefined) => boolean,
  ): Promise<T | undefined>
  /** The object, once its Ready has that reason. */
  untilReady<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, reason: string): Promise<T>
}

export interface StartOptions {
  readonly ambientAllowed?: boolean
  /** Default: aws and sim. */
  readonly enabled?: readonly string[]
  readonly death?: Death
  /** The only scope (a Workspace's name, a namespace) in which anything is done. Default: all. */
  readonly only?: string
}

/** A running process, as far as the cluster can tell. */
export interface Controllers {
  readonly registry: CloudRegistry
  /** `PATCH /apis/…`: each write that was answered, but for events. */
  readonly writes: readonly string[]
  /** Resolves when the process has died as `death` says; never, without. */
  readonly died: Promise<void>
  /** Resolves when nothing is left to do: no key waits, none is worked on. */
  idle(): Promise<void>
  stop(): Promise<void>
}

export async function workbench(): Promise<Workbench> {
  const cluster = await startCluster()
  const root = join(import.meta.dirname, '../..')
  await install({ kubectl: cluster.kubectlWith, root, namespace: INSTALLATION_NAMESPACE })
  const administrator = clientOf(cluster.kubeconfig, 'test')
  const account = serviceAccounts.controller
  const { directory } = cluster
  const kubeconfig = await processKubeconfig(cluster, { account, namespace: INSTALLATION_NAMESPACE, directory })
  const sim = createSim({ now: Date.now, random: Math.random })
  const server = simServer(sim).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const simUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function until<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    passes: (object: T | undefined) => boolean,
  ): Promise<T | undefined> {
    return vi.waitFor(
      async () => {
        const object = await find(administrator, type, key)
        if (!passes(object)) throw new Error(`${type.kind} ${key.name} is ${JSON.stringify(object)}`)
        return object
      },
      { timeout: 120_000, interval: 50 },
    )
  }

  return {
    cluster,
    administrator,
    sim,
    start: (options = {}) => startControllers(kubeconfig, simUrl, options),
    until,
    async untilReady(type, key, reason) {
      const found = await until(type, key, (object) => readyOf(object)?.reason === reason)
      if (!found) throw new Error('unreachable: there is no Ready of nothing')
      return found
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await administrator.close()
      await cluster.stop()
    },
  }
}

export function readyOf(object: KubeObject | undefined): Condition | undefined {
  return conditionOf(object, 'Ready')
}

export function conditionOf(object: KubeObject | undefined, type: string): Condition | undefined {
  return getCondition(
    (object as { readonly status?: { readonly conditions?: Condition[] } } | undefined)?.status?.conditions,
    type,
  )
}

function clientOf(kubeconfig: string, fieldManager: string, onWrite?: (write: string) => void): KubeClient {
  return kubeClient({
    cluster: loadCluster({ environment: { KUBECONFIG: kubeconfig } }),
    fieldManager,
    onAnswer: ({ method, path }) => {
      if (method !== 'GET' && !path.includes('/events')) onWrite?.(`${method} ${path}`)
    },
  })
}

async function startControllers(kubeconfig: string, simUrl: string, options: StartOptions): Promise<Controllers> {
  const { ambientAllowed = false, enabled = ['aws', 'sim'], death, only } = options
  const stop = new AbortController()
  const { signal } = stop
  const writes: string[] = []
  const connection = clientOf(kubeconfig, serviceAccounts.controller, (write) => writes.push(write))
  const mortal = death && mortalClient(connection, death)
  const client = mortal ?? connection
  const caches = openCaches(connection, signal)
  const metrics = controllerMetrics()
  const events = eventRecorder({
    client: connection,
    reportingController: 'skyclust.io/controller',
    reportingInstance: 'test',
  })
  const on = providers({ enabled, simUrl })
  const registry = cloudRegistry({ credentials: caches.credentials, providers: on, meters: meters() })
  await caches.synced(signal)

  const config = { ambientCredentials: ambientAllowed, namespace: INSTALLATION_NAMESPACE }
  const shared = { client, events, caches, registry, providers: on, config }
  let working = 0
  const kinds = [workspaceController(shared), credentialController(shared), userController(shared)].map((controller) =>
    runKind(
      {
        ...controller,
        async reconcile(key, abandon, aside) {
          working += 1
          try {
            return await controller.reconcile(key, abandon, aside)
          } finally {
            working -= 1
          }
        },
      },
      {
        shards: 1,
        accepts: (scope) => only === undefined || scope === only,
        metrics,
        signal,
        drainMs: death ? 0 : 5_000,
        onError: (_, error) => (isConflict(error) ? { afterMs: 50 } : 'backoff'),
      },
    ),
  )
  for (const kind of kinds) kind.takeUp(0)

  const depth = async () => {
    const { values } = (await metrics.registry.getSingleMetric('workqueue_depth')?.get()) ?? { values: [] }
    return values.reduce((sum, { value }) => sum + value, 0)
  }

  return {
    registry,
    writes,
    died: mortal?.died ?? new Promise(() => undefined),
    async idle() {
      let quietLooks = 0
      await vi.waitFor(
        async () => {
          quietLooks = working === 0 && (await depth()) === 0 ? quietLooks + 1 : 0
          if (quietLooks < 10) throw new Error(`${working} keys are worked on`)
        },
        { timeout: 180_000, interval: 50 },
      )
    },
    async stop() {
      stop.abort(new Error('the test stops the controllers'))
      if (!death) await Promise.all(kinds.map((kind) => kind.done)) // a dead process does not wait for its calls
      await events.close({ timeoutMs: 500 })
      await connection.close()
      await caches.done
    },
  }
}
