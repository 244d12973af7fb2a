/**
 * Spans of the controller. A reconcile belongs to the trace of the REST call that last made or changed its object until nothing
 * more is being done about it; from then on, as for an object that somebody applied, each reconcile is a trace of its own, linked to that
 * call. A call of a cloud belongs to the reconcile that waits for it: to the first of them where it was made for many.
 */
import { annotations } from '../crds/names.ts'
import { getCondition } from '../kube/conditions.ts'
import type { ObjectKey } from '../kube/resource.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { Caches } from './caches.ts'
import type { KindController } from './kind-controller.ts'
import type { Reported } from './report.ts'

/** The same controller, with a span for each reconcile. */
export function tracedController(controller: KindController, tracing: Tracing, caches: Caches): KindController {
  const { name } = controller
  const find = finder(name, caches)
  return {
    ...controller,
    reconcile(key, signal, aside) {
      const object = find(key)
      const called = object?.metadata.annotations?.[annotations.traceparent]
      const attributes = { 'skyclust.controller': name, ...placeOf(key) }
      const relation = object && isSettled(object) ? { link: called } : { parent: called }
      const start = { name: `reconcile ${name}`, kind: 'consumer', attributes, ...relation } as const
      return tracing.run(start, async (span) => {
        const result = await controller.reconcile(key, signal, aside)
        span.set({ 'skyclust.outcome': result ? 'requeued' : 'done' })
        return result
      })
    },
  }
}

function finder(name: string, caches: Caches): (key: ObjectKey) => Reported | undefined {
  const { workspaces, credentials, vms, runs, users } = caches
  switch (name) {
    case 'workspace':
      return workspaces.get
    case 'credential':
      return credentials.get
    case 'vm':
      return vms.get
    case 'tofu-run':
      return runs.get
    case 'user':
      return users.get
    default:
      return () => undefined
  }
}

function placeOf({ namespace, name }: ObjectKey) {
  return { ...(namespace && { 'k8s.namespace.name': namespace }), 'skyclust.object': name }
}

/** As it is now it was looked at, and nothing more is being done about it. */
function isSettled({ metadata, status }: Reported): boolean {
  const { deletionTimestamp, generation } = metadata
  const isSaid = (type: string) => getCondition(status?.conditions, type) !== undefined
  return (
    deletionTimestamp === undefined &&
    status?.observedGeneration === generation &&
    isSaid('Ready') &&
    !isSaid('Reconciling')
  )
}
