/**
 * The simulated cloud, whole, as a state machine: it reads no clock, draws no chance and opens no socket of its
 * own. The server gives it the machine's clock; the fault campaign gives it a virtual one and a seed, and runs
 * thousands of lives in a second.
 *
 * A call is *received* (counted, metered, a fault chosen) and from then on takes its time: when its effect comes
 * and when its answer are two moments, so that an answer may be lost, late, or early. See `exchange.ts`.
 */
import type { Instance } from '../cloud.ts'
import { type TokenBucket, tokenBucket } from '../token-bucket.ts'
import { type Actions, actions } from './actions.ts'
import { type InventoryOptions, inventory } from './inventory.ts'
import { describeAt, type Machine } from './machine.ts'
import {
  defaultSettings,
  drawMs,
  type Fault,
  type OutsideChange,
  outsideSchema,
  type SimSettings,
  type SimSettingsInput,
  settingsSchema,
} from './settings.ts'
import { type SimAction, type SimAnswer, SimRefusal, type SimRequest, simActions, simRegions } from './wire.ts'

export interface Sim {
  receive(request: SimRequest): Reception
  readonly settings: SimSettings
  /** Changes the settings that are named. Throws a `ZodError` that names a wrong one. */
  configure(settings: SimSettingsInput): SimSettings
  /** Changes instances behind everybody's back. Throws as the API does for an id that does not exist. */
  outside(change: OutsideChange): readonly Instance[]
  /** What really exists now, whatever a lagging description shows. */
  instances(options?: { readonly state?: 'live' | 'all' }): SimInstance[]
  readonly calls: CallCounts
  resetCalls(): void
  /** Forgets every instance, token, count and setting. */
  reset(): void
}

/** An instance, whose it is, and what its create asked for. */
export interface SimInstance extends Instance {
  readonly account: string
  readonly launched: Machine['launched']
}

export interface CallCounts {
  readonly reads: number
  readonly mutations: number
  readonly byAction: Readonly<
    Record<SimAction, { readonly calls: number; readonly refused: number; readonly ids: number }>
  >
}

/** A call on its way: both moments count from the call's arrival. */
export interface Reception {
  /** When `perform` is due. */
  readonly effectAfterMs: number
  /** Does what was asked and gives the answer for it. Called once. */
  perform(): SimAnswer
  readonly answerAfterMs: number
  /** What the caller hears: what `perform` gave, something else, or nothing. */
  readonly answer: 'performed' | 'reset' | 'never' | SimAnswer
}

export interface SimOptions extends InventoryOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** From 0 up to, not including, 1. */
  readonly random: () => number
  readonly settings?: SimSettingsInput
}

const mutating: ReadonlySet<SimAction> = new Set([
  'RunInstances',
  'StartInstances',
  'StopInstances',
  'TerminateInstances',
  'ModifyInstanceAttribute',
  'CreateTags',
  'DeleteTags',
])

/** The account of every access key that does not begin with the twelve digits of another. */
const DEFAULT_ACCOUNT = '123456789012'

