/**
 * Finds the cluster as kubectl does, and says who we are to it.
 *
 * The kubeconfig format, exec plugins and auth providers are `@kubernetes/client-node`'s business; its HTTP is
 * not used. Added here, because it lacks them: `tokenFile` of a kubeconfig user, and credentials that are read
 * again when they rotate on disk or when the server refuses them.
 *
 * Guarantees: `credentials()` gives the same object until something in it changed, so that a transport can
 * tell by identity that its connections are out of date; files are read again every ten seconds of use, and
 * at once after `refused()`. Where there is no cluster, `loadCluster` throws an error of one line.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { RequestOptions } from 'node:https'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { KubeConfig } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { type Clock, systemClock } from './clock.ts'

export interface Cluster {
  /** Of the API server; a path prefix is kept. */
  readonly server: URL
  /** The namespace of the kubeconfig's context, or the pod's own. */
  readonly namespace: string | undefined
  /** An HTTP proxy on the way (`proxy-url`). */
  readonly proxy: URL | undefined
  /** Who we are, now. Throws when an exec plugin fails or a file is missing. */
  credentials(): Promise<Credentials>
  /** The server said 401: whatever is remembered of credentials is read again. */
  refused(): void
}

export interface Credentials {
  /** `authorization`, if there is a token or a password; impersonation, if the kubeconfig asks for it. */
  readonly headers: Readonly<Record<string, string>>
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
  /** `KUBECONFIG` is read from it. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where `.kube/config` is looked for. */
  readonly home?: string
  /** Where a pod finds its service account. */
  readonly serviceAccountRoot?: string
  readonly clock?: Clock
}

const SERVICE_ACCOUNT_ROOT = '/var/run/secrets/kubernetes.io/serviceaccount'
/** The kubelet writes a new token at 80 % of the old one's life, so that ten seconds are soon enough. */
const REREAD_MS = 10_000

/** `KUBECONFIG`, else `~/.kube/config`, else the pod's service account. */
export function loadCluster(options: LoadClusterOptions): Cluster {
  const { clock = systemClock } = options
  const load = () => loadConfiguration(options)
  let loaded = load()
  let remembered: Credentials | undefined
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<Credentials> | undefined
  let reload = false

  async function read(): Promise<Credentials> {
    if (reload) loaded = load() // a new KubeConfig forgets what exec plugins and files said before
    reload = false
    const fresh = await readCredentials(loaded)
    readAt = clock.now()
    const tls = remembered && isDeepStrictEqual(remembered.tls, fresh.tls) ? remembered.tls : fresh.tls
    remembered = { headers: fresh.headers, tls }
    return remembered
  }

  return {
    server: loaded.server,
    namespace: loaded.namespace,
    proxy: loaded.proxy,
    async credentials() {
      if (remembered && !reload && clock.now() - readAt < REREAD_MS) return remembered
      reading ??= read().finally(() => {
        reading = undefined
      })
      return reading
    },
    refused() {
      reload = true
    },
  }
}

interface Configuration {
  readonly kubeConfig: KubeConfig
  readonly server: URL
  readonly namespace: string | undefined
  readonly proxy: URL | undefined
  /** Read for each use; wins over a token of the kubeconfig, as in client-go. */
  readonly tokenFile: string | undefined
}

function loadConfiguration(options: LoadClusterOptions): Configuration {
  const { environment, home = homedir(), serviceAccountRoot = SERVICE_ACCOUNT_ROOT } = options
  const named = (environment.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '')
  const candidates = named.length > 0 ? named : [join(home, '.kube', 'config')]
  const files = candidates.filter((file) => existsSync(file))
  if (files.length > 0) return fromFiles(files)
  if (named.length > 0) throw new Error(`KUBECONFIG: ${named.join(', ')} does not exist`)
  if (existsSync(join(serviceAccountRoot, 'token'))) return fromServiceAccount(serviceAccountRoot, environment)
  throw new Error(
    `no Kubernetes cluster: KUBECONFIG is not set, ${candidates[0]} does not exist, and this is no pod with a service account`,
  )
}

