/**
 * Everything that TofuRuns need, put together: the stores, the server that runners speak to, the executor and the controller.
 */
import { randomBytes } from 'node:crypto'
import type { TofuRun } from '../../crds/tofu-run.ts'
import { tofuRunKind } from '../../crds/tofu-run.ts'
import { namespaceType } from '../../kube/builtin-types.ts'
import type { Cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { EventRecorder } from '../../kube/events.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { keyString } from '../../kube/resource.ts'
import type { Executor, RunnerAddress } from './executor.ts'
import { outputStore } from './output-store.ts'
import { type RunLimits, usualLimits } from './protocol.ts'
import { runInputs } from './run-inputs.ts'
import { runDesk } from './server/run-desk.ts'
import { type RunServer, runServer } from './server/run-server.ts'
import { blobStore } from './state/blob-store.ts'
import { keyring } from './state/keyring.ts'
import { planStore } from './state/plan-store.ts'
import { resultStore } from './state/result-store.ts'
import { runToken } from './state/run-token.ts'
import { secretObjects } from './state/secret-objects.ts'
import type { RunPhase } from './state/stack-head.ts'
import { type Stack, stateStore } from './state/state-store.ts'
import { tofuRunController } from './tofu-run-controller.ts'

export interface TofuRunsOptions {
  readonly client: KubeClient
  /** The namespace of the installation, where states, plans and keys are. */
  readonly namespace: string
  readonly runs: Cache<TofuRun>
  readonly events: Pick<EventRecorder, 'record'>
  /** Where runners find this process. */
  readonly server: {
    readonly host: string
    /** 0 picks one. */
    readonly port: number
    /** Tried first. */
    readonly preferredPort?: number
    /** As runners are told it; default: this host and port. */
    readonly url?: string
  }
  readonly executor: (parts: ExecutorParts) => Executor
  /** How many runs may work at the same time. */
  readonly parallel: number
  /** How many versions of each state are kept. */
  readonly keepVersions: number
  /** Default: the usual ones. */
  readonly limits?: RunLimits
  /** How long tofu may take after the first SIGINT, and after the second. */
  readonly firstGraceMs: number
  readonly secondGraceMs: number
  /** How long a runner may take to begin. */
  readonly startGraceMs: number
  /** Asks for a run to be looked at. */
  readonly wake: (key: string) => void
  readonly onError: (error: unknown) => void
}

export interface ExecutorParts {
  readonly address: (run: TofuRun, phase: RunPhase) => Promise<RunnerAddress>
  readonly onEnd: (run: TofuRun) => void
}

/** Beyond both graces: for the last state upload and the result. */
const reportMs = 60_000

export type TofuRuns = Awaited<ReturnType<typeof tofuRuns>>

export async function tofuRuns(options: TofuRunsOptions) {
  const { client, namespace, runs, events, wake, onError, firstGraceMs, secondGraceMs } = options
  const { limits = usualLimits } = options
  const now = () => Date.now()
  const secrets = secretObjects(client, namespace)
  const keys = keyring({ secrets, randomBytes, now })
  const blobs = blobStore({ secrets, keyring: keys, randomBytes, now })
  const states = stateStore({ secrets, blobs, now, keepVersions: options.keepVersions })
  const plans = planStore({ secrets, blobs })
  const results = resultStore(secrets)
  const inputs = runInputs({ client, limits, firstGraceMs, secondGraceMs })
  const stackOf = stackFinder(client)
  const wakeRun = (run: TofuRun) => wake(keyString(run.metadata))

  const desk = runDesk({
    keyring: keys,
    states,
    plans,
    results,
    output: outputStore(client),
    inputs,
    stackOf,
    findRun: (key) => liveRun(client, key),
    onReport: wakeRun,
  })
  const { host, port, preferredPort = port, url } = options.server
  const listen = (on: number): Promise<RunServer> => runServer({ desk, host, port: on, onError })
  const server = await listen(preferredPort).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE' && preferredPort !== port) return listen(port)
    throw error
  })
  const base = url ?? `http://${host}:${server.port}`

  async function address(run: TofuRun, phase: RunPhase): Promise<RunnerAddress> {
    const { namespace: of, name, uid } = run.metadata
    return {
      url: `${base}/v1/runs/${of}/${name}/${uid}/${phase}`,
      token: runToken(await keys.tokenKey(), { uid, phase }, 'runner'),
    }
  }

  const executor = options.executor({ address, onEnd: wakeRun })
  const controller = tofuRunController({
    client,
    runs,
    states,
    plans,
    results,
    executor,
    inputs,
    events,
    stackOf,
    parallel: options.parallel,
    stopGraceMs: firstGraceMs + secondGraceMs + reportMs,
    startGraceMs: options.startGraceMs,
    now,
  })

  return {
    controller,
    server,
    states,
    stackOf,
    /** Runners first, so that they can still deliver what they have. */
    async close(graceMs: number): Promise<void> {
      await executor.close(graceMs)
      await server.close()
    },
  }
}

/** A stack belongs to its namespace by uid; a run does not outlive its namespace, so what was found for it stays true. */
function stackFinder(client: KubeClient): (run: TofuRun) => Promise<Stack> {
  const known = new Map<string, string>()
  const most = 10_000
  return async ({ metadata: { uid, namespace = '' }, spec }) => {
    let namespaceUid = known.get(uid)
    if (namespaceUid === undefined) {
      namespaceUid = (await client.get(namespaceType, { name: namespace })).metadata.uid
      if (known.size >= most) known.clear()
      known.set(uid, namespaceUid)
    }
    return { namespace, namespaceUid, name: spec.stack }
  }
}

/** From the cluster itself: a cancel must be seen at once, on whichever replica the runner asks. */
async function liveRun(client: KubeClient, key: { readonly namespace?: string | undefined; readonly name: string }) {
  try {
    return await client.get(tofuRunKind, key)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
