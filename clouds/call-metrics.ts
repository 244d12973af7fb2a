/** What either process counts of its calls to clouds, for Prometheus. No label takes a value that a user chooses. */
import { Counter, Histogram, type Registry } from 'prom-client'
import type { OnCall } from './reported-cloud.ts'

const SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60]

export function callMetrics(registry: Registry): OnCall {
  const registers = [registry]
  const calls = new Counter({
    name: 'skyclust_cloud_calls_total',
    help: 'Calls of a cloud by action and outcome; an outcome other than ok is the class of the error.',
    labelNames: ['provider', 'region', 'action', 'outcome'],
    registers,
  })
  const times = new Histogram({
    name: 'skyclust_cloud_call_seconds',
    help: 'How long a cloud took to answer.',
    labelNames: ['provider', 'action'],
    buckets: SECONDS,
    registers,
  })
  return ({ provider, region, action, outcome, durationMs }) => {
    calls.inc({ provider, region, action, outcome })
    times.observe({ provider, action }, durationMs / 1000)
  }
}
