/**
 * The built-in kinds that a controller meets, with as much TypeScript as is used: what is not described here is
 * still there at run time, since objects are what the server sent.
 */
import type { Condition } from './conditions.ts'
import type { KubeObject, ResourceType } from './resource.ts'

export interface Namespace extends KubeObject {
  readonly spec?: { readonly finalizers?: readonly string[] }
  readonly status?: { readonly phase?: 'Active' | 'Terminating'; readonly conditions?: readonly Condition[] }
}

export interface Secret extends KubeObject {
  readonly type?: string
  readonly immutable?: boolean
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>
  /** Plain text; only ever written. */
  readonly stringData?: Readonly<Record<string, string>>
}

export interface ConfigMap extends KubeObject {
  readonly immutable?: boolean
  readonly data?: Readonly<Record<string, string>>
  /** Base64. */
  readonly binaryData?: Readonly<Record<string, string>>
}

export interface ServiceAccount extends KubeObject {
  readonly automountServiceAccountToken?: boolean
}

export interface PolicyRule {
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
  readonly verbs: readonly string[]
}

export interface RoleRef {
  readonly apiGroup: string
  readonly kind: 'Role' | 'ClusterRole'
  readonly name: string
}

export interface Subject {
  readonly apiGroup?: string
  readonly kind: 'User' | 'Group' | 'ServiceAccount'
  readonly name: string
  readonly namespace?: string
}

export interface Role extends KubeObject {
  readonly rules?: readonly PolicyRule[]
}

export interface ClusterRole extends KubeObject {
  readonly rules?: readonly PolicyRule[]
  readonly aggregationRule?: unknown
}

export interface RoleBinding extends KubeObject {
  readonly roleRef: RoleRef
  readonly subjects?: readonly Subject[]
}

export interface ClusterRoleBinding extends KubeObject {
  readonly roleRef: RoleRef
  readonly subjects?: readonly Subject[]
}

/** Times are `MicroTime`: RFC 3339 with microseconds. */
export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    readonly acquireTime?: string | null
    readonly renewTime?: string | null
    readonly leaseTransitions?: number
  }
}

export interface ObjectReference {
  readonly apiVersion?: string
  readonly kind?: string
  readonly namespace?: string
  readonly name?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly fieldPath?: string
}

/** `events.k8s.io/v1`. */
export interface Event extends KubeObject {
  readonly eventTime: string
  readonly series?: { readonly count: number; readonly lastObservedTime: string }
  readonly reportingController: string
  readonly reportingInstance: string
  readonly action: string
  readonly reason: string
  readonly regarding: ObjectReference
  readonly related?: ObjectReference
  readonly note: string
  readonly type: 'Normal' | 'Warning'
}

export interface PodTemplate {
  readonly metadata?: {
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: PodSpec
}

export interface PodSpec {
  readonly restartPolicy?: 'Always' | 'OnFailure' | 'Never'
  readonly serviceAccountName?: string
  readonly automountServiceAccountToken?: boolean
  readonly terminationGracePeriodSeconds?: number
  readonly activeDeadlineSeconds?: number
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly volumes?: readonly unknown[]
  readonly securityContext?: unknown
  readonly [field: string]: unknown
}

export interface Container {
  readonly name: string
  readonly image?: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[]
  readonly volumeMounts?: readonly unknown[]
  readonly resources?: unknown
  readonly securityContext?: unknown
  readonly [field: string]: unknown
}

export interface Job extends KubeObject {
  readonly spec?: {
    readonly backoffLimit?: number
    readonly activeDeadlineSeconds?: number
    readonly ttlSecondsAfterFinished?: number
    readonly completions?: number
    readonly parallelism?: number
    readonly suspend?: boolean
    readonly template: PodTemplate
  }
  readonly status?: {
    readonly active?: number
    readonly succeeded?: number
    readonly failed?: number
    readonly startTime?: string
    readonly completionTime?: string
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly reason?: string
      readonly message?: string
    }[]
  }
}