export function createSim(options: SimOptions): Sim {
  const { now, random } = options
  const store = inventory(options)
  let settings = settingsSchema.parse(options.settings ?? {})
  let faults = armed(settings.faults)
  let counts = noCalls()
  const buckets = new Map<string, Meter>()
  const doing: Actions = actions({ inventory: store, settings: () => settings, now, random })

  function answerTo(request: SimRequest): SimAnswer {
    try {
      const account = accountOf(request, settings)
      const result = doing.perform(request.action, request.input as never, { account, region: request.region })
      return { status: 200, requestId: requestId(random), result } as SimAnswer
    } catch (error) {
      if (!(error instanceof SimRefusal)) throw error
      counts.byAction[request.action].refused++
      return refusal(error)
    }
  }

  function refusal({ code, message, status }: SimRefusal): SimAnswer {
    return { status, requestId: requestId(random), error: { code, message } }
  }

  function isThrottled({ action, region, accessKey, input }: SimRequest): boolean {
    const limit = settings.throttle[action]
    if (!limit) return false
    const key = `${accountId(accessKey)}/${region}/${action}`
    let meter = buckets.get(key)
    if (!meter) {
      meter = {
        requests: tokenBucket({ ...limit, now }),
        resources: limit.resources && tokenBucket({ ...limit.resources, now }),
      }
      buckets.set(key, meter)
    }
    return !meter.requests.tryTake() || (meter.resources ? !meter.resources.tryTake(idsIn(input)) : false)
  }

  function receive(request: SimRequest): Reception {
    store.fade(now() - settings.terminatedShownMs, now() - settings.tokenValidityMs)
    const count = counts.byAction[request.action]
    count.calls++
    count.ids += idsIn(request.input)
    const latencyMs = drawMs(settings.latencyMs, random)
    const normal = {
      effectAfterMs: 0,
      perform: () => answerTo(request),
      answerAfterMs: latencyMs,
      answer: 'performed' as const,
    }

    if (isThrottled(request)) {
      count.refused++
      const answer = refusal(new SimRefusal('RequestLimitExceeded', 'Request limit exceeded.', 503))
      return { ...normal, perform: () => answer }
    }
    const fault = faults.strike(request.action, random)
    if (!fault) return normal
    return {
      effectAfterMs: fault.effectDelayMs,
      perform: fault.effect === 'done' || fault.answer === 'normal' ? () => answerTo(request) : () => nothing,
      answerAfterMs: latencyMs + fault.delayMs,
      answer: spoilt(fault),
    }
  }

  function spoilt(fault: Fault): Reception['answer'] {
    if (fault.answer === 'normal') return 'performed'
    if (fault.answer !== 'error') return fault.answer
    return refusal(new SimRefusal(fault.error.code, fault.error.message, fault.error.status))
  }

  function* existing(state: 'live' | 'all'): Generator<SimInstance> {
    store.fade(now() - settings.terminatedShownMs, now() - settings.tokenValidityMs)
    for (const machine of store.machines()) {
      const instance = describeAt(machine, now())
      if (!instance || (state === 'live' && instance.state === 'terminated')) continue
      yield { ...instance, account: machine.account, launched: machine.launched }
    }
  }

  return {
    receive,
    get settings() {
      return settings
    },
    configure(change) {
      settings = settingsSchema.parse({ ...settings, ...change })
      if (change.faults) faults = armed(settings.faults)
      if (change.throttle) buckets.clear()
      return settings
    },
    outside: (change) => doing.outside(outsideSchema.parse(change), DEFAULT_ACCOUNT),
    instances: ({ state = 'live' } = {}) => [...existing(state)],
    get calls() {
      return summed(counts)
    },
    resetCalls() {
      counts = noCalls()
    },
    reset() {
      store.clear()
      buckets.clear()
      counts = noCalls()
      settings = defaultSettings
      faults = armed([])
    },
  }
}

interface Meter {
  readonly requests: TokenBucket
  readonly resources: TokenBucket | undefined
}

const nothing: SimAnswer = { status: 500, requestId: '', error: { code: 'InternalError', message: 'Nothing was done' } }

/** The faults with what is left of each. */
function armed(faults: readonly Fault[]) {
  const charges = faults.map((fault) => ({ fault, skip: fault.skip, left: fault.count ?? Number.POSITIVE_INFINITY }))
  return {
    /** The first fault that befalls this call, one charge poorer. */
    strike(action: SimAction, random: () => number): Fault | undefined {
      for (const charge of charges) {
        if (charge.left === 0 || (charge.fault.action !== '*' && charge.fault.action !== action)) continue
        if (charge.skip > 0) {
          charge.skip--
          continue
        }
        if (charge.fault.probability < 1 && random() >= charge.fault.probability) continue
        charge.left--
        return charge.fault
      }
      return undefined
    },
  }
}

/** The account a key belongs to. AWS says `AuthFailure` for a key that is nobody's. */
function accountOf({ accessKey, secretKey, region }: SimRequest, settings: SimSettings): string {
  const refused =
    !accessKey ||
    !secretKey ||
    accessKey.startsWith('bad-') ||
    secretKey.startsWith('bad-') ||
    settings.rejectedAccessKeys.includes(accessKey)
  if (refused) {
    throw new SimRefusal('AuthFailure', 'AWS was not able to validate the provided access credentials', 401)
  }
  if (!simRegions.some(({ name }) => name === region)) {
    throw new SimRefusal(
      'InvalidParameterValue',
      `Invalid region: ${region}; there are ${simRegions.map((r) => r.name).join(' and ')}`,
    )
  }
  return accountId(accessKey)
}

/**
 * Twelve digits at the head of the key name its account; every other key is of the one default account, so that a
 * key may be rotated for any other and the instances stay where they are, as on AWS.
 */
export function accountId(accessKey: string): string {
  return /^\d{12}/.exec(accessKey)?.[0] ?? DEFAULT_ACCOUNT
}

function idsIn(input: SimRequest['input']): number {
  if ('ids' in input) return input.ids?.length ?? 1
  return 1
}

function requestId(random: () => number): string {
  return Array.from({ length: 8 }, () => Math.floor(random() * 16).toString(16)).join('')
}

type Counts = Record<SimAction, { calls: number; refused: number; ids: number }>

function noCalls(): { byAction: Counts } {
  return {
    byAction: Object.fromEntries(simActions.map((action) => [action, { calls: 0, refused: 0, ids: 0 }])) as Counts,
  }
}

function summed({ byAction }: { byAction: Counts }): CallCounts {
  const sum = (wanted: boolean) =>
    simActions.reduce((total, action) => total + (mutating.has(action) === wanted ? byAction[action].calls : 0), 0)
  return { reads: sum(false), mutations: sum(true), byAction: structuredClone(byAction) }
}
