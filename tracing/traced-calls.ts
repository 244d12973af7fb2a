/** Spans of calls to clouds: each belongs to whatever made it, a reconcile or a REST call. */
import type { CallReport, OnCall } from '../clouds/reported-cloud.ts'
import type { Tracing } from './tracing.ts'

/** Counts every call, and leaves a span of it where there is tracing. */
export function countedAndTraced(count: OnCall, tracing: Tracing | undefined): OnCall {
  return (call) => {
    count(call)
    if (tracing) traceCall(tracing, call)
  }
}

/** A span for a call that was answered, or failed. */
function traceCall(tracing: Tracing, call: CallReport): void {
  const { provider, region, action, outcome, instances, durationMs } = call
  const attributes = {
    'skyclust.provider': provider,
    'skyclust.region': region,
    'skyclust.action': action,
    'skyclust.outcome': outcome,
    'skyclust.instances': instances,
  }
  tracing.ended({ name: `${provider} ${action}`, kind: 'client', attributes }, { durationMs, failed: outcome !== 'ok' })
}
