/**
 * Finds the cluster as kubectl does, and says who we are to it.
 *
 * Guarantees: `credentials()` gives the same `tls` object until something in it changed, so that a transport can tell by
 * identity that its connections are out of date; tokens, keys and certificates in files are read again every ten
 * seconds of use, and at once after `refused()`. A file that is missing or empty for a moment, while somebody writes it,
 * leaves what was read before in force, unless the server has refused that. Where there is no cluster, `loadCluster` throws an error of one line.
 *
 * Exec plugins and auth providers are left to `@kubernetes/client-node`, which is loaded only when a kubeconfig asks for
 * one: loading it takes half a second and 85 MiB (2.0.1).
 */
import { existsSync, readFileSync } from 'node:fs'
import type { RequestOptions } from 'node:https'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type Clock, systemClock } from './clock.ts'
import {
  type ExecPlugin,
  type Kubeconfig,
  type KubeconfigCluster,
  type KubeconfigUser,
  readKubeconfig,
} from './kubeconfig.ts'

export interface Cluster {
  /** Of the API server; a path prefix is kept. */
  readonly server: URL
  /** The namespace of the kubeconfig's context, or the pod's own. */
  readonly namespace: string | undefined
  /** An HTTP proxy on the way (`proxy-url`). */
  readonly proxy: URL | undefined
  /** Who we are, now. Throws when a file is missing or an exec plugin fails. */
  credentials(): Promise<Credentials>
  /** The server said 401: whatever is remembered is read again for the next request. */
  refused(): void
}

export interface Credentials {
  /** `authorization`, if there is a token or a password; impersonation, if the kubeconfig asks for it. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** The same object as long as nothing in it changed. */
  readonly tls: TlsIdentity
}

