/**
 * The three programs of ours that `make dev` runs: the sim cloud, the controller and the facade, each with the environment it is promised.
 *
 * What the person's own environment says (an endpoint, a log level, an OIDC provider) goes through to the controller and the facade; what
 * `make dev` decides itself (the cluster, ports, the sim cloud) does not bend.
 */
import { request } from 'undici'
import { ownProgram } from '../own-program.ts'
import { type Service, service } from '../service.ts'
import type { Administrator } from './state.ts'

export interface ProcessesOptions {
  readonly root: string
  /** The environment of `make dev` itself. */
  readonly environment: NodeJS.ProcessEnv
  readonly namespace: string
  readonly kubeconfigs: { readonly 'skyclust-controller': string; readonly 'skyclust-api': string }
  readonly ports: Ports
  readonly administrator: Administrator
  readonly logs: { readonly sim: string; readonly controller: string; readonly api: string; readonly audit: string }
  /** Where the sim cloud keeps its instances, so that they outlive it. */
  readonly simState: string
  /** The path of `tofu`. */
  readonly tofu: string
  /** Where OpenTofu runs work. */
  readonly tofuFolder: string
}

export interface Ports {
  readonly sim: number
  readonly api: number
  readonly controllerMetrics: number
  readonly apiMetrics: number
}

export function simService({ root, environment, ports, logs, simState }: ProcessesOptions): Service {
  return service({
    name: 'sim',
    logFile: logs.sim,
    command: node(root, 'clouds/sim/main.ts', {
      ...environment,
      SKYCLUST_SIM_PORT: String(ports.sim),
      SKYCLUST_SIM_STATE: simState,
    }),
    ready: answers(`http://127.0.0.1:${ports.sim}/instances`),
  })
}

export function controllerService(options: ProcessesOptions): Service {
  const { root, environment, kubeconfigs, ports, logs, tofu, tofuFolder } = options
  return service({
    name: 'controller',
    logFile: logs.controller,
    command: node(root, 'controller/main.ts', {
      SKYCLUST_PROVIDERS: 'aws,gcp,sim',
      SKYCLUST_TOFU_EXECUTOR: 'process',
      SKYCLUST_TOFU: tofu,
      SKYCLUST_TOFU_WORK_DIR: tofuFolder,
      SKYCLUST_TOFU_WRITABLE: writableByRuns(root),
      ...environment,
      ...decided(options),
      // One at a time, and the next one only once this one is reaped (supervise.ts, left-over.ts): as the restarted container of a pod
      // does, it takes up its own Lease, and need not wait until that runs out.
      SKYCLUST_IDENTITY: 'make-dev',
      KUBECONFIG: kubeconfigs['skyclust-controller'],
      SKYCLUST_METRICS_PORT: String(ports.controllerMetrics),
    }),
    ready: answers(`http://127.0.0.1:${ports.controllerMetrics}/readyz`),
  })
}

export function apiService(options: ProcessesOptions): Service {
  const { root, environment, kubeconfigs, ports, administrator, logs } = options
  return service({
    name: 'api',
    logFile: logs.api,
    command: node(root, 'api/main.ts', {
      SKYCLUST_PROVIDERS: 'aws,gcp,sim',
      SKYCLUST_API_HOST: '127.0.0.1',
      SKYCLUST_AUDIT_LOG: logs.audit,
      ...environment,
      ...decided(options),
      SKYCLUST_ADMIN_EMAIL: administrator.email,
      SKYCLUST_ADMIN_PASSWORD: administrator.password,
      KUBECONFIG: kubeconfigs['skyclust-api'],
      SKYCLUST_API_PORT: String(ports.api),
      SKYCLUST_METRICS_PORT: String(ports.apiMetrics),
    }),
    ready: answers(`http://127.0.0.1:${ports.apiMetrics}/readyz`),
  })
}

/** What a developer's `local-exec` leaves in /tmp is to be found there; but not where /tmp holds the checkout, and with it our keys. */
function writableByRuns(root: string): string {
  return root.startsWith('/tmp/') ? '' : '/tmp'
}

function decided({ namespace, ports }: ProcessesOptions): Record<string, string> {
  return { SKYCLUST_NAMESPACE: namespace, SKYCLUST_SIM_URL: `http://127.0.0.1:${ports.sim}` }
}

function node(root: string, main: string, env: NodeJS.ProcessEnv) {
  return () => ownProgram({ root, main, env })
}

function answers(url: string) {
  return async (signal: AbortSignal): Promise<boolean> => {
    const { statusCode, body } = await request(url, { signal })
    await body.dump()
    return statusCode === 200
  }
}
