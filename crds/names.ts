/**
 * Every name that SkyClust writes into Kubernetes objects or onto instances, in one place: once released, none of
 * them may change, because what carries them outlives any process.
 */

export const group = 'skyclust.io'
export const version = 'v1alpha1'
export const apiVersion = `${group}/${version}`

/** Lists all that a workspace holds: `kubectl get skyclust`. */
export const category = 'skyclust'

export const labels = {
  /** On whatever SkyClust makes; its value is {@link managedBy}. */
  managedBy: 'app.kubernetes.io/managed-by',
  /** The Workspace that an object belongs to. On a Namespace it says which Workspace may take it. */
  workspace: 'skyclust.io/workspace',
  /** Which part of the installation keeps a Secret in its namespace: `api`, `controller`. */
  component: 'skyclust.io/component',
  /** On a Secret that a Credential names, together with {@link finalizers}.credential: what the controller watches. */
  credentialSecret: 'skyclust.io/credential-secret',
  /** On what a POST with an Idempotency-Key made: a digest of caller and key, 32 hexadecimal digits. */
  idempotency: 'skyclust.io/idempotency',
} as const

/** The value of `app.kubernetes.io/managed-by`. */
export const managedBy = 'skyclust'

export const annotations = {
  /** `"true"` stops all action on an object, its deletion included, until the annotation is removed. */
  paused: 'skyclust.io/paused',
  /** Digest of the body that a POST with an Idempotency-Key carried, 64 hexadecimal digits. */
  idempotencyBody: 'skyclust.io/idempotency-body',
  /** Of the REST call that made or last changed the object, while traces are on; W3C Trace Context. */
  traceparent: 'skyclust.io/traceparent',
} as const

export const finalizers = {
  /** Goes when all that was in the workspace is gone. */
  workspace: 'skyclust.io/workspace',
  /** On a Credential and on its Secret; goes when no VM and no run needs them. */
  credential: 'skyclust.io/credential',
  /** Goes when the cloud has said that the instance is gone. */
  vm: 'skyclust.io/vm',
  tofuRun: 'skyclust.io/tofu-run',
} as const

/** Tags that the controller puts on instances; a VM's own tags may use none of these keys. */
export const instanceTags = {
  vmUID: 'skyclust.io/vm-uid',
  /** `namespace/name`. */
  vm: 'skyclust.io/vm',
  /** The installation: metadata.uid of its cluster's Namespace kube-system. */
  cluster: 'skyclust.io/cluster',
  /** The number of the instance among those that the VM has had. */
  incarnation: 'skyclust.io/incarnation',
  name: 'Name',
} as const

/** The group that every SkyClust user belongs to, as Kubernetes sees it. */
export const usersGroup = 'skyclust:users'

const userPrefix = 'skyclust:'

/** What Kubernetes calls the SkyClust user whose User object has this name. */
export function kubernetesUser(userName: string): string {
  return `${userPrefix}${userName}`
}

/** The User object's name behind a Kubernetes user name; `undefined` for whoever is no SkyClust user. */
export function userNameOf(kubernetesUserName: string): string | undefined {
  return kubernetesUserName.startsWith(userPrefix) ? kubernetesUserName.slice(userPrefix.length) : undefined
}

/** ClusterRoles that come with the installation. */
export const clusterRoles = {
  /** Bound in each workspace's namespace to those who have that role there. */
  admin: 'skyclust-admin',
  member: 'skyclust-member',
  viewer: 'skyclust-viewer',
  /** Bound to {@link usersGroup}. */
  users: 'skyclust-users',
  /** Bound to each User with `spec.admin`. */
  platformAdmin: 'skyclust-platform-admin',
} as const

/** ServiceAccounts of the two processes, in the installation's namespace. */
export const serviceAccounts = { api: 'skyclust-api', controller: 'skyclust-controller' } as const
