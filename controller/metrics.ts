/**
 * What the controller counts, for Prometheus: by controller-runtime's and client-go's names where they mean the same, so that
 * their dashboards fit. No label takes a value that a user chooses.
 *
 * @see https://book.kubebuilder.io/reference/metrics-reference
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { callMetrics } from '../clouds/call-metrics.ts'
import type { OnCall } from '../clouds/reported-cloud.ts'
import { clientMetrics } from '../kube/client-metrics.ts'
import type { ReconcileRecord } from '../kube/controller.ts'
import type { AnswerRecord } from '../kube/transport.ts'
import type { WorkQueueMetrics } from '../kube/work-queue.ts'

export interface ControllerMetrics {
  readonly registry: Registry
  readonly queue: (name: string, concurrency: number) => WorkQueueMetrics
  /** Asked when the metrics are. */
  readonly depthOf: (name: string, depth: () => number) => void
  readonly reconciled: (record: ReconcileRecord) => void
  readonly kubeAnswered: (answer: AnswerRecord) => void
  readonly cloudCalled: OnCall
  /** A gauge whose values, by the given label, are asked for when the metrics are. */
  readonly observed: (gauge: ObservedGauge) => void
}

export interface ObservedGauge {
  readonly name: string
  readonly help: string
  /** Left out: a single value, under any key. */
  readonly label?: string
  readonly values: () => Iterable<readonly [labelValue: string, value: number]>
}

const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60]

export function controllerMetrics(): ControllerMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  const adds = new Counter({
    name: 'workqueue_adds_total',
    help: 'Keys that came to wait for a worker.',
    labelNames: ['name'],
    registers,
  })
  const waits = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long a key waited for a worker.',
    labelNames: ['name'],
    buckets: SECONDS,
    registers,
  })
  const works = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long a worker had a key.',
    labelNames: ['name'],
    buckets: SECONDS,
    registers,
  })
  const retries = new Counter({
    name: 'workqueue_retries_total',
    help: 'Keys that were added again after a failure.',
    labelNames: ['name'],
    registers,
  })
  const reconciles = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles by outcome: success, requeue_after, error.',
    labelNames: ['controller', 'result'],
    registers,
  })
  const reconcileErrors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciles that failed.',
    labelNames: ['controller'],
    registers,
  })
  const workersAtMost = new Gauge({
    name: 'controller_runtime_max_concurrent_reconciles',
    help: 'How many keys at a time.',
    labelNames: ['controller'],
    registers,
  })
  const reconcileTimes = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'How long a reconcile took.',
    labelNames: ['controller'],
    buckets: SECONDS,
    registers,
  })
  const depths = new Map<string, () => number>()
  /** By queue: since when a worker has each key, in milliseconds of `performance.now()`. */
  const working = new Map<string, Map<string, number>>()

  function observed({ name, help, label, values }: ObservedGauge): void {
    const gauge: Gauge<string> = new Gauge({
      name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers,
      collect() {
        gauge.reset()
        for (const [key, value] of values()) label === undefined ? gauge.set(value) : gauge.set({ [label]: key }, value)
      },
    })
  }

  observed({
    name: 'workqueue_depth',
    help: 'Keys that wait for a worker.',
    label: 'name',
    values: () => [...depths].map(([name, depth]) => [name, depth()] as const),
  })

  observed({
    name: 'controller_runtime_active_workers',
    help: 'Keys that workers have.',
    label: 'controller',
    values: () => [...working].map(([name, keys]) => [name, keys.size] as const),
  })
  observed({
    name: 'workqueue_unfinished_work_seconds',
    help: 'For how long workers have had the keys that they have, added up.',
    label: 'name',
    values: () => agesOfWork((ages) => ages.reduce((sum, age) => sum + age, 0)),
  })
  observed({
    name: 'workqueue_longest_running_processor_seconds',
    help: 'For how long a worker has had the key that it has had for longest.',
    label: 'name',
    values: () => agesOfWork((ages) => Math.max(0, ...ages)),
  })

  function agesOfWork(of: (seconds: readonly number[]) => number): (readonly [string, number])[] {
    const now = performance.now()
    return [...working].map(([name, keys]) => [name, of([...keys.values()].map((since) => (now - since) / 1000))])
  }

  const results = { done: 'success', requeued: 'requeue_after', failed: 'error' } as const
  return {
    registry,
    observed,
    depthOf: (name, depth) => void depths.set(name, depth),
    queue(name, concurrency) {
      const keys = new Map<string, number>()
      working.set(name, keys)
      workersAtMost.set({ controller: name }, concurrency)
      reconcileErrors.inc({ controller: name }, 0) // there from the start, so that a rate sees the first one
      return {
        added: () => adds.inc({ name }),
        taken(key, waitedMs) {
          keys.set(key, performance.now())
          waits.observe({ name }, waitedMs / 1000)
        },
        done(key, workedMs) {
          keys.delete(key)
          works.observe({ name }, workedMs / 1000)
        },
        retried: () => retries.inc({ name }),
      }
    },
    reconciled({ controller, outcome, durationMs }) {
      reconciles.inc({ controller, result: results[outcome] })
      if (outcome === 'failed') reconcileErrors.inc({ controller })
      reconcileTimes.observe({ controller }, durationMs / 1000)
    },
    kubeAnswered: clientMetrics(registry),
    cloudCalled: callMetrics(registry),
  }
}
