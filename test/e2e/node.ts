/**
 * A node small enough for a test: it runs the pods of a cluster without nodes as processes on this machine, and reports as a kubelet does. What
 * rolls out Deployments, runs Jobs and deletes pods is the real kube-controller-manager.
 *
 * It runs what SkyClust's images hold: `args: [controller/main.ts]` and `api/main.ts` with the account of their pod, and the runner of OpenTofu. It
 * gives each the environment that its manifest says, Secrets and fields of the pod included, but for ports, of which each gets its own, and for names of
 * Services, which lead nowhere here. A pod is ready when its `/readyz` says so; one that ends is started again, as its restart policy says.
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Pod, podType, secretType } from '../../kube/builtin-types.ts'
import { cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { keyOf } from '../../kube/resource.ts'
import type { ProcessAccount } from '../../tools/installation.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { processKubeconfig } from '../cluster/process-account.ts'
import { type LogRecord, type Program, startProgram } from '../cluster/program.ts'

export interface Node extends AsyncDisposable {
  /** The pods that run now, each with its process. */
  readonly running: readonly RunningPod[]
  /** Everything that any process has logged, those of pods that are gone too. */
  logs(): readonly LogRecord[]
  /** The pods of a process (`skyclust-api`) that are ready now; waits until there are so many, one by default. */
  ready(name: string, count?: number): Promise<readonly RunningPod[]>
}

export interface RunningPod {
  readonly pod: Pod
  readonly program: Program
  /** As it logged them: of the facade, of `/metrics` and the probes. */
  readonly url: string | undefined
  readonly metricsUrl: string | undefined
  readonly isReady: boolean
}

export interface NodeOptions {
  readonly cluster: Cluster
  /** May do everything. */
  readonly client: KubeClient
  /** For kubeconfigs and the folders of runs. */
  readonly directory: string
  /** What the image of the runner brings. */
  readonly runnerImage: Readonly<Record<string, string>>
}

interface Slot {
  readonly pod: Pod
  program: Program
  url?: string | undefined
  metricsUrl?: string | undefined
  isReady: boolean
  ended: boolean
}

const RUNNER = 'controller/tofu-run/runner/main.ts'
/** As in the manifests. */
const GRACE_MS = 30_000
const PROBE_MS = 250
const RESTART_MS = 1_000

