/**
 * A cloud that is kept within its limits: every call takes from the buckets of its account and region, single
 * starts, stops, terminations and tags are gathered into calls of many, and lookups into one listing. What comes
 * out is a `Cloud` again, whose mutations settle for each caller by itself.
 *
 * It still does not retry: a refused call is reported, with the buckets shrunk if that was the reason. Guarantees
 * and errors are those of the cloud inside.
 */
import { type Batcher, batcher } from './batcher.ts'
import type { Cloud, CloudAction, Instance, InstanceFilter } from './cloud.ts'
import { isCloudError } from './cloud-error.ts'
import type { Meter } from './meters.ts'
import { pages } from './pages.ts'
import { type OnCall, reportedCloud } from './reported-cloud.ts'
import { type Sleep, sleepMs } from './sleep.ts'
import { takingApart } from './taking-apart.ts'

export interface MeteredCloud extends Cloud {
  /**
   * Everything that carries the tag or was made with the token, terminated ones too for as long as the cloud shows
   * them. Asked by many at once, it is one listing for each 200.
   */
  lookup(wanted: Lookup, signal?: AbortSignal): Promise<readonly Instance[]>
  /**
   * The two halves of `create`, for whoever has something to write down right before the send and must not wait
   * after it: a place in the buckets, in the order of asking, and the call that uses it up.
   */
  admitCreate(signal?: AbortSignal): Promise<void>
  createAdmitted(...[spec, signal]: Parameters<Cloud['create']>): Promise<Instance>
  /** Since when it has answered nobody in this account and region, in milliseconds since 1970; see `silence.ts`. */
  readonly silentSince: number | undefined
}

export interface Lookup {
  readonly tag: { readonly key: string; readonly value: string }
  readonly token?: string
}

export interface MeteredCloudOptions {
  readonly cloud: Cloud
  readonly meter: Meter
  /** Told of every call after it was answered or failed. */
  readonly onCall?: OnCall
  /**
   * Called right before every mutation goes out; what it throws is the outcome. This is where a leader that was
   * deposed while its wish was being gathered stops.
   */
  readonly beforeMutation?: () => void
  /** Milliseconds from any origin; a test passes its own. */
  readonly now?: () => number
  readonly sleep?: Sleep
}

const reads: ReadonlySet<CloudAction> = new Set(['verify', 'regions', 'list'])

/**
 * A thousand wishes that trickle in over a minute are at most twenty calls; one by itself waits 50 ms, one of many
 * four seconds, of the tens that a start or a stop takes.
 */
const mutationTiming = { quietMs: 50, maxWaitMs: 1_000, spacingMs: 250, maxSpacingMs: 4_000 }

/** Whoever looks up is about to create and waits for the answer: 20 ms when alone, a second when many do. */
const lookupTiming = { quietMs: 20, maxWaitMs: 200, spacingMs: 50, maxSpacingMs: 1_000 }

