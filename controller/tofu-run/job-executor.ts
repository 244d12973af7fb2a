/**
 * The executor of a cluster: a Job for each phase, in the namespace of the run, so that its quota counts and its neighbours are its own.
 *
 * Guarantees: one pod, never a second (`backoffLimit: 0`, `restartPolicy: Never`); no service-account token, no privilege, no capability, a read-only
 * root, a user of the run's own; limits on CPU, memory, disk and, by the runner, processes; an end even if everybody forgets it (`activeDeadlineSeconds`). The token of the phase is in a Secret
 * that the run owns, and no other credential is in the manifest: the runner fetches the rest over the line that the token opens.
 *
 * What may leave the pod is named in the NetworkPolicy `skyclust-tofu-run` of the namespace, as far as the cluster's network enforces one.
 */
import type { TofuRun } from '../../crds/tofu-run.ts'
import { type Job, jobType, podType, secretType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isAlreadyExists, isNotFound } from '../../kube/kube-error.ts'
import type { KubeObject, ResourceType } from '../../kube/resource.ts'
import { milliseconds } from './duration.ts'
import type { Executor, Observation, RunnerAddress } from './executor.ts'
import { ownedBy, runLabel, runUidLabel } from './output-store.ts'
import { type RunLimits, usualLimits } from './protocol.ts'
import { userOf } from './run-user.ts'
import { type RunPhase, runPhases } from './state/stack-head.ts'

export interface JobExecutorOptions {
  readonly client: KubeClient
  readonly address: (run: TofuRun, phase: RunPhase) => Promise<RunnerAddress>
  readonly image: string
  /** Where providers are in the image, proxies, endpoints; nothing secret. */
  readonly environment: Readonly<Record<string, string>>
  readonly command?: readonly string[]
  /** CPUs at the same time, as Kubernetes writes them; default: 2. */
  readonly cpu?: string
  /** Default: the usual ones. */
  readonly limits?: RunLimits
}

interface NetworkPolicy extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>
}

const networkPolicyType: ResourceType<NetworkPolicy> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  namespaced: true,
}

const runnerCommand = ['skyclust-tofu-runner']
/** Beyond the timeout: fetching the sources, both graces of a stop, the last upload. */
const beyondTimeoutSeconds = 1_800
/** Beyond the disk that a run may have: the kubelet evicts without a grace, so the runner has to stop tofu before. */
const beyondDiskMi = 1024
const temporaryMi = 256
/** After a deletion of the pod, tofu may finish what is under way. */
const terminationGraceSeconds = 360

