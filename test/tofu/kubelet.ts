/**
 * A kubelet small enough for a test: it runs each pod of a namespace as a process on this machine, and reports as a kubelet does.
 *
 * It knows what the pods of runs use: one container, its command, environment with `secretKeyRef`, a work folder. The Job controller, the garbage
 * collector and the API server around it are the real ones. Its pods are bound to it, so that a deletion or an eviction is a graceful one:
 * SIGTERM, SIGKILL after `graceMs`, and the pod is gone once its process is.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Pod, podType, secretType } from '../../kube/builtin-types.ts'
import { cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { keyOf } from '../../kube/resource.ts'

export interface Kubelet extends AsyncDisposable {
  /** The pods that were run so far. */
  readonly ran: readonly Pod[]
  /** The node of a pod is gone: its process lives on there, and nothing of it is heard any more. */
  loseNode(podPrefix: string): void
  /** Settles when the process of that pod has ended. */
  ended(podPrefix: string): Promise<void>
  /** As `kubectl drain` does. */
  evict(podPrefix: string): Promise<void>
  /** SIGKILL for the process of a pod, as the kernel does when memory runs out. */
  killProcess(podPrefix: string): void
}

const program = join(import.meta.dirname, '../../controller/tofu-run/runner/main.ts')

export async function kubelet(options: {
  readonly client: KubeClient
  readonly namespace: string
  readonly folder: string
  /** What the image brings. */
  readonly image: Readonly<Record<string, string>>
  readonly graceMs: number
}): Promise<Kubelet> {
  const { client, namespace, folder, image, graceMs } = options
  const stopping = new AbortController()
  const processes = new Map<string, ChildProcess>()
  const ran: Pod[] = []
  const lost = new Set<string>()
  /** Told to go. */
  const ending = new Set<string>()

  async function environmentOf(pod: Pod): Promise<Record<string, string>> {
    const environment: Record<string, string> = { ...image }
    for (const { name, value, valueFrom } of pod.spec?.containers[0]?.env ?? []) {
      const reference = (valueFrom as { secretKeyRef?: { name: string; key: string } } | undefined)?.secretKeyRef
      if (reference === undefined) environment[name] = value ?? ''
      else {
        const secret = await client.get(secretType, { namespace, name: reference.name })
        environment[name] = Buffer.from(secret.data?.[reference.key] ?? '', 'base64').toString()
      }
    }
    return { ...environment, SKYCLUST_WORK_DIR: join(folder, 'pods', pod.metadata.uid) }
  }

  async function report(pod: Pod, phase: string, state: object): Promise<void> {
    if (lost.has(pod.metadata.uid)) return
    const status = {
      phase,
      containerStatuses: [{ name: 'tofu', image: '', imageID: '', ready: false, restartCount: 0, state }],
    }
    try {
      await client.patch(podType, keyOf(pod), { status }, { kind: 'merge', subresource: 'status' })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  const pathOf = ({ metadata }: Pod) => `/api/v1/namespaces/${namespace}/pods/${metadata.name}`

  /** What the client has no word for. A pod that is gone needs nothing more. */
  async function ask(method: 'POST' | 'DELETE', path: string, body: object): Promise<void> {
    const headers = { 'content-type': 'application/json' }
    const answer = await client.raw(path, { method, headers, body: JSON.stringify(body) })
    if (answer.status >= 300 && answer.status !== 404)
      throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`)
  }

  async function bind(pod: Pod): Promise<void> {
    const { name } = pod.metadata
    const target = { apiVersion: 'v1', kind: 'Node', name: 'test' }
    const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace }, target }
    await ask('POST', `${pathOf(pod)}/binding`, body)
  }

  /** The process has ended, and the pod was to go. */
  async function letGo(pod: Pod): Promise<void> {
    if (lost.has(pod.metadata.uid)) return
    const body = { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid } }
    await ask('DELETE', pathOf(pod), body)
  }

  async function run(pod: Pod): Promise<void> {
    const command = pod.spec?.containers[0]?.command?.[0]
    if (command !== 'skyclust-tofu-runner') throw new Error(`the image has no program ${command}`)
    ran.push(pod)
    await bind(pod)
    const env = await environmentOf(pod)
    const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'inherit', 'inherit'], detached: true })
    processes.set(pod.metadata.uid, child)
    await report(pod, 'Running', { running: { startedAt: new Date().toISOString() } })
    child.once('exit', (code, signal) => {
      const exitCode = code ?? 137
      const reason = exitCode === 0 ? 'Completed' : signal === 'SIGKILL' ? 'OOMKilled' : 'Error'
      report(pod, exitCode === 0 ? 'Succeeded' : 'Failed', { terminated: { exitCode, reason } })
        .then(() => (ending.has(pod.metadata.uid) ? letGo(pod) : undefined))
        .catch(console.error)
    })
  }

  function end(pod: Pod): void {
    const { uid } = pod.metadata
    const child = processes.get(uid)
    if (child === undefined || lost.has(uid) || ending.has(uid)) return
    ending.add(uid)
    if (child.exitCode !== null || child.signalCode !== null) {
      letGo(pod).catch(console.error)
      return
    }
    child.kill('SIGTERM')
    setTimeout(() => child.kill('SIGKILL'), graceMs).unref()
  }

  const pods = cache(client, podType, { namespace, signal: stopping.signal })
  const known = new Set<string>()
  pods.onChange(({ type, object }) => {
    if (type === 'delete' || object.metadata.deletionTimestamp !== undefined) return end(object)
    if (known.has(object.metadata.uid)) return
    known.add(object.metadata.uid)
    run(object).catch(console.error)
  })
  await pods.synced()

  const uidOf = (prefix: string) => ran.find(({ metadata }) => metadata.name.startsWith(prefix))?.metadata.uid ?? ''

  return {
    ran,
    loseNode: (prefix) => void lost.add(uidOf(prefix)),
    async ended(prefix) {
      const child = processes.get(uidOf(prefix))
      if (child?.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
    async evict(prefix) {
      const pod = ran.find(({ metadata }) => metadata.name.startsWith(prefix))
      if (pod === undefined) throw new Error(`there is no pod ${prefix}`)
      const metadata = { name: pod.metadata.name, namespace }
      const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata }
      await ask('POST', `${pathOf(pod)}/eviction`, body)
    },
    killProcess: (prefix) => void processes.get(uidOf(prefix))?.kill('SIGKILL'),
    async [Symbol.asyncDispose]() {
      stopping.abort()
      for (const child of processes.values()) child.kill('SIGKILL')
      await pods.done
    },
  }
}