export function meteredCloud(options: MeteredCloudOptions): MeteredCloud {
  const { meter, onCall, beforeMutation, now = () => performance.now(), sleep = sleepMs } = options
  const cloud = onCall ? reportedCloud(options.cloud, onCall, now) : options.cloud
  const { maxBatch, maxFilterValues } = cloud.guarantees

  /** One call, already admitted. */
  async function guarded<T>(action: CloudAction, call: () => Promise<T>): Promise<T> {
    const kind = reads.has(action) ? 'read' : 'mutation'
    if (kind === 'mutation') beforeMutation?.()
    try {
      return await meter.silence.heeded(kind, call)
    } catch (error) {
      if (isCloudError(error) && error.class === 'throttled') {
        meter.throttled(action, /resource/i.test(error.message) ? 'instances' : 'calls')
      }
      throw error
    }
  }

  async function metered<T>(
    action: CloudAction,
    { instances, signal }: { readonly instances: number; readonly signal: AbortSignal | undefined },
    call: () => Promise<T>,
  ): Promise<T> {
    await meter.take(action, instances, signal)
    return guarded(action, call)
  }

  /**
   * Gathers ids that are to have the same done to them. The first call of a batch was admitted by the batcher, which
   * also paid for its instances; those of its parts, if it fails, wait their turn.
   */
  function inBatches<What = undefined>(
    action: CloudAction,
    call: (ids: readonly string[], what: What) => Promise<void>,
  ) {
    const { add } = batcher<{ readonly id: string; readonly what: What }, void>({
      ...mutationTiming,
      now,
      sleep,
      maxItems: maxBatch,
      groupOf: ({ what }) => JSON.stringify(what ?? ''),
      admit: (waiting) => meter.takeSome(action, waiting),
      async run(items) {
        const [first] = items
        if (!first) return []
        let admitted = true
        return takingApart(
          items.map(({ id }) => id),
          async (part) => {
            if (!admitted) await meter.take(action, 0)
            admitted = false
            await guarded(action, () => call(part, first.what))
          },
        )
      },
    })
    /** All of the ids, each in whichever call it falls; fails with the first that fails. */
    return async (ids: readonly string[], what: What, signal?: AbortSignal): Promise<void> => {
      await Promise.all(ids.map((id) => add({ id, what }, signal)))
    }
  }

  function lookups(filterOf: (values: readonly string[]) => InstanceFilter, keyOf: (instance: Instance) => string) {
    return batcher<string, readonly Instance[]>({
      ...lookupTiming,
      now,
      sleep,
      maxItems: maxFilterValues,
      async run(values) {
        const byValue = Map.groupBy(await all(filterOf([...new Set(values)])), keyOf)
        return values.map((value) => ({ status: 'fulfilled', value: byValue.get(value) ?? [] }))
      },
    })
  }

  async function all(filter: InstanceFilter): Promise<Instance[]> {
    const instances: Instance[] = []
    for await (const page of pages(listPage, filter)) instances.push(...page)
    return instances
  }

  const listPage: Cloud['listPage'] = (filter, cursor, signal) =>
    metered('list', { instances: 0, signal }, () => cloud.listPage(filter, cursor, signal))

  const starts = inBatches('start', (ids) => cloud.start(ids))
  const stops = inBatches('stop', (ids) => cloud.stop(ids))
  const terminations = inBatches('terminate', (ids) => cloud.terminate(ids))
  const byToken = lookups(
    (tokens) => ({ kind: 'token', tokens }),
    ({ token }) => token,
  )
  const byTag = new Map<string, Batcher<string, readonly Instance[]>>()

  function taggedWith(key: string): Batcher<string, readonly Instance[]> {
    const lookup =
      byTag.get(key) ??
      lookups(
        (values) => ({ kind: 'tag', key, values }),
        ({ tags }) => tags[key] ?? '',
      )
    byTag.set(key, lookup)
    return lookup
  }

  return {
    provider: cloud.provider,
    region: cloud.region,
    guarantees: cloud.guarantees,
    limits: cloud.limits,
    verify: (signal) => metered('verify', { instances: 0, signal }, () => cloud.verify(signal)),
    regions: (signal) => metered('regions', { instances: 0, signal }, () => cloud.regions(signal)),
    listPage,
    list: (filter, signal) => pages(listPage, filter, signal),
    chooseZone: (token, refused, signal) => cloud.chooseZone(token, refused, signal), // remembered: a call an hour
    get: (id, signal) => metered('list', { instances: 0, signal }, () => cloud.get(id, signal)),
    create: (spec, signal) => metered('create', { instances: 1, signal }, () => cloud.create(spec, signal)),
    admitCreate: (signal) => meter.take('create', 1, signal),
    get silentSince() {
      return meter.silence.since
    },
    createAdmitted: (spec, signal) => guarded('create', () => cloud.create(spec, signal)),
    start: (ids, signal) => starts(ids, undefined, signal),
    stop: (ids, signal) => stops(ids, undefined, signal),
    terminate: (ids, signal) => terminations(ids, undefined, signal),
    resize: (id, type, signal) => metered('resize', { instances: 1, signal }, () => cloud.resize(id, type, signal)),
    tag: inBatches('tag', (ids, tags: Readonly<Record<string, string>>) => cloud.tag(ids, tags)),
    untag: inBatches('untag', (ids, keys: readonly string[]) => cloud.untag(ids, keys)),
    async lookup({ tag, token }, signal) {
      const [tagged, made] = await Promise.all([
        taggedWith(tag.key).add(tag.value, signal),
        token === undefined ? [] : byToken.add(token, signal),
      ])
      const byId = new Map([...made, ...tagged].map((instance) => [instance.id, instance]))
      return [...byId.values()]
    },
  }
}