/** What `tls.connect` takes. */
export interface TlsIdentity {
  readonly ca?: string | Buffer
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

export interface LoadClusterOptions {
  /** `KUBECONFIG` is read from it, and in a pod where the API server is. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where `.kube/config` is looked for. */
  readonly home?: string
  /** Where a pod finds its service account. */
  readonly serviceAccountRoot?: string
  readonly clock?: Clock
}

const SERVICE_ACCOUNT_ROOT = '/var/run/secrets/kubernetes.io/serviceaccount'
/** The kubelet writes a new token when the old one has a fifth of its life left; ten seconds are soon enough. */
const REREAD_MS = 10_000

/** `KUBECONFIG`, else `~/.kube/config`, else the pod's service account. */
export function loadCluster(options: LoadClusterOptions): Cluster {
  const { clock = systemClock } = options
  const load = () => findKubeconfig(options)
  let loaded = load()
  const { server, 'proxy-url': proxy } = loaded.cluster
  let plugin: Promise<Plugin> | undefined
  let remembered: { readonly credentials: Credentials; readonly readAt: number } | undefined
  let reading: Promise<Credentials> | undefined
  let isRefused = false

  async function read(): Promise<Credentials> {
    const wasRefused = isRefused
    isRefused = false
    try {
      return await readAnew(wasRefused)
    } catch (error) {
      if (remembered && !wasRefused) return remembered.credentials
      isRefused = wasRefused
      throw error
    }
  }

  async function readAnew(wasRefused: boolean): Promise<Credentials> {
    if (wasRefused) {
      loaded = load()
      plugin = undefined // a new one forgets the token that it got before
    }
    const { cluster, user } = loaded
    const answer = user.exec || user['auth-provider'] ? await askPlugin(loaded) : {}
    const tls = server.startsWith('https:') ? { ...tlsOf(cluster, user), ...answer.tls } : {}
    const before = remembered?.credentials.tls
    const credentials = {
      headers: { ...headersOf(user), ...answer.headers },
      tls: before && isDeepStrictEqual(before, tls) ? before : tls,
    }
    remembered = { credentials, readAt: clock.now() }
    return credentials
  }

  async function askPlugin(kubeconfig: Kubeconfig): Promise<Partial<Credentials>> {
    plugin ??= loadPlugin(kubeconfig)
    return (await plugin)()
  }

  return {
    server: parseUrl(server, 'server'),
    namespace: loaded.namespace,
    proxy: proxy ? parseUrl(proxy, 'proxy-url') : undefined,
    async credentials() {
      if (remembered && !isRefused && clock.now() - remembered.readAt < REREAD_MS) return remembered.credentials
      reading ??= read().finally(() => {
        reading = undefined
      })
      return reading
    },
    refused() {
      isRefused = true
    },
  }
}

function findKubeconfig(options: LoadClusterOptions): Kubeconfig {
  const { environment, home = homedir(), serviceAccountRoot = SERVICE_ACCOUNT_ROOT } = options
  const named = (environment.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '')
  const candidates = named.length > 0 ? named : [join(home, '.kube', 'config')]
  const files = candidates.filter((file) => existsSync(file))
  if (files.length > 0) return readKubeconfig(files)
  if (named.length > 0) throw new Error(`KUBECONFIG: ${named.join(', ')} does not exist`)
  if (existsSync(join(serviceAccountRoot, 'token'))) return inCluster(serviceAccountRoot, environment)
  const [missing] = candidates
  throw new Error(`no Kubernetes cluster: KUBECONFIG is not set, ${missing} does not exist, and this is no pod`)
}

function inCluster(root: string, environment: LoadClusterOptions['environment']): Kubeconfig {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment
  if (!host || !port) throw new Error('in a pod, but KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set')
  const namespaceFile = join(root, 'namespace')
  return {
    cluster: {
      server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      'certificate-authority': join(root, 'ca.crt'),
    },
    user: { name: 'service account', tokenFile: join(root, 'token') },
    namespace: existsSync(namespaceFile) ? readFileSync(namespaceFile, 'utf8').trim() : undefined,
  }
}

function headersOf(user: KubeconfigUser): Record<string, string | readonly string[]> {
  const { tokenFile, username, password = '', as, 'as-uid': asUid, 'as-groups': asGroups } = user
  const headers: Record<string, string | readonly string[]> = {}
  const token = tokenFile ? tokenIn(tokenFile) : user.token // the file wins, as in client-go
  if (token) headers.authorization = `Bearer ${token}`
  else if (username) headers.authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  if (as) headers['impersonate-user'] = as
  if (asUid) headers['impersonate-uid'] = asUid
  if (asGroups) headers['impersonate-group'] = asGroups
  return headers
}

function tokenIn(file: string): string {
  const token = readFileSync(file, 'utf8').trim()
  if (token === '') throw new Error(`${file} is empty: a token must be in it`)
  return token
}

function tlsOf(cluster: KubeconfigCluster, user: KubeconfigUser): TlsIdentity {
  const ca = dataOrFile(cluster['certificate-authority-data'], cluster['certificate-authority'])
  const cert = dataOrFile(user['client-certificate-data'], user['client-certificate'])
  const key = dataOrFile(user['client-key-data'], user['client-key'])
  const servername = cluster['tls-server-name']
  return {
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
    ...(servername ? { servername } : {}),
    ...(cluster['insecure-skip-tls-verify'] ? { rejectUnauthorized: false } : {}),
  }
}

function dataOrFile(base64: string | undefined, file: string | undefined): Buffer | undefined {
  if (base64) return Buffer.from(base64, 'base64')
  return file ? readFileSync(file) : undefined
}

/** Asks an exec plugin or auth provider; it remembers its answer until that expires. */
type Plugin = () => Promise<Partial<Credentials>>

async function loadPlugin({ user, cluster: asked }: Kubeconfig): Promise<Plugin> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const kubeConfig = new KubeConfig()
  // The server is never asked by it, but it must have one, and refuses plain http.
  const cluster = { name: 'unused', server: 'https://unused', skipTLSVerify: false }
  const exec = user.exec && { ...user.exec, env: [...(user.exec.env ?? []), execInfo(user.exec, asked)] }
  kubeConfig.loadFromClusterAndUser(cluster, { name: user.name, exec, authProvider: user['auth-provider'] })
  return async () => {
    const answer: RequestOptions = {}
    await kubeConfig.applyToHTTPSOptions(answer)
    const authorization = (answer.headers as Record<string, string> | undefined)?.Authorization
    return {
      headers: authorization ? { authorization: authorization.trim() } : {},
      tls: {
        ...(answer.cert ? { cert: answer.cert as string } : {}),
        ...(answer.key ? { key: answer.key as string } : {}),
      },
    }
  }
}

/**
 * The variable in which a plugin is told what it is asked for, and of which cluster if it wants to know; GKE's and Azure's plugins do not run without.
 *
 * @see https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
 */
function execInfo(exec: ExecPlugin, cluster: KubeconfigCluster): { name: string; value: string } {
  const { server, 'certificate-authority': file, 'certificate-authority-data': data, ...others } = cluster
  const authority = dataOrFile(data, file)?.toString('base64')
  const about = { server, ...others, ...(authority ? { 'certificate-authority-data': authority } : {}) }
  const spec = { interactive: false, ...(exec.provideClusterInfo ? { cluster: about } : {}) }
  const value = JSON.stringify({ kind: 'ExecCredential', apiVersion: exec.apiVersion, spec })
  return { name: 'KUBERNETES_EXEC_INFO', value }
}

function parseUrl(text: string, field: string): URL {
  const url = URL.parse(text)
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url
  throw new Error(`kubeconfig: ${field} "${text}" is no https or http URL`)
}