export function jobExecutor(options: JobExecutorOptions): Executor {
  const { client, address, image, environment, command = runnerCommand, cpu = '2', limits = usualLimits } = options

  const nameOf = ({ metadata }: TofuRun, phase: RunPhase) =>
    `${metadata.name.slice(0, 40)}-${phase}-${metadata.uid.slice(0, 8)}`
  const keyFor = (run: TofuRun, phase: RunPhase) => ({
    namespace: run.metadata.namespace ?? '',
    name: nameOf(run, phase),
  })

  function metadataFor(run: TofuRun, phase: RunPhase) {
    const owner = { namespace: run.metadata.namespace ?? '', name: run.metadata.name, uid: run.metadata.uid }
    const labels = {
      'app.kubernetes.io/managed-by': 'skyclust',
      [runLabel]: run.metadata.name,
      [runUidLabel]: run.metadata.uid,
    }
    return { ...keyFor(run, phase), labels, ownerReferences: [ownedBy(owner)] }
  }

  async function createOnce(create: Promise<unknown>): Promise<void> {
    try {
      await create
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }

  async function find(run: TofuRun, phase: RunPhase, signal?: AbortSignal): Promise<Job | undefined> {
    try {
      const job = await client.get(jobType, keyFor(run, phase), { signal })
      return job.metadata.labels?.[runUidLabel] === run.metadata.uid ? job : undefined
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  /** In the words of whoever ended or holds up the pod: the kubelet, the scheduler, an eviction. */
  async function wordsOfPod(
    run: TofuRun,
    phase: RunPhase,
    signal?: AbortSignal,
  ): Promise<{ readonly words: string; readonly endedBy?: string }> {
    const labelSelector = `batch.kubernetes.io/job-name=${nameOf(run, phase)}`
    const { items } = await client.list(podType, { namespace: run.metadata.namespace, labelSelector, signal })
    const status = items[0]?.status
    const state = status?.containerStatuses?.[0]?.state as ContainerState | undefined
    const { terminated, waiting } = state ?? {}
    const evicted = [status?.reason, status?.message].filter(Boolean).join(': ').trim()
    if (evicted !== '') return { words: evicted, endedBy: evicted }
    if (terminated !== undefined) {
      return { words: `${terminated.reason ?? 'Ended'} (exit code ${terminated.exitCode})` }
    }
    return { words: waiting?.reason === undefined ? '' : `${waiting.reason} ${waiting.message ?? ''}`.trim() }
  }

  async function remove(run: TofuRun, phase: RunPhase, signal?: AbortSignal): Promise<void> {
    const { uid } = (await find(run, phase, signal))?.metadata ?? {}
    if (uid === undefined) return
    try {
      await client.delete(jobType, keyFor(run, phase), {
        preconditions: { uid },
        propagationPolicy: 'Background',
        signal,
      })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  return {
    async start(run, phase, signal) {
      const { url, token } = await address(run, phase)
      const metadata = metadataFor(run, phase)
      const { namespace } = metadata
      await createOnce(client.create(networkPolicyType, networkPolicy(namespace, url), { signal }))
      const secret = { metadata, type: 'Opaque', data: { token: Buffer.from(token).toString('base64') } }
      await createOnce(client.create(secretType, secret, { signal }))
      const pod = podSpec({
        image,
        command,
        secret: metadata.name,
        environment: { ...environment, SKYCLUST_RUN_URL: url },
        cpu,
        limits,
        user: userOf(run),
      })
      const { labels } = metadata
      const spec = {
        backoffLimit: 0,
        completions: 1,
        parallelism: 1,
        activeDeadlineSeconds: Math.ceil(milliseconds(run.spec.timeout) / 1000) + beyondTimeoutSeconds,
        template: { metadata: { labels }, spec: pod },
      }
      await createOnce(client.create(jobType, { metadata, spec }, { signal }))
    },

    async observe(run, phase, signal): Promise<Observation> {
      const job = await find(run, phase, signal)
      if (job === undefined) return { kind: 'absent' }
      const over = job.status?.conditions?.find(
        ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
      )
      const { words, ...ended } = await wordsOfPod(run, phase, signal)
      if (over === undefined) return { kind: 'running', ...(words !== '' && { message: words }) }
      const why = [over.reason, over.message, words].filter((word) => word !== undefined && word !== '').join('; ')
      return {
        kind: 'gone',
        message: `The pod of the runner ended without a result${why === '' ? '' : `: ${why}`}.`,
        ...ended,
      }
    },

    kill: remove,
    leftState: async () => undefined,

    async clean(run, _phase, signal) {
      for (const phase of runPhases) {
        await remove(run, phase, signal)
        try {
          await client.delete(secretType, keyFor(run, phase), { signal })
        } catch (error) {
          if (!isNotFound(error)) throw error
        }
      }
    },

    async close() {
      // Jobs go on without this process.
    },
  }
}

interface ContainerState {
  readonly terminated?: { readonly exitCode: number; readonly reason?: string }
  readonly waiting?: { readonly reason?: string; readonly message?: string }
}

function podSpec(options: {
  readonly image: string
  readonly command: readonly string[]
  readonly secret: string
  readonly environment: Readonly<Record<string, string>>
  readonly cpu: string
  readonly limits: RunLimits
  readonly user: number
}) {
  const { image, command, secret, environment, cpu, limits, user } = options
  const diskMi = Math.ceil(limits.diskBytes / 2 ** 20) + beyondDiskMi
  const env = Object.entries({ ...environment, SKYCLUST_WORK_DIR: '/work/run' }).map(([name, value]) => ({
    name,
    value,
  }))
  const token = { name: 'SKYCLUST_RUN_TOKEN', valueFrom: { secretKeyRef: { name: secret, key: 'token' } } }
  return {
    restartPolicy: 'Never' as const,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: terminationGraceSeconds,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'tofu',
        image,
        command,
        env: [...env, token],
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resources: {
          requests: { cpu: '100m', memory: '256Mi', 'ephemeral-storage': '256Mi' },
          limits: {
            cpu,
            memory: `${Math.ceil(limits.memoryBytes / 2 ** 20)}Mi`,
            'ephemeral-storage': `${diskMi + temporaryMi}Mi`,
          },
        },
        volumeMounts: [
          { name: 'work', mountPath: '/work' },
          { name: 'tmp', mountPath: '/tmp' },
        ],
      },
    ],
    volumes: [
      { name: 'work', emptyDir: { sizeLimit: `${diskMi}Mi` } },
      { name: 'tmp', emptyDir: { sizeLimit: `${temporaryMi}Mi` } },
    ],
  }
}

/** Nothing comes in; out go DNS, the controller, and git, registries and cloud APIs in the world, but not the cloud's metadata service. */
function networkPolicy(namespace: string, url: string) {
  const port = Number(new URL(url).port || 80)
  return {
    metadata: { namespace, name: 'skyclust-tofu-run', labels: { 'app.kubernetes.io/managed-by': 'skyclust' } },
    spec: {
      podSelector: { matchExpressions: [{ key: runUidLabel, operator: 'Exists' }] },
      policyTypes: ['Ingress', 'Egress'],
      egress: [
        {
          ports: [
            { protocol: 'UDP', port: 53 },
            { protocol: 'TCP', port: 53 },
          ],
        },
        { ports: [{ protocol: 'TCP', port }] },
        {
          to: [
            { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.0.0/16'] } },
            { ipBlock: { cidr: '::/0', except: ['fe80::/10', 'fd00:ec2::/32'] } },
          ],
          ports: [
            { protocol: 'TCP', port: 443 },
            { protocol: 'TCP', port: 80 },
            { protocol: 'TCP', port: 22 },
          ],
        },
      ],
    },
  }
}
