/**
 * A kubelet small enough for a test: it runs each pod of a namespace as a process on this machine, and reports as a kubelet does.
 *
 * It knows what the pods of runs use: one container, its command, environment with `secretKeyRef`, `emptyDir`s. The Job controller, the garbage
 * collector and the API server around it are the real ones. Its pods are bound to it, so that a deletion or an eviction is a graceful one:
 * SIGTERM, SIGKILL after `graceMs`, and the pod is gone once its process is. A pod whose files are more than its limits allow it evicts by itself,
 * with a second's grace. Nothing of a pod outlives its process.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Pod, podType, secretType } from '../../kube/builtin-types.ts'
import { cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { keyOf } from '../../kube/resource.ts'
import { emptyDirs, storageEviction } from './local-storage.ts'

export interface Kubelet extends AsyncDisposable {
  /** The pods that were run so far. */
  readonly ran: readonly Pod[]
  /** The node of a pod is gone: its process lives on there, and nothing of it is heard any more. */
  loseNode(podPrefix: string): void
  /** Settles when the process of that pod has ended. */
  ended(podPrefix: string): Promise<void>
  /** As `kubectl drain` does. */
  evict(podPrefix: string): Promise<void>
  /** SIGKILL for the processes of a pod, as the kernel does when memory runs out. */
  killProcess(podPrefix: string): void
}

/** The kubelet's own is 10 s. */
const lookEveryMs = 500
/** Of an eviction for a limit, whatever the pod asks for. */
const evictionGraceMs = 1_000

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
  const outOfMemory = new Set<string>()
  /** Why each was evicted. */
  const evicted = new Map<string, string>()
  const folderOf = (pod: Pod) => join(folder, 'pods', pod.metadata.uid)
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
    return mounted(environment, pod)
  }

  /** What names a path in the container names the place on this machine. */
  function mounted(environment: Readonly<Record<string, string>>, pod: Pod): Record<string, string> {
    const dirs = emptyDirs(pod, folderOf(pod))
    const place = (value: string) => {
      const dir = dirs.find(({ mountPath }) => value.startsWith(`${mountPath}/`))
      return dir === undefined ? value : `${dir.path}${value.slice(dir.mountPath.length)}`
    }
    return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, place(value)]))
  }

  async function report(pod: Pod, phase: string, state: object): Promise<void> {
    if (lost.has(pod.metadata.uid)) return
    const message = evicted.get(pod.metadata.uid)
    const status = {
      phase,
      ...(message !== undefined && { reason: 'Evicted', message }),
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
    for (const { path } of emptyDirs(pod, folderOf(pod))) await mkdir(path, { recursive: true })
    const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'inherit', 'inherit'], detached: true })
    processes.set(pod.metadata.uid, child)
    await report(pod, 'Running', { running: { startedAt: new Date().toISOString() } })
    child.once('exit', (code) => {
      const exitCode = code ?? 137
      const reason = outOfMemory.has(pod.metadata.uid) ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error'
      const well = exitCode === 0 && !evicted.has(pod.metadata.uid)
      report(pod, well ? 'Succeeded' : 'Failed', { terminated: { exitCode, reason } })
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
    stop(child, graceMs)
  }

  function stop(child: ChildProcess, withinMs: number): void {
    child.kill('SIGTERM')
    const timer = setTimeout(() => void killAll(child).catch(console.error), withinMs)
    child.once('exit', () => clearTimeout(timer))
  }

  async function look(): Promise<void> {
    for (const pod of ran) {
      const { uid } = pod.metadata
      const child = processes.get(uid)
      if (child?.exitCode !== null || child.signalCode !== null || lost.has(uid) || evicted.has(uid)) continue
      const message = await storageEviction(pod, folderOf(pod))
      if (message === undefined) continue
      evicted.set(uid, message)
      stop(child, evictionGraceMs)
    }
  }
  let housekeeping = setTimeout(function again() {
    look()
      .catch(console.error)
      .finally(() => {
        if (!stopping.signal.aborted) housekeeping = setTimeout(again, lookEveryMs)
      })
  }, lookEveryMs)

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
    killProcess(prefix) {
      const uid = uidOf(prefix)
      const child = processes.get(uid)
      outOfMemory.add(uid)
      if (child !== undefined) killAll(child).catch(console.error)
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      clearTimeout(housekeeping)
      await Promise.all([...processes.values()].map(killAll))
      await pods.done
    },
  }
}

/** The process and all below it: a container ends with its first process. */
async function killAll({ pid, exitCode, signalCode }: ChildProcess): Promise<void> {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid='])
  const parents = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const below = (of: number): number[] =>
    parents.filter(([, parent]) => parent === of).flatMap(([child = 0]) => [child, ...below(child)])
  for (const one of [pid, ...below(pid)]) {
    try {
      process.kill(one, 'SIGKILL')
    } catch {
      // It has ended in between.
    }
  }
}
