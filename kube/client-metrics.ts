/** What a client of the Kubernetes API counts, for Prometheus, by client-go's names, so that its dashboards fit. */
import { Counter, Histogram, type Registry } from 'prom-client'
import type { AnswerRecord } from './transport.ts'

const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60]

export function clientMetrics(registry: Registry): (answer: AnswerRecord) => void {
  const registers = [registry]
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the Kubernetes API by status code; 0 is no answer.',
    labelNames: ['code', 'method'],
    registers,
  })
  const times = new Histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'How long the Kubernetes API took to begin its answer.',
    labelNames: ['verb'],
    buckets: SECONDS,
    registers,
  })
  return ({ method, status, durationMs }) => {
    requests.inc({ code: String(status), method })
    times.observe({ verb: method }, durationMs / 1000)
  }
}
