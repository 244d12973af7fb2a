/**
 * What a controller has to say of an object, written into its status: one readiness gives all standard conditions, so
 * that they never contradict each other.
 *
 * | phase       | Ready | Reconciling | Stalled |
 * |-------------|-------|-------------|---------|
 * | ready       | True  | –           | –       |
 * | progressing | False | True        | –       |
 * | stalled     | False | –           | True    |
 *
 * Guarantees: nothing is written, and no event told, when nothing differs; a write is on top of what was read, and a
 * conflict is thrown when somebody wrote since. An event is told of each new reason of Ready, and of each condition that
 * is there only while something holds.
 *
 * @see https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
 */
import type { KubeClient } from '../kube/client.ts'
import { type Condition, getCondition, removeCondition, setCondition } from '../kube/conditions.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { KubeObject, ResourceType } from '../kube/resource.ts'
import { patchStatus } from '../kube/status.ts'
import { pausedConditions, pauseNews } from './pause.ts'

export interface Readiness {
  readonly phase: 'ready' | 'progressing' | 'stalled'
  /** CamelCase. */
  readonly reason: string
  /** A sentence: what is, and what to do if something is to be done. */
  readonly message: string
}

export interface Report<Status> {
  readonly readiness: Readiness
  /** Other fields of the status; `undefined` removes one, one that is left out stays. */
  readonly fields?: { readonly [Field in keyof Status]?: Status[Field] | undefined }
  /** Conditions that are there, and True, only while something holds; `undefined` removes one. */
  readonly passing?: Readonly<Record<string, { readonly reason: string; readonly message: string } | undefined>>
}

/** An object whose status has what a report writes. */
export interface Reported extends KubeObject {
  readonly status?: {
    readonly observedGeneration?: number | undefined
    readonly conditions?: readonly Condition[] | undefined
  }
}

export interface Reporter<T extends Reported> {
  say(object: T, report: Report<NonNullable<T['status']>>, signal?: AbortSignal): Promise<void>
  /** Says that nothing is done while the annotation is there, and nothing else. */
  sayPaused(object: T, signal?: AbortSignal): Promise<void>
}

export interface ReporterOptions<T extends Reported> {
  readonly client: KubeClient
  readonly type: ResourceType<T>
  readonly events: EventRecorder
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Longer than anything that people read; the API server takes 32768. */
const MESSAGE_LENGTH = 1_000

export function reporter<T extends Reported>({ client, type, events, now }: ReporterOptions<T>): Reporter<T> {
  async function write(object: T, next: Reported['status'], signal: AbortSignal | undefined): Promise<void> {
    const written = await patchStatus(client, type, object, next as never, { signal })
    if (written) for (const told of news(object, next?.conditions)) events.record(object, told)
  }

  return {
    async say(object, report, signal) {
      const conditions = conditionsOf(object, report, new Date(now()))
      const { generation: observedGeneration } = object.metadata
      await write(object, { ...object.status, ...report.fields, observedGeneration, conditions }, signal)
    },

    async sayPaused(object, signal) {
      await write(object, { ...object.status, conditions: pausedConditions(object, new Date(now())) }, signal)
    },
  }
}

export function isDeleting(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

/** All conditions of an object of which this is to be said. */
export function conditionsOf<T extends Reported>(
  { metadata, status }: T,
  { readiness, passing = {} }: Report<NonNullable<T['status']>>,
  now: Date,
): readonly Condition[] {
  const { phase, reason } = readiness
  const observedGeneration = metadata.generation
  const said = { reason, message: clipped(readiness.message), observedGeneration }
  const ready = setCondition(
    removeCondition(status?.conditions, 'Paused'),
    { type: 'Ready', status: phase === 'ready' ? 'True' : 'False', ...said },
    now,
  )
  const whileTrue = {
    Reconciling: phase === 'progressing' ? said : undefined,
    Stalled: phase === 'stalled' ? said : undefined,
    ...passing,
  }
  return Object.entries(whileTrue).reduce(
    (conditions, [type, holds]) =>
      holds
        ? setCondition(
            conditions,
            { type, status: 'True', reason: holds.reason, message: clipped(holds.message), observedGeneration },
            now,
          )
        : removeCondition(conditions, type),
    ready,
  )
}

/** What is worth an event: Ready for a new reason, and whatever began to hold, but for what Ready says already. */
function news(before: Reported, after: readonly Condition[] | undefined = []) {
  const isNew = ({ type, reason, status }: Condition) => {
    const known = getCondition(before.status?.conditions, type)
    return known?.reason !== reason || known.status !== status
  }
  const pause = pauseNews(before.status?.conditions, after)
  const others = after
    .filter(({ type }) => !['Reconciling', 'Stalled', 'Paused'].includes(type))
    .filter(isNew)
    .map((condition) => {
      const isGood = condition.type === 'Ready' && condition.status === 'True'
      const stalled = getCondition(after, 'Stalled') !== undefined
      const type = isGood || (condition.type === 'Ready' && !stalled) ? 'Normal' : 'Warning'
      return { type, reason: condition.reason, message: condition.message } as const
    })
  return pause ? [pause, ...others] : others
}

function clipped(message: string): string {
  return message.length <= MESSAGE_LENGTH ? message : `${message.slice(0, MESSAGE_LENGTH - 1)}…`
}
