/** What the facade counts, for Prometheus. No label takes a value that a caller chooses. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { AnswerRecord } from '../kube/transport.ts'

export interface ApiMetrics {
  readonly registry: Registry
  readonly answered: (method: string, path: string, status: number, durationMs: number) => void
  readonly kubeAnswered: (answer: AnswerRecord) => void
  /** A value that is asked for when the metrics are. */
  readonly observed: (name: string, help: string, value: () => number) => void
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const resources = new Set(['auth', 'users', 'workspaces', 'credentials', 'vms', 'providers', 'iac', 'oidc', 'audit'])

export function apiMetrics(): ApiMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  const requests = new Histogram({
    name: 'skyclust_api_request_seconds',
    help: 'How long a call took, by resource, method and status.',
    labelNames: ['resource', 'method', 'status'],
    buckets: SECONDS,
    registers,
  })
  const kubeRequests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the Kubernetes API by status code; 0 is no answer.',
    labelNames: ['code', 'method'],
    registers,
  })
  const kubeTimes = new Histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'How long the Kubernetes API took to begin its answer.',
    labelNames: ['verb'],
    buckets: SECONDS,
    registers,
  })
  /** Finding a child by its labels costs more than counting. */
  const children = new Map<string, Histogram.Internal<'resource' | 'method' | 'status'>>()

  function childFor(
    method: string,
    path: string,
    status: number,
  ): Histogram.Internal<'resource' | 'method' | 'status'> {
    const segment = path.startsWith('/api/v1/') ? path.slice(8, indexOrEnd(path, 8)) : ''
    const resource = resources.has(segment) ? segment : 'other'
    const known = methods.has(method) ? method : 'other'
    const key = `${resource} ${known} ${status}`
    let child = children.get(key)
    if (child === undefined) {
      child = requests.labels({ resource, method: known, status: String(status) })
      children.set(key, child)
    }
    return child
  }

  return {
    registry,
    answered: (method, path, status, durationMs) => childFor(method, path, status).observe(durationMs / 1000),
    kubeAnswered({ method, status, durationMs }) {
      kubeRequests.inc({ method, code: String(status) })
      kubeTimes.observe({ verb: method }, durationMs / 1000)
    },
    observed(name, help, value) {
      const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(value()) })
    },
  }
}

function indexOrEnd(path: string, from: number): number {
  const slash = path.indexOf('/', from)
  return slash < 0 ? path.length : slash
}
