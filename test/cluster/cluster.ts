/**
 * A real Kubernetes control plane for a test, of its own: `await using cluster = await startCluster()`. (A namespace of its own in one
 * that all test files share: shared-cluster.ts.)
 *
 * Guarantees: RBAC on, on a port of its own, ready when the promise resolves (about three seconds), gone with the test process
 * however that ends. Its data is in a temporary folder that `stop` removes; what a killed run left there, a later one removes.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CertificateAuthority, KeyPair } from '../../tools/certificates.ts'
import { type ControlPlane, startControlPlane } from '../../tools/control-plane.ts'
import { isAlive } from '../../tools/exclusive.ts'
import { kubectlFor } from '../../tools/kubectl.ts'
import type { Service } from '../../tools/service.ts'
import { workshop } from '../../tools/workshop.ts'

/** What any test may do with a cluster, a shared one too. */
export interface Cluster {
  readonly server: URL
  /** Path of a kubeconfig that may do everything. */
  readonly kubeconfig: string
  /** Its `certificate` is what clients trust; it can sign more client certificates. */
  readonly authority: CertificateAuthority
  /** Client certificate of the group `system:masters`. */
  readonly administrator: KeyPair
  /** Runs kubectl as the administrator and answers with its stdout. Throws with its stderr. */
  kubectl(...args: readonly string[]): Promise<string>
  /** As `kubectl`, with `input` on its stdin: `kubectlWith(yaml, 'apply', '-f', '-')`. */
  kubectlWith(input: string, ...args: readonly string[]): Promise<string>
  /** Makes a namespace that nobody else has, and answers with its name: the prefix and a few characters. */
  namespace(prefix: string): Promise<string>
}

/** A cluster of one's own, which one may also harm. */
export interface TestCluster extends Cluster, AsyncDisposable {
  readonly etcd: Service
  readonly apiserver: Service
  /** A folder for files of the test (kubeconfigs, logs); removed with the cluster. */
  readonly directory: string
  /** Ends the apiserver and starts it on the same port; resolves when it is ready. Default: SIGKILL. */
  restartApiserver(options?: { readonly graceMs?: number }): Promise<void>
  stop(): Promise<void>
}

export interface StartClusterOptions {
  /** Namespace deletion, garbage collection, Jobs, service accounts. Default: true; without it the start is about a second faster. */
  readonly controllerManager?: boolean
  readonly extraApiserverArgs?: readonly string[]
  /** Of the controller manager, beside the usual ones: `deployment-controller`. */
  readonly extraControllers?: readonly string[]
  /** Of kube-apiserver and kube-controller-manager, switched on. */
  readonly featureGates?: readonly string[]
}

const PREFIX = 'skyclust-cluster-'

export async function startCluster(options: StartClusterOptions = {}): Promise<TestCluster> {
  const { obtain } = workshop({ environment: process.env, home: homedir() })
  const etcd = await obtain('etcd')
  const apiserver = await obtain('kube-apiserver')
  const kubectl = await obtain('kubectl')
  const controllerManager = options.controllerManager === false ? undefined : await obtain('kube-controller-manager')
  await removeLeftovers()
  const directory = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`))

  const controlPlane = await startControlPlane({
    directory,
    logDirectory: join(directory, 'logs'),
    etcd,
    apiserver,
    ...(controllerManager === undefined ? {} : { controllerManager }),
    fsync: false,
    ...(options.extraApiserverArgs === undefined ? {} : { extraApiserverArgs: options.extraApiserverArgs }),
    ...(options.extraControllers === undefined ? {} : { extraControllers: options.extraControllers }),
    ...(options.featureGates === undefined ? {} : { featureGates: options.featureGates }),
  })
  return testCluster({ controlPlane, directory, kubectl })
}

interface Parts {
  readonly controlPlane: ControlPlane
  readonly directory: string
  readonly kubectl: string
}

function testCluster({ controlPlane, directory, kubectl }: Parts): TestCluster {
  const { etcd, apiserver } = controlPlane

  async function stop(): Promise<void> {
    await controlPlane.stop(0) // nothing of it is wanted any more, and a graceful end takes seconds
    await rm(directory, { recursive: true, force: true })
  }

  return {
    ...clusterAt(controlPlane, kubectl),
    etcd,
    apiserver,
    directory,
    async restartApiserver({ graceMs = 0 } = {}) {
      await apiserver.stop(graceMs)
      await apiserver.start()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

type Access = Pick<Cluster, 'server' | 'kubeconfig' | 'authority' | 'administrator'>

/** `kubectl` is the path of the program. */
export function clusterAt({ server, kubeconfig, authority, administrator }: Access, kubectl: string): Cluster {
  const kubectlWith = kubectlFor(kubectl, kubeconfig)

  return {
    server,
    kubeconfig,
    authority,
    administrator,
    kubectlWith,
    kubectl: (...args) => kubectlWith('', ...args),
    async namespace(prefix) {
      const name = `${prefix}-${randomBytes(4).toString('hex')}`
      await kubectlWith('', 'create', 'namespace', name)
      return name
    },
  }
}

/** The folders of runs that were killed: their names carry the pid of a process that is no more. */
async function removeLeftovers(): Promise<void> {
  for (const entry of await readdir(tmpdir())) {
    if (!entry.startsWith(PREFIX)) continue
    const pid = Number.parseInt(entry.slice(PREFIX.length), 10)
    if (!isAlive(pid)) await rm(join(tmpdir(), entry), { recursive: true, force: true })
  }
}
