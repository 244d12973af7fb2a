/**
 * A local control plane: etcd, kube-apiserver with RBAC and, unless it is left out, kube-controller-manager.
 *
 * Guarantees: reachable on loopback only, and etcd not even there (a socket in a folder that only its owner may enter); ready when
 * `startControlPlane` resolves; ended with this process. Everything it keeps (etcd's data, keys, the administrator's kubeconfig)
 * is in `directory`, and a later start with the same directory finds it again.
 *
 * Caveat: the garbage collector learns of a new CustomResourceDefinition within 30 seconds, as in any cluster.
 */
import { access, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import type { CertificateAuthority, KeyPair } from './certificates.ts'
import { type ControlPlaneKeys, controlPlaneKeys } from './control-plane-keys.ts'
import { freePort } from './free-port.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { type Service, ServiceStartError, service } from './service.ts'

export interface ControlPlane {
  readonly server: URL
  /** Path of a kubeconfig that may do everything. */
  readonly kubeconfig: string
  readonly authority: CertificateAuthority
  /** Group `system:masters`. */
  readonly administrator: KeyPair
  readonly etcd: Service
  readonly apiserver: Service
  readonly controllerManager: Service | undefined
  /** In order: controller manager, apiserver, etcd. `graceMs` 0 kills them at once. */
  stop(graceMs?: number): Promise<void>
}

export interface ControlPlaneOptions {
  /** Where state and keys are; made if it is not there. */
  readonly directory: string
  readonly logDirectory: string
  readonly etcd: string
  readonly apiserver: string
  /** Left out: no namespace deletion, no garbage collection, no Jobs, no default service accounts; a second less to start. */
  readonly controllerManager?: string
  /** False where the data need not survive a crash of the machine: tests. */
  readonly fsync: boolean
  /** The apiserver's port; left out, or taken when it comes to it, the system chooses one. */
  readonly port?: number
  readonly extraApiserverArgs?: readonly string[]
  /** Beside the usual ones, which are those that SkyClust itself counts on. */
  readonly extraControllers?: readonly string[]
  /** Switched on in kube-apiserver and kube-controller-manager. */
  readonly featureGates?: readonly string[]
  readonly signal?: AbortSignal
}

const controllers = [
  'namespace-controller',
  'garbage-collector-controller',
  'job-controller',
  'ttl-after-finished-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'root-ca-certificate-publisher-controller',
  'clusterrole-aggregation-controller',
  'resourcequota-controller',
  'validatingadmissionpolicy-status-controller',
]

const PORT_ATTEMPTS = 5
// Sockets in the working directory, named `etcd:2379`: the path of a socket may have 107 bytes (unix(7)), that of a checkout more.
const ETCD_SOCKET = 'etcd:2379'
const ETCD_PEER_SOCKET = 'etcd:2380'

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { directory, logDirectory } = options
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await mkdir(logDirectory, { recursive: true })
  const keys = await controlPlaneKeys(join(directory, 'pki'))
  const started: Service[] = []
  const stop = async (graceMs?: number) => {
    for (const one of started.toReversed()) await one.stop(graceMs)
  }

  try {
    const etcd = etcdService(options)
    started.push(etcd)
    await etcd.start(options.signal)
    const { apiserver, server } = await startApiserver(options, keys, etcd)
    started.push(apiserver)
    const access = { server, certificateAuthority: keys.authority.certificate }
    const kubeconfig = join(directory, 'admin.kubeconfig')
    await writeKubeconfig(kubeconfig, { ...access, user: keys.administrator })
    const controllerManager = await controllerManagerService(options, keys, server)
    if (controllerManager !== undefined) {
      started.push(controllerManager)
      await controllerManager.start(options.signal)
    }
    const { authority, administrator } = keys
    return { server, kubeconfig, authority, administrator, etcd, apiserver, controllerManager, stop }
  } catch (error) {
    await stop(0)
    throw error
  }
}

