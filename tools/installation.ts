/**
 * What an installation of SkyClust puts into a cluster, as the chart does: the CustomResourceDefinitions, the installation's
 * namespace, the roles and admission policies in `charts/skyclust/files`, and a ServiceAccount for each of the two processes.
 *
 * Guarantees: may be repeated; what is there already is brought up to date. A process's ServiceAccount gets the ClusterRole, and
 * in the installation's namespace the Role, of its own name, and nothing else.
 */
import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import type { Kubectl } from './kubectl.ts'
import { hasConstrainedImpersonation, legacyImpersonation } from './legacy-impersonation.ts'

export interface InstallationOptions {
  readonly kubectl: Kubectl
  /** The checkout. */
  readonly root: string
  readonly namespace: string
}

export const processAccounts = ['skyclust-controller', 'skyclust-api'] as const
export type ProcessAccount = (typeof processAccounts)[number]

export async function install(options: InstallationOptions): Promise<void> {
  await applyDefinitions(options)
  await applyRoles(options)
}

/** The CustomResourceDefinitions; resolves when the apiserver serves them. */
export async function applyDefinitions({ kubectl, root }: InstallationOptions): Promise<void> {
  const definitions = await documentsIn(join(root, 'crds/yaml'))
  if (definitions.length === 0) return
  const text = yamlOf(definitions)
  await kubectl(text, ...serverSideApply)
  await kubectl(text, 'wait', '--for=condition=Established', '--timeout=60s', '-f', '-')
}

/** The namespace, the roles and policies, the ServiceAccounts and what binds them. */
export async function applyRoles({ kubectl, root, namespace }: InstallationOptions): Promise<void> {
  await kubectl(yamlOf([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }]), ...serverSideApply)
  const kubernetes = await versionOf(kubectl)
  await kubectl(yamlOf(await rolesAndAccounts({ root, namespace, kubernetes })), ...serverSideApply)
}

/** Of the API server: `1.36.3`. */
async function versionOf(kubectl: Kubectl): Promise<string> {
  const { serverVersion } = JSON.parse(await kubectl('', 'version', '--output=json'))
  return serverVersion.gitVersion.slice(1)
}

/** What `applyRoles` applies beside the namespace; the chart renders the same. */
export async function rolesAndAccounts(
  where: Pick<InstallationOptions, 'root' | 'namespace'> & { readonly kubernetes: string },
): Promise<readonly Manifest[]> {
  const { root, namespace, kubernetes } = where
  const roles = await documentsIn(join(root, 'charts/skyclust/files'))
  const own = roles.map((role) => {
    if (role.kind === 'Role') return { ...role, metadata: { ...role.metadata, namespace } }
    const isFacade = role.kind === 'ClusterRole' && role.metadata.name === 'skyclust-api'
    if (!isFacade || role.rules === undefined || hasConstrainedImpersonation(kubernetes)) return role
    return { ...role, rules: legacyImpersonation(role.rules) }
  })
  return [...own, ...processAccounts.flatMap((name) => accountWithBindings(name, namespace, own))]
}

/** A token of a process's ServiceAccount, from the TokenRequest API. */
export async function tokenFor(
  account: ProcessAccount,
  { kubectl, namespace }: Pick<InstallationOptions, 'kubectl' | 'namespace'>,
  hours: number,
): Promise<string> {
  return (await kubectl('', 'create', 'token', account, `--namespace=${namespace}`, `--duration=${hours}h`)).trim()
}

const serverSideApply = ['apply', '--server-side', '--force-conflicts', '--field-manager=skyclust-install', '-f', '-']

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly rules?: Parameters<typeof legacyImpersonation>[0]
}

function accountWithBindings(name: ProcessAccount, namespace: string, roles: readonly Manifest[]): Manifest[] {
  const apiGroup = 'rbac.authorization.k8s.io'
  const bind = (role: Manifest, binding: string): Manifest => ({
    apiVersion: `${apiGroup}/v1`,
    kind: binding,
    metadata: role.kind === 'Role' ? { name, namespace } : { name },
    ...{ roleRef: { apiGroup, kind: role.kind, name }, subjects: [{ kind: 'ServiceAccount', name, namespace }] },
  })
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    ...roles
      .filter((role) => role.metadata.name === name && /^(Cluster)?Role$/.test(role.kind))
      .map((role) => bind(role, `${role.kind}Binding`)),
  ]
}

/** All documents of all YAML files in a folder; none where there is no such folder. */
export async function documentsIn(folder: string): Promise<Manifest[]> {
  const there = await access(folder).then(
    () => true,
    () => false,
  )
  if (!there) return []
  const files = (await readdir(folder)).filter((file) => /\.ya?ml$/.test(file)).sort()
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))
  return texts
    .flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest | null))
    .filter((document) => document !== null)
}

function yamlOf(documents: readonly unknown[]): string {
  return documents.map((document) => stringify(document)).join('---\n')
}
