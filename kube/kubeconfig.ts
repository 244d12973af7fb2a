/**
 * Reads kubeconfig files as kubectl merges them: the first file that says a thing wins, and paths are relative to the
 * file that names them. Errors are one line that names the file and the field.
 *
 * @see https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'

/** What the current context leads to. */
export interface Kubeconfig {
  readonly cluster: KubeconfigCluster
  readonly user: KubeconfigUser
  readonly namespace: string | undefined
}

/** As in the file, its paths made absolute. */
export interface KubeconfigCluster {
  readonly server: string
  readonly 'certificate-authority'?: string
  /** Base64. */
  readonly 'certificate-authority-data'?: string
  readonly 'insecure-skip-tls-verify'?: boolean
  readonly 'tls-server-name'?: string
  readonly 'proxy-url'?: string
}

/** As in the file, its paths made absolute. */
export interface KubeconfigUser {
  readonly name: string
  readonly 'client-certificate'?: string
  readonly 'client-certificate-data'?: string
  readonly 'client-key'?: string
  readonly 'client-key-data'?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly username?: string
  readonly password?: string
  readonly as?: string
  readonly 'as-uid'?: string
  readonly 'as-groups'?: readonly string[]
  readonly exec?: ExecPlugin
  readonly 'auth-provider'?: unknown
}

/** A program that prints credentials. */
export interface ExecPlugin {
  readonly command: string
  /** `client.authentication.k8s.io/v1` or `v1beta1`. */
  readonly apiVersion?: string
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null
  /** Whether it wants to be told of the cluster. */
  readonly provideClusterInfo?: boolean
  readonly [field: string]: unknown
}

interface Context {
  readonly cluster?: string
  readonly user?: string
  readonly namespace?: string
}

interface Named {
  readonly name?: string
  readonly cluster?: Partial<KubeconfigCluster>
  readonly user?: Omit<KubeconfigUser, 'name'>
  readonly context?: Context
}

interface File {
  readonly path: string
  readonly content: {
    readonly clusters?: readonly Named[] | null
    readonly users?: readonly Named[] | null
    readonly contexts?: readonly Named[] | null
    readonly 'current-context'?: string
  }
}

/** @param paths of files that exist, the most important first */
export function readKubeconfig(paths: readonly string[]): Kubeconfig {
  const files = paths.map(readFile)
  const where = `kubeconfig ${paths.join(', ')}`
  const contextName = files.map(({ content }) => content['current-context']).find(Boolean)
  if (!contextName) throw new Error(`${where}: there is no current-context; choose one with kubectl config use-context`)

  const context = find(files, 'contexts', contextName)?.entry.context
  if (!context) throw new Error(`${where}: current-context names "${contextName}", which is not among the contexts`)
  const cluster = find(files, 'clusters', context.cluster)
  if (!cluster)
    throw new Error(`${where}: context "${contextName}" names cluster "${context.cluster ?? ''}", which is not there`)
  const { server } = cluster.entry.cluster ?? {}
  if (!server) throw new Error(`kubeconfig ${cluster.path}: cluster "${context.cluster}" has no server`)
  const user = context.user ? find(files, 'users', context.user) : undefined
  if (context.user && !user)
    throw new Error(`${where}: context "${contextName}" names user "${context.user}", which is not there`)

  return {
    cluster: absolute({ ...cluster.entry.cluster, server }, cluster.path, ['certificate-authority']),
    user: user ? userOf(user) : { name: '' },
    namespace: context.namespace || undefined,
  }
}

function readFile(path: string): File {
  try {
    const content: unknown = parse(readFileSync(path, 'utf8')) ?? {}
    if (typeof content !== 'object' || Array.isArray(content)) throw new Error('it is no mapping')
    return { path, content: content as File['content'] }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new Error(`kubeconfig ${path}: ${message.split('\n')[0]}`)
  }
}

interface Found {
  readonly path: string
  readonly entry: Named
}

function find(
  files: readonly File[],
  list: 'clusters' | 'users' | 'contexts',
  name: string | undefined,
): Found | undefined {
  for (const { path, content } of files) {
    const entry = content[list]?.find((one) => one.name === name)
    if (entry) return { path, entry }
  }
  return undefined
}

function userOf({ path, entry }: Found): KubeconfigUser {
  const user = absolute({ ...entry.user, name: entry.name ?? '' }, path, [
    'client-certificate',
    'client-key',
    'tokenFile',
  ])
  const command = user.exec?.command
  // A command with a slash is a path like the others; one without is looked up in PATH.
  return command?.includes('/') ? { ...user, exec: { ...user.exec, command: resolve(dirname(path), command) } } : user
}

function absolute<T extends object>(object: T, path: string, fields: readonly (keyof T)[]): T {
  const result = { ...object }
  for (const field of fields) {
    const value = result[field]
    if (typeof value === 'string' && value !== '') Object.assign(result, { [field]: resolve(dirname(path), value) })
  }
  return result
}