function etcdService({ directory, logDirectory, etcd, fsync }: ControlPlaneOptions): Service {
  const socket = join(directory, ETCD_SOCKET)
  const peer = `unix://${ETCD_PEER_SOCKET}`
  const args = [
    '--data-dir=etcd-data',
    `--listen-client-urls=unix://${ETCD_SOCKET}`,
    `--advertise-client-urls=unix://${ETCD_SOCKET}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--log-level=warn',
    ...(fsync ? [] : ['--unsafe-no-fsync']),
  ]
  return service({
    name: 'etcd',
    logFile: join(logDirectory, 'etcd.log'),
    async command() {
      await rm(socket, { force: true }) // left by one that was killed; it would look ready too soon
      return { command: etcd, args, cwd: directory }
    },
    ready: () => isThere(socket),
  })
}

/** Tries other ports while the one chosen turns out to be taken, unless the caller named it. */
async function startApiserver(
  options: ControlPlaneOptions,
  keys: ControlPlaneKeys,
  etcd: Service,
): Promise<{ apiserver: Service; server: URL }> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port !== undefined && attempt === 1 ? options.port : await freePort()
    const server = new URL(`https://127.0.0.1:${port}`)
    const apiserver = apiserverService(options, keys, server)
    try {
      const etcdEnded = etcd.ended().then(() => {
        throw new Error(`etcd ended while kube-apiserver was starting; log: ${etcd.logFile}`)
      })
      await Promise.race([apiserver.start(options.signal), etcdEnded])
      return { apiserver, server }
    } catch (error) {
      await apiserver.stop(0)
      const taken = error instanceof ServiceStartError && error.log.includes('address already in use')
      if (!taken || attempt === PORT_ATTEMPTS) throw error
    }
  }
}

function apiserverService(options: ControlPlaneOptions, keys: ControlPlaneKeys, server: URL): Service {
  const { files } = keys
  const answers = asker(keys, server)
  const args = [
    `--etcd-servers=unix://${ETCD_SOCKET}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${server.port}`,
    `--tls-cert-file=${files.serverCertificate}`,
    `--tls-private-key-file=${files.serverKey}`,
    `--client-ca-file=${files.authority}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${files.serviceAccountKey}`,
    `--service-account-signing-key-file=${files.serviceAccountKey}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--endpoint-reconciler-type=none', // nothing here reaches the apiserver through its Service
    '--profiling=false',
    ...featureGateArgs(options),
    ...(options.extraApiserverArgs ?? []),
  ]
  return service({
    name: 'kube-apiserver',
    logFile: join(options.logDirectory, 'kube-apiserver.log'),
    command: () => ({ command: options.apiserver, args, cwd: options.directory }),
    ready: async (signal) =>
      (await answers('/readyz', signal)) && (await answers('/api/v1/namespaces/default', signal)),
  })
}

async function controllerManagerService(
  options: ControlPlaneOptions,
  keys: ControlPlaneKeys,
  server: URL,
): Promise<Service | undefined> {
  const { directory, logDirectory, controllerManager, extraControllers = [] } = options
  if (controllerManager === undefined) return undefined
  const answers = asker(keys, server)
  const kubeconfig = join(directory, 'controller-manager.kubeconfig')
  const certificateAuthority = keys.authority.certificate
  await writeKubeconfig(kubeconfig, { server, certificateAuthority, user: keys.controllerManager })
  const args = [
    `--kubeconfig=${kubeconfig}`,
    `--controllers=${[...controllers, ...extraControllers].join(',')}`,
    '--leader-elect=false',
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${keys.files.serviceAccountKey}`,
    `--root-ca-file=${keys.files.authority}`,
    '--secure-port=0', // it serves nothing that is wanted here
    ...featureGateArgs(options),
  ]
  return service({
    name: 'kube-controller-manager',
    logFile: join(logDirectory, 'kube-controller-manager.log'),
    command: () => ({ command: controllerManager, args, cwd: directory }),
    ready: (signal) => answers('/api/v1/namespaces/default/serviceaccounts/default', signal), // one of its own works
  })
}

function featureGateArgs({ featureGates = [] }: ControlPlaneOptions): readonly string[] {
  return featureGates.map((gate) => `--feature-gates=${gate}=true`)
}

/** Asks the apiserver as its administrator whether there is something at `path`. */
function asker({ administrator, authority }: ControlPlaneKeys, server: URL) {
  const dispatcher = new Agent({
    connect: { ca: authority.certificate, cert: administrator.certificate, key: administrator.key },
    pipelining: 0, // a connection for each question, so that none outlives an apiserver
  })
  return async (path: string, signal: AbortSignal): Promise<boolean> => {
    const { statusCode, body } = await request(new URL(path, server), { dispatcher, signal })
    await body.dump()
    return statusCode === 200
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
