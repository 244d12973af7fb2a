/**
 * Events (`events.k8s.io/v1`) that count instead of repeating.
 *
 * Guarantees: `record` neither waits nor throws. The same thing said again within six minutes of the last time adds to
 * the first one's series, written at most every `seriesFlushMs`. One object gets at most 25 events at once and one in
 * five minutes after (client-go's spam filter). Whatever is too much, or what the server refuses, is dropped and
 * counted, and forgotten: an event is a courtesy, never a record to rely on. An answer that was lost counts nothing twice.
 */
import { backoffMs } from './backoff.ts'
import { type Event, eventType, type ObjectReference } from './builtin-types.ts'
import type { KubeClient } from './client.ts'
import { type Clock, sleep, systemClock } from './clock.ts'
import { isAlreadyExists, isNotFound, isThrottled, isUnavailable } from './kube-error.ts'
import { microTime } from './lease-lock.ts'
import type { KubeObject } from './resource.ts'

export interface EventRecorderOptions {
  readonly client: KubeClient
  /** Such as `skyclust.io/controller`. */
  readonly reportingController: string
  /** Which of its processes. */
  readonly reportingInstance: string
  /** Events that wait to be written; more are dropped. */
  readonly maxPending?: number
  readonly seriesFlushMs?: number
  /** Told of each event that will not be written, and why. */
  readonly onDropped?: (reason: string) => void
  readonly clock?: Clock
  /** Milliseconds since 1970. */
  readonly wallClock?: () => number
  readonly random?: () => number
}

export interface EventContent {
  readonly type: 'Normal' | 'Warning'
  /** Why, in stable CamelCase: `InstanceCreated`. */
  readonly reason: string
  /** What was being done, in stable CamelCase: `CreateInstance`. Default: the reason. */
  readonly action?: string
  /** For people; cut at 1,024 bytes. */
  readonly message: string
}

export interface EventRecorder {
  record(object: KubeObject, content: EventContent): void
  /** Resolves when all that was recorded is written or dropped; counts of series too. */
  flush(): Promise<void>
  /** Flushes for at most `timeoutMs`, then records nothing more. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>
}

interface Series {
  readonly key: string
  readonly event: Omit<Event, 'series' | 'metadata' | 'apiVersion' | 'kind'>
  readonly namespace: string
  readonly name: string
  count: number
  writtenCount: number
  lastAt: number
  lastObservedTime: string
  /** Waits to be written, or is being written. */
  queued: boolean
}

const SERIES_IDLE_MS = 6 * 60_000
const SPAM_BURST = 25
const SPAM_REFILL_MS = 5 * 60_000
const MAX_TRIES = 5
const NOTE_BYTES = 1024

