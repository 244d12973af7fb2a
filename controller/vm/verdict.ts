/**
 * What is to be said of a VM, and how that is written into its status. One verdict gives all conditions, so that they
 * never contradict each other:
 *
 * | phase       | Ready   | Synced | Reconciling | Stalled |
 * |-------------|---------|--------|-------------|---------|
 * | settled     | True    | True   | –           | –       |
 * | progressing | False   | False  | True        | –       |
 * | stalled     | False   | False  | –           | True    |
 * | blind       | Unknown | False  | –           | True    |
 */
import type { Instance } from '../../clouds/cloud.ts'
import { type ErrorClass, errorClasses } from '../../clouds/error-classes.ts'
import type { VM, VMState } from '../../crds/vm.ts'
import { type Condition, type ConditionChange, removeCondition, setCondition } from '../../kube/conditions.ts'

export type VMStatus = NonNullable<VM['status']>

export interface Verdict {
  readonly phase: 'settled' | 'progressing' | 'stalled' | 'blind'
  /** CamelCase. */
  readonly reason: string
  /** For a person: what is, and what to do if it is theirs. */
  readonly message: string
  /** In what the instance differs from the spec without being mended now. */
  readonly drift?: { readonly reason: string; readonly message: string }
  /** Told when the reason is new. Left out: the condition is enough. */
  readonly event?: 'Normal' | 'Warning'
}

export function settled(reason: string, message: string): Verdict {
  return { phase: 'settled', reason, message, event: 'Normal' }
}

export function progressing(reason: string, message: string): Verdict {
  return { phase: 'progressing', reason, message }
}

export function stalled(reason: string, message: string): Verdict {
  return { phase: 'stalled', reason, message, event: 'Warning' }
}

/** The cloud's words and what to do about it, as the class of the error says. */
export function verdictOn(
  error: { readonly class: ErrorClass; readonly message: string; readonly remedy: string },
  doing: string,
): Verdict {
  const { reason, stalled } = errorClasses[error.class]
  return {
    phase: stalled ? 'stalled' : 'progressing',
    reason,
    message: `${doing}: ${error.message} ${error.remedy}`,
    event: 'Warning',
  }
}

/** The status that says this of the VM; `instance` is the one that it has, as far as it is known. */
export function statusOf(vm: VM, verdict: Verdict, instance: Instance | undefined, now: number): VMStatus {
  const before = vm.status ?? {}
  const state = instance ? stateOf(instance, before.state) : stateWithout(vm, verdict)
  return {
    ...before,
    ...(state === undefined ? {} : { state }),
    ...(instance ? shown(instance, before) : {}),
    ...(verdict.phase === 'settled' && before.tagKeys ? { tagKeys: Object.keys(vm.spec.tags ?? {}).sort() } : {}),
    ...(vm.metadata.generation === undefined ? {} : { observedGeneration: vm.metadata.generation }),
    conditions: conditionsOf(vm, verdict, new Date(now)),
  }
}

function conditionsOf(vm: VM, verdict: Verdict, now: Date): Condition[] {
  const { phase, reason, message, drift } = verdict
  const observedGeneration = vm.metadata.generation
  const text = clipped(message)
  const ready = ({ settled: 'True', progressing: 'False', stalled: 'False', blind: 'Unknown' } as const)[phase]
  const changes: ConditionChange[] = [
    { type: 'Ready', status: ready, reason, message: text, observedGeneration },
    {
      type: 'Synced',
      status: phase === 'settled' ? 'True' : 'False',
      reason: phase === 'settled' ? 'AsWanted' : reason,
      message: phase === 'settled' ? '' : text,
      observedGeneration,
    },
    {
      type: 'Drifted',
      status: drift ? 'True' : 'False',
      reason: drift?.reason ?? 'AsWanted',
      message: clipped(drift?.message ?? ''),
      observedGeneration,
    },
  ]
  const passing = { Reconciling: phase === 'progressing', Stalled: phase === 'stalled' || phase === 'blind' }
  let conditions = removeCondition(vm.status?.conditions, 'Paused')
  for (const change of changes) conditions = setCondition(conditions, change, now)
  for (const [type, holds] of Object.entries(passing)) {
    conditions = holds
      ? setCondition(conditions, { type, status: 'True', reason, message: text, observedGeneration }, now)
      : removeCondition(conditions, type)
  }
  return [...conditions]
}

/** What the cloud shows of it; of one that is gone that may be little. An address is empty while there is none. */
function shown(instance: Instance, before: VMStatus): VMStatus {
  return {
    instanceID: instance.id,
    publicIP: instance.publicIP,
    privateIP: instance.privateIP,
    zone: instance.zone || (before.zone ?? ''),
    instanceType: instance.instanceType || (before.instanceType ?? ''),
    ...(instance.launchTime === '' ? {} : { launchTime: instance.launchTime }),
  }
}

/** EC2 says `pending` for a launch and a start alike; what was there before tells them apart. */
export function stateOf(instance: Instance, before: VMState | undefined): VMState {
  if (instance.state === 'terminating') return 'stopping'
  if (instance.state !== 'pending') return instance.state
  return before === undefined || before === 'pending' || before === 'error' ? 'pending' : 'starting'
}

function stateWithout(vm: VM, verdict: Verdict): VMState | undefined {
  if (vm.status?.instanceID) return verdict.reason === 'InstanceGone' ? 'terminated' : vm.status.state
  return verdict.phase === 'stalled' ? 'error' : 'pending'
}

/** metav1.Condition takes 32768 characters; a person reads fewer. */
function clipped(message: string): string {
  return message.length <= 1_000 ? message : `${message.slice(0, 997)}…`
}