export async function node({ cluster, client, directory, runnerImage }: NodeOptions): Promise<Node> {
  const stopping = new AbortController()
  const slots = new Map<string, Slot>()
  const programs: Program[] = []

  async function environmentOf(pod: Pod): Promise<Record<string, string>> {
    const environment: Record<string, string> = {}
    for (const { name, value, valueFrom } of containerOf(pod).env ?? []) {
      environment[name] = valueFrom === undefined ? (value ?? '') : await valueAt(pod, valueFrom)
    }
    return environment
  }

  async function valueAt(pod: Pod, { secretKeyRef, fieldRef }: ValueSource): Promise<string> {
    if (fieldRef?.fieldPath === 'metadata.name') return pod.metadata.name
    if (secretKeyRef === undefined) throw new Error(`the node cannot give ${JSON.stringify(fieldRef)}`)
    const secret = await client.get(secretType, { namespace: pod.metadata.namespace, name: secretKeyRef.name })
    const data = secret.data?.[secretKeyRef.key]
    if (data === undefined) throw new Error(`there is no ${secretKeyRef.key} in Secret ${secretKeyRef.name}`)
    return Buffer.from(data, 'base64').toString()
  }

  async function start(pod: Pod): Promise<Program> {
    const environment = await environmentOf(pod)
    if (containerOf(pod).command?.[0] === 'skyclust-tofu-runner') {
      const work = { SKYCLUST_WORK_DIR: join(directory, 'pods', pod.metadata.uid) }
      return startProgram({ main: RUNNER, env: { ...runnerImage, ...environment, ...work } })
    }
    const account = pod.spec?.serviceAccountName as ProcessAccount
    const own = join(directory, 'pods', pod.metadata.uid)
    await mkdir(own, { recursive: true })
    const kubeconfig = await processKubeconfig(cluster, {
      account,
      namespace: pod.metadata.namespace ?? '',
      directory: own,
    })
    const here = {
      KUBECONFIG: kubeconfig,
      SKYCLUST_API_PORT: '0',
      SKYCLUST_METRICS_PORT: '0',
      SKYCLUST_TOFU_SERVER_PORT: '0',
      SKYCLUST_TOFU_SERVER_HOST: '127.0.0.1',
      SKYCLUST_TOFU_SERVER_URL: '',
      SKYCLUST_API_HOST: '127.0.0.1',
      SKYCLUST_METRICS_HOST: '127.0.0.1',
    }
    return startProgram({ main: containerOf(pod).args?.[0] ?? '', env: { ...environment, ...here } })
  }

  async function run(pod: Pod): Promise<void> {
    const program = await start(pod)
    programs.push(program)
    const slot: Slot = { pod, program, isReady: false, ended: false }
    slots.set(pod.metadata.uid, slot)
    await report(pod, { phase: 'Running', ready: false, state: { running: { startedAt: new Date().toISOString() } } })
    if (isService(pod)) void probe(slot)
    const { code, signal } = await program.exited
    slot.isReady = false
    if (slot.ended || stopping.signal.aborted) return
    const exitCode = code ?? 137
    if (pod.spec?.restartPolicy === 'Never') {
      const reason = exitCode === 0 ? 'Completed' : signal === 'SIGKILL' ? 'OOMKilled' : 'Error'
      const phase = exitCode === 0 ? 'Succeeded' : 'Failed'
      return report(pod, { phase, ready: false, state: { terminated: { exitCode, reason } } })
    }
    await report(pod, { phase: 'Running', ready: false, state: { terminated: { exitCode, reason: 'Error' } } })
    await sleep(RESTART_MS, undefined, { signal: stopping.signal })
    if (!slot.ended) await run(pod)
  }

  /** Until the process ends: asks as the manifest's probe does, and reports when the answer changed. */
  async function probe(slot: Slot): Promise<void> {
    const { program, pod } = slot
    const listening = await program.logged(({ msg }) => msg === 'listening').catch(() => undefined)
    if (listening === undefined) return
    slot.url = listening.url as string | undefined
    slot.metricsUrl = listening.metrics as string
    const path = containerOf(pod).readinessProbe?.httpGet?.path ?? '/'
    while (!slot.ended && slots.get(pod.metadata.uid) === slot && !stopping.signal.aborted) {
      const isReady = await fetch(slot.metricsUrl + path).then(
        ({ ok }) => ok,
        () => false,
      )
      if (isReady !== slot.isReady) {
        slot.isReady = isReady
        await report(pod, {
          phase: 'Running',
          ready: isReady,
          state: { running: { startedAt: new Date().toISOString() } },
        })
      }
      await sleep(PROBE_MS)
    }
  }

  async function report(
    pod: Pod,
    { phase, ready, state }: { phase: string; ready: boolean; state: object },
  ): Promise<void> {
    const { name, image } = containerOf(pod)
    const lastTransitionTime = new Date().toISOString().replace(/\.\d+/, '')
    const conditions = ['Ready', 'ContainersReady'].map((type) => ({
      type,
      status: ready ? 'True' : 'False',
      lastTransitionTime,
    }))
    const containerStatuses = [{ name, image, imageID: image, ready, restartCount: 0, state }]
    try {
      await client.patch(
        podType,
        keyOf(pod),
        { status: { phase, conditions, containerStatuses } },
        { kind: 'merge', subresource: 'status' },
      )
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  function end(pod: Pod): void {
    const slot = slots.get(pod.metadata.uid)
    if (slot === undefined) return
    slot.ended = true
    slot.isReady = false
    slot.program.stop(GRACE_MS).catch(console.error)
    slots.delete(pod.metadata.uid)
  }

  const pods = cache(client, podType, { signal: stopping.signal })
  const known = new Set<string>()
  pods.onChange(({ type, object }) => {
    if (type === 'delete') return end(object)
    if (known.has(object.metadata.uid)) return
    known.add(object.metadata.uid)
    run(object).catch((error: unknown) => {
      if (!stopping.signal.aborted) console.error(error)
    })
  })
  await pods.synced()

  const running = () =>
    [...slots.values()].map(({ pod, program, url, metricsUrl, isReady }) => ({
      pod,
      program,
      url,
      metricsUrl,
      isReady,
    }))
  return {
    get running() {
      return running()
    },
    logs: () => programs.flatMap(({ records }) => records),
    async ready(name, count = 1) {
      const deadline = AbortSignal.timeout(60_000)
      for (;;) {
        const found = running().filter(({ pod, isReady }) => isReady && pod.spec?.serviceAccountName === name)
        if (found.length >= count) return found
        if (deadline.aborted)
          throw new Error(
            `${found.length} pods of ${name} are ready:\n${JSON.stringify(running().map(({ program }) => program.lines.slice(-5)))}`,
          )
        await sleep(PROBE_MS)
      }
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.all(programs.map((program) => program.stop(0)))
      await pods.done
    },
  }
}

interface ValueSource {
  readonly secretKeyRef?: { readonly name: string; readonly key: string }
  readonly fieldRef?: { readonly fieldPath: string }
}

interface Container {
  readonly name: string
  readonly image: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: ValueSource }[]
  readonly readinessProbe?: { readonly httpGet?: { readonly path: string } }
}

function containerOf({ spec, metadata }: Pod): Container {
  const [container] = (spec?.containers ?? []) as readonly Container[]
  if (container === undefined) throw new Error(`pod ${metadata.name} has no container`)
  return container
}

function isService(pod: Pod): boolean {
  return containerOf(pod).readinessProbe !== undefined
}
