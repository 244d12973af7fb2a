/**
 * Which rights a run needed: read from the audit log of the API server, and held against what the roles grant. A right is `verb resource.group`, with
 * the subresource after a slash, and `in <namespace>` where a Role gives it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { documentsIn } from '../../tools/installation.ts'
import { root } from '../chart/helm.ts'

const IN_INSTALLATION = ' in skyclust-system'

export type Account = 'skyclust-controller' | 'skyclust-api'

const userOf = (account: Account) => `system:serviceaccount:skyclust-system:${account}`

/** Arguments of kube-apiserver, with which it writes down what the two processes ask. */
export async function auditArgs(directory: string): Promise<readonly string[]> {
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata', users: [userOf('skyclust-controller'), userOf('skyclust-api')] }, { level: 'None' }],
  }
  await writeFile(join(directory, 'audit-policy.yaml'), JSON.stringify(policy))
  return [`--audit-policy-file=${join(directory, 'audit-policy.yaml')}`, `--audit-log-path=${auditLog(directory)}`]
}

const auditLog = (directory: string) => join(directory, 'kube-audit.log')

interface AuditEvent {
  readonly user: { readonly username: string }
  readonly impersonatedUser?: { readonly username: string }
  readonly verb: string
  readonly objectRef?: {
    readonly resource: string
    readonly apiGroup?: string
    readonly subresource?: string
    readonly namespace?: string
  }
  readonly requestURI: string
  readonly requestReceivedTimestamp: string
  readonly responseStatus?: { readonly code: number; readonly message?: string }
  readonly annotations?: Readonly<Record<string, string>>
}

export interface UsedRights {
  readonly allowed: ReadonlySet<string>
  /** Refused by RBAC, each with the request. */
  readonly refused: readonly string[]
}

/** @param until what was asked later does not count: the roles were being taken away */
export async function rightsUsed(account: Account, directory: string, until: Date): Promise<UsedRights> {
  const lines = (await readFile(auditLog(directory), 'utf8')).split('\n').filter((line) => line !== '')
  const events = lines
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(
      ({ user, requestReceivedTimestamp }) =>
        user.username === userOf(account) && new Date(requestReceivedTimestamp) < until,
    )
  const allowed = new Set<string>()
  const refused: string[] = []
  for (const event of events) {
    const { objectRef, verb, impersonatedUser, annotations, responseStatus } = event
    if (objectRef === undefined) continue
    const right = rightOf(impersonatedUser === undefined ? verb : `impersonate-on:user-info:${verb}`, objectRef)
    if (annotations?.['authorization.k8s.io/decision'] === 'forbid')
      refused.push(`${right}: ${event.requestURI} ${responseStatus?.message ?? ''}`)
    else allowed.add(right)
  }
  return { allowed, refused }
}

function rightOf(
  verb: string,
  { resource, apiGroup, subresource, namespace }: NonNullable<AuditEvent['objectRef']>,
): string {
  const name = `${resource}${apiGroup ? `.${apiGroup}` : ''}${subresource ? `/${subresource}` : ''}`
  return `${verb} ${name}${namespace === 'skyclust-system' ? IN_INSTALLATION : ''}`
}

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

/** What the chart's roles of that account grant. */
export async function rightsGranted(account: Account): Promise<readonly string[]> {
  const roles = await documentsIn(join(root, 'charts/skyclust/files'))
  return roles
    .filter(({ kind, metadata }) => /^(Cluster)?Role$/.test(kind) && metadata.name === account)
    .flatMap(({ kind, ...role }) =>
      (role as unknown as { rules: readonly Rule[] }).rules.flatMap(({ apiGroups, resources, verbs }) =>
        apiGroups.flatMap((group) =>
          resources.flatMap((resource) =>
            verbs.map((verb) => {
              const [name, subresource] = resource.split('/')
              return rightOf(verb, {
                resource: name ?? '',
                apiGroup: group,
                ...(subresource === undefined ? {} : { subresource }),
                ...(kind === 'Role' ? { namespace: 'skyclust-system' } : {}),
              })
            }),
          ),
        ),
      ),
    )
}

/** Those of `granted` that the run would have gone without: not used, or given a second time by the wider role. */
export function superfluous(granted: readonly string[], { allowed }: UsedRights): readonly string[] {
  const all = new Set(granted)
  const isWider = (right: string) => right.endsWith(IN_INSTALLATION) && all.has(right.slice(0, -IN_INSTALLATION.length))
  return granted.filter((right) => (!allowed.has(right) && !Object.hasOwn(unseen, right)) || isWider(right))
}

/**
 * Rights that this run cannot show, each with what needs it. Whoever grants a role must hold what is in it, and what a policy asks of the authorizer, or
 * server-side apply of the right to create, is no request of its own.
 */
const unseen: Readonly<Record<string, string>> = {
  'get workspaces.skyclust.io':
    'held to be granted to the members of a workspace (test/rbac); the facade asks when its cache may be behind',
  'update workspaces.skyclust.io': 'held to be granted to the admins of a workspace (test/rbac)',
  'delete workspaces.skyclust.io': 'held to be granted to the owner of a workspace (test/rbac)',
  'bind clusterroles.rbac.authorization.k8s.io': 'asked while a binding is made (test/rbac)',
  'create resourcequotas': 'asked within a server-side apply of what is not there',
  'create roles.rbac.authorization.k8s.io': 'asked within a server-side apply of what is not there',
  'create rolebindings.rbac.authorization.k8s.io': 'asked within a server-side apply of what is not there',
  'create clusterroles.rbac.authorization.k8s.io': 'asked within a server-side apply of what is not there',
  'create clusterrolebindings.rbac.authorization.k8s.io': 'asked within a server-side apply of what is not there',
  'update workspaces.skyclust.io/finalizers': 'asked by the policy skyclust-finalizers (test/rbac)',
  'update credentials.skyclust.io/finalizers': 'asked by the policy skyclust-finalizers (test/rbac)',
  'update vms.skyclust.io/finalizers': 'asked by the policy skyclust-finalizers (test/rbac)',
  'update tofuruns.skyclust.io/finalizers': 'asked by the policy skyclust-finalizers (test/rbac)',
  'impersonate:user-info users.authentication.k8s.io': 'asked before each request as a caller',
  'impersonate:user-info groups.authentication.k8s.io': 'asked before each request as a caller',
  'delete roles.rbac.authorization.k8s.io':
    'when a Credential needs none any more (controller/credential/facade-grant.ts)',
  'get configmaps': 'a run whose source is a ConfigMap (test/tofu/inputs.test.ts)',
  'get sessions.skyclust.io in skyclust-system':
    'a session that was made on another replica a moment ago (api/auth/authenticate.ts)',
  'get vms.skyclust.io': 'before an instance without a VM is terminated (SKYCLUST_ORPHANS: delete)',
  'patch events.events.k8s.io': 'when the same happens again (kube/events.ts)',
  'list leases.coordination.k8s.io in skyclust-system': 'replicas that share the work (test/sharding)',
  'delete leases.coordination.k8s.io in skyclust-system': 'replicas that are gone (test/sharding)',
  'delete tofuruns.skyclust.io': 'when a run has outlived its ttlSecondsAfterFinished, and with its workspace',
  'list secrets in skyclust-system':
    'every ten minutes, for used-up states of OpenID Connect (api/auth/oidc/single-use.ts)',
  'get costestimates.skyclust.io in skyclust-system':
    'one made on another replica a moment ago (api/prices/estimates.ts)',
}