export interface Pod extends KubeObject {
  readonly spec?: PodSpec
  readonly status?: {
    readonly phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
    readonly reason?: string
    readonly message?: string
    readonly containerStatuses?: readonly {
      readonly name: string
      readonly state?: {
        readonly terminated?: { readonly exitCode: number; readonly reason?: string; readonly message?: string }
      }
    }[]
  }
}

export interface CustomResourceDefinition extends KubeObject {
  readonly spec: {
    readonly group: string
    readonly scope: 'Namespaced' | 'Cluster'
    readonly names: {
      readonly kind: string
      readonly plural: string
      readonly singular?: string
      readonly shortNames?: readonly string[]
    }
    readonly versions: readonly {
      readonly name: string
      readonly served: boolean
      readonly storage: boolean
      readonly [field: string]: unknown
    }[]
    readonly [field: string]: unknown
  }
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

/** Answers "may I"; created, never stored. */
export interface SelfSubjectAccessReview extends KubeObject {
  readonly spec: {
    readonly resourceAttributes?: {
      readonly group?: string
      readonly version?: string
      readonly resource?: string
      readonly subresource?: string
      readonly namespace?: string
      readonly name?: string
      readonly verb?: string
    }
    readonly nonResourceAttributes?: { readonly path: string; readonly verb: string }
  }
  readonly status?: { readonly allowed: boolean; readonly denied?: boolean; readonly reason?: string }
}

export interface ValidatingAdmissionPolicy extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>
  readonly status?: { readonly observedGeneration?: number; readonly typeChecking?: unknown }
}

export interface ValidatingAdmissionPolicyBinding extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>
}

function type<T extends KubeObject>(
  apiVersion: string,
  kind: string,
  plural: string,
  scope: 'Namespaced' | 'Cluster',
): ResourceType<T> {
  const slash = apiVersion.indexOf('/')
  return {
    group: slash < 0 ? '' : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    kind,
    plural,
    namespaced: scope === 'Namespaced',
  }
}

const rbac = 'rbac.authorization.k8s.io/v1'
const admission = 'admissionregistration.k8s.io/v1'

export const namespaceType = type<Namespace>('v1', 'Namespace', 'namespaces', 'Cluster')
export const secretType = type<Secret>('v1', 'Secret', 'secrets', 'Namespaced')
export const configMapType = type<ConfigMap>('v1', 'ConfigMap', 'configmaps', 'Namespaced')
export const serviceAccountType = type<ServiceAccount>('v1', 'ServiceAccount', 'serviceaccounts', 'Namespaced')
export const podType = type<Pod>('v1', 'Pod', 'pods', 'Namespaced')
export const jobType = type<Job>('batch/v1', 'Job', 'jobs', 'Namespaced')
export const leaseType = type<Lease>('coordination.k8s.io/v1', 'Lease', 'leases', 'Namespaced')
export const eventType = type<Event>('events.k8s.io/v1', 'Event', 'events', 'Namespaced')
export const roleType = type<Role>(rbac, 'Role', 'roles', 'Namespaced')
export const roleBindingType = type<RoleBinding>(rbac, 'RoleBinding', 'rolebindings', 'Namespaced')
export const clusterRoleType = type<ClusterRole>(rbac, 'ClusterRole', 'clusterroles', 'Cluster')
export const clusterRoleBindingType = type<ClusterRoleBinding>(
  rbac,
  'ClusterRoleBinding',
  'clusterrolebindings',
  'Cluster',
)
export const customResourceDefinitionType = type<CustomResourceDefinition>(
  'apiextensions.k8s.io/v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  'Cluster',
)
export const selfSubjectAccessReviewType = type<SelfSubjectAccessReview>(
  'authorization.k8s.io/v1',
  'SelfSubjectAccessReview',
  'selfsubjectaccessreviews',
  'Cluster',
)
export const validatingAdmissionPolicyType = type<ValidatingAdmissionPolicy>(
  admission,
  'ValidatingAdmissionPolicy',
  'validatingadmissionpolicies',
  'Cluster',
)
export const validatingAdmissionPolicyBindingType = type<ValidatingAdmissionPolicyBinding>(
  admission,
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
  'Cluster',
)
