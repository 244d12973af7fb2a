/** What the facade counts, for Prometheus. No label takes a value that a caller chooses. */
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { callMetrics } from '../clouds/call-metrics.ts'
import type { OnCall } from '../clouds/reported-cloud.ts'
import { clientMetrics } from '../kube/client-metrics.ts'
import type { AnswerRecord } from '../kube/transport.ts'

export interface ApiMetrics {
  readonly registry: Registry
  readonly answered: (method: string, path: string, status: number, durationMs: number) => void
  readonly kubeAnswered: (answer: AnswerRecord) => void
  readonly cloudCalled: OnCall
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
    kubeAnswered: clientMetrics(registry),
    cloudCalled: callMetrics(registry),
    observed(name, help, value) {
      const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(value()) })
    },
  }
}

function indexOrEnd(path: string, from: number): number {
  const slash = path.indexOf('/', from)
  return slash < 0 ? path.length : slash
}