function fromFiles(files: readonly string[]): Configuration {
  const kubeConfig = new KubeConfig()
  const tokenFiles = new Map<string, string>()
  for (const [index, file] of files.entries()) {
    const part = index === 0 ? kubeConfig : new KubeConfig()
    try {
      part.loadFromFile(file)
      for (const [user, tokenFile] of tokenFilesOf(file)) if (!tokenFiles.has(user)) tokenFiles.set(user, tokenFile)
      if (index > 0) kubeConfig.mergeConfig(part, true)
    } catch (error) {
      throw new Error(`kubeconfig ${file}: ${firstLine(error)}`)
    }
  }
  const where = `kubeconfig ${files.join(', ')}`
  const cluster = kubeConfig.getCurrentCluster()
  if (!cluster)
    throw new Error(`${where}: its current-context "${kubeConfig.getCurrentContext() ?? ''}" names no cluster`)
  const user = kubeConfig.getCurrentUser()
  return {
    kubeConfig,
    server: parseUrl(cluster.server, `${where}: server`),
    namespace: kubeConfig.getContextObject(kubeConfig.getCurrentContext())?.namespace,
    proxy: cluster.proxyUrl ? parseProxy(cluster.proxyUrl, where) : undefined,
    tokenFile: user ? tokenFiles.get(user.name) : undefined,
  }
}

function fromServiceAccount(root: string, environment: LoadClusterOptions['environment']): Configuration {
  const host = environment.KUBERNETES_SERVICE_HOST
  const port = environment.KUBERNETES_SERVICE_PORT
  if (!host || !port) throw new Error('in a pod, but KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set')
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  const namespaceFile = join(root, 'namespace')
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromClusterAndUser(
    { name: 'in-cluster', server, caFile: join(root, 'ca.crt'), skipTLSVerify: false },
    { name: 'in-cluster' },
  )
  return {
    kubeConfig,
    server: new URL(server),
    namespace: existsSync(namespaceFile) ? readFileSync(namespaceFile, 'utf8').trim() : undefined,
    proxy: undefined,
    tokenFile: join(root, 'token'),
  }
}

/** `users[].user.tokenFile`, which `KubeConfig` drops. */
function tokenFilesOf(file: string): [user: string, tokenFile: string][] {
  const content = parse(readFileSync(file, 'utf8')) as {
    users?: { name?: string; user?: { tokenFile?: string } }[]
  } | null
  return (content?.users ?? []).flatMap(({ name, user }): [string, string][] =>
    name && user?.tokenFile ? [[name, resolve(dirname(file), user.tokenFile)]] : [],
  )
}

async function readCredentials({ kubeConfig, server, tokenFile }: Configuration): Promise<Credentials> {
  const plain = server.protocol === 'http:'
  // KubeConfig would refuse plain http, which kubectl allows; no connection is made with these options.
  const cluster = kubeConfig.getCurrentCluster()
  if (plain && cluster) Object.assign(cluster, { skipTLSVerify: true })
  const found: RequestOptions = {}
  await kubeConfig.applyToHTTPSOptions(found)
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(found.headers ?? {})) headers[name.toLowerCase()] = String(value).trim()
  if (found.auth) headers.authorization ??= `Basic ${Buffer.from(found.auth).toString('base64')}`
  if (tokenFile !== undefined) headers.authorization = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`
  return { headers, tls: plain ? {} : tlsOf(found) }
}

function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: RequestOptions): TlsIdentity {
  return {
    ...(ca ? { ca: ca as string | Buffer } : {}),
    ...(cert ? { cert: cert as string | Buffer } : {}),
    ...(key ? { key: key as string | Buffer } : {}),
    ...(servername ? { servername } : {}),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  }
}

function parseUrl(text: string, what: string): URL {
  if (!URL.canParse(text)) throw new Error(`${what}: "${text}" is no URL`)
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new Error(`${what}: "${text}" is neither https nor http`)
  return url
}

function parseProxy(text: string, where: string): URL {
  return parseUrl(text, `${where}: proxy-url`)
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}