export function eventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, reportingController, reportingInstance, onDropped = () => undefined } = options
  const { maxPending = 10_000, seriesFlushMs = 30_000 } = options
  const { clock = systemClock, wallClock = Date.now, random = Math.random } = options
  const allSeries = new Map<string, Series>()
  const spamFilter = spamFilterFor(clock)
  const pending: Series[] = []
  const stop = new AbortController()
  let closed = false
  let cancelFlush: (() => void) | undefined
  let writing: Promise<void> | undefined

  function enqueue(series: Series): void {
    if (series.queued) return
    if (pending.length >= maxPending) {
      drop(series, 'too many events wait to be written')
      return
    }
    series.queued = true
    pending.push(series)
    writing ??= writeAll().finally(() => {
      writing = undefined
    })
  }

  /** Said again, it begins a series of its own. */
  function drop(series: Series, reason: string): void {
    if (allSeries.get(series.key) === series) allSeries.delete(series.key)
    onDropped(reason)
  }

  async function writeAll(): Promise<void> {
    for (let series = pending.shift(); series; series = pending.shift()) {
      await writeOne(series)
      series.queued = false
    }
  }

  async function writeOne(series: Series): Promise<void> {
    for (let failures = 1; ; failures++) {
      const count = series.count
      try {
        if (series.writtenCount === 0) await create(series)
        else if (series.writtenCount < count) await extend(series)
        series.writtenCount = count
        return
      } catch (error) {
        const passing = isUnavailable(error) || isThrottled(error)
        if (!passing || failures === MAX_TRIES || stop.signal.aborted) {
          drop(series, describe(error))
          return
        }
        await sleep(clock, backoffMs(failures, { baseMs: 1_000, maxMs: 30_000, random }), stop.signal).catch(
          () => undefined,
        )
      }
    }
  }

  async function create(series: Series): Promise<void> {
    const { event, namespace, name, count, lastObservedTime } = series
    const counted = count > 1 ? { series: { count, lastObservedTime } } : {}
    try {
      await client.create(eventType, { metadata: { namespace, name }, ...event, ...counted }, { signal: stop.signal })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      if (count > 1) await extend(series) // ours, by its random name: the answer to an earlier try was lost
    }
  }

  async function extend(series: Series): Promise<void> {
    const { namespace, name, count, lastObservedTime } = series
    const body = { series: { count, lastObservedTime } }
    try {
      await client.patch(eventType, { namespace, name }, body, { kind: 'merge', signal: stop.signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
      await create(series) // the server forgets events, after an hour by default
    }
  }

  /** Writes the counts that grew, and forgets what has been quiet. */
  function flushSeries(): void {
    cancelFlush?.()
    cancelFlush = undefined
    for (const [key, series] of allSeries) {
      if (series.writtenCount < series.count) enqueue(series)
      else if (clock.now() - series.lastAt > SERIES_IDLE_MS) allSeries.delete(key)
    }
    spamFilter.prune()
    if (allSeries.size > 0 && !closed) cancelFlush = clock.after(seriesFlushMs, flushSeries)
  }

  return {
    record(object, content) {
      if (closed) return
      const event = { ...content, action: content.action ?? content.reason }
      const key = [object.metadata.uid, event.type, event.reason, event.action, event.message].join('\n')
      const known = allSeries.get(key)
      const lastObservedTime = microTime(wallClock())
      if (known && clock.now() - known.lastAt <= SERIES_IDLE_MS) {
        Object.assign(known, { count: known.count + 1, lastAt: clock.now(), lastObservedTime })
        return
      }
      if (!spamFilter.allows(object.metadata.uid)) {
        onDropped('too many events for one object')
        return
      }
      const series: Series = {
        key,
        event: {
          eventTime: lastObservedTime,
          reportingController,
          reportingInstance,
          action: event.action,
          reason: event.reason,
          regarding: referenceTo(object),
          note: cutToBytes(event.message, NOTE_BYTES),
          type: event.type,
        },
        namespace: object.metadata.namespace ?? 'default', // where events of cluster-scoped objects live
        name: `${object.metadata.name.slice(0, 200)}.${hex(random)}`,
        count: 1,
        writtenCount: 0,
        lastAt: clock.now(),
        lastObservedTime,
        queued: false,
      }
      allSeries.set(key, series)
      enqueue(series)
      cancelFlush ??= clock.after(seriesFlushMs, flushSeries)
    },

    async flush() {
      while (writing) await writing
      flushSeries()
      while (writing) await writing
    },

    async close({ timeoutMs = 2_000 } = {}) {
      closed = true
      const cancel = clock.after(timeoutMs, () => stop.abort(new Error('the event recorder was closed')))
      await this.flush()
      cancel()
      cancelFlush?.()
    },
  }
}

function referenceTo(object: KubeObject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = object.metadata
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    ...(namespace ? { namespace } : {}),
    name,
    uid,
    resourceVersion,
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function hex(random: () => number): string {
  return Math.floor(random() * 2 ** 48)
    .toString(16)
    .padStart(12, '0')
}

/** Cut between characters; the API server counts bytes. */
export function cutToBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text
  const cut = Buffer.from(text)
    .subarray(0, bytes - 3)
    .toString('utf8')
  return `${cut.replace(/\uFFFD+$/, '')}…`
}

/** A small token bucket for each object. */
function spamFilterFor(clock: Clock) {
  const buckets = new Map<string, { tokens: number; filledAt: number }>()
  const tokensOf = (bucket: { tokens: number; filledAt: number }) =>
    Math.min(SPAM_BURST, bucket.tokens + (clock.now() - bucket.filledAt) / SPAM_REFILL_MS)
  return {
    allows(uid: string): boolean {
      const bucket = buckets.get(uid) ?? { tokens: SPAM_BURST, filledAt: clock.now() }
      const tokens = tokensOf(bucket)
      buckets.set(uid, { tokens: tokens >= 1 ? tokens - 1 : tokens, filledAt: clock.now() })
      return tokens >= 1
    },
    /** A full bucket is as good as none. */
    prune(): void {
      for (const [uid, bucket] of buckets) if (tokensOf(bucket) >= SPAM_BURST) buckets.delete(uid)
    },
  }
}
