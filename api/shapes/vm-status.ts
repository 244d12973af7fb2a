/** A VM's `status` in REST, and what is wrong with it. */
import { errorClasses } from '../../clouds/error-classes.ts'
import type { VM, VMState } from '../../crds/vm.ts'
import { getCondition, isTrue } from '../../kube/conditions.ts'

/** While the cloud still winds a deleted VM down, it is `stopping`; then it is gone. */
export function vmStatus({ metadata, status }: VM): VMState {
  if (metadata.deletionTimestamp !== undefined) return 'stopping'
  return status?.state ?? (isStalled(status) ? 'error' : 'pending')
}

/** What only somebody can mend says why; so does an instance that came to nothing, and a cloud that fails or does not answer. */
export function problemOf(status: VM['status']): string {
  if (isStalled(status)) return getCondition(status?.conditions, 'Stalled')?.message ?? ''
  const ready = getCondition(status?.conditions, 'Ready')
  if (ready?.status !== 'False') return ''
  return status?.state === 'error' || cloudFailures.has(ready.reason) ? ready.message : ''
}

const cloudFailures: ReadonlySet<string> = new Set(Object.values(errorClasses).map(({ reason }) => reason))

function isStalled(status: VM['status']): boolean {
  return isTrue(status?.conditions, 'Stalled')
}
