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
import { accountId, callingAccount } from './account.ts'
import { actions } from './actions.ts'
import { type CallCounts, callCounts } from './call-counts.ts'
import { armed } from './faults.ts'
import { type InventoryOptions, inventory } from './inventory.ts'
import { describeAt, type Machine } from './machine.ts'
import { machines as machinesOf } from './machines.ts'
import { changeOutside } from './outside.ts'
import {
  drawMs,
  type Fault,
  type OutsideChange,
  outsideSchema,
  type SimSettings,
  type SimSettingsInput,
  settingsSchema,
} from './settings.ts'
import { type SimAction, type SimAnswer, type SimInputs, SimRefusal, type SimRequest, type SimResults } from './wire.ts'

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

export function createSim(options: SimOptions): Sim {
  const { now, random } = options
  let settings = settingsSchema.parse(options.settings ?? {})
  let faults = armed(settings.faults)
  let counts = callCounts()
  const buckets = new Map<string, Meter>()
  const world = { inventory: inventory(options), settings: () => settings, now, random }
  const machines = machinesOf(world)
  const table = actions(world, machines)

  /** Lets go of what EC2 would not show or know any more. */
  function fade(): void {
    world.inventory.fade(now() - settings.terminatedShownMs, now() - settings.tokenValidityMs)
  }

  function perform<A extends SimAction>({ action, input, region }: SimRequest<A>, account: string): SimResults[A] {
    const handler: (input: SimInputs[A], scope: { account: string; region: string }) => SimResults[A] = table[action]
    return handler(input, { account, region })
  }

  function answerTo(request: SimRequest): SimAnswer {
    try {
      const result = perform(request, callingAccount(request, settings))
      return { status: 200, requestId: requestId(random), result }
    } catch (error) {
      if (!(error instanceof SimRefusal)) throw error
      counts.refused(request.action)
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
    fade()
    counts.called(request.action, idsIn(request.input))
    const latencyMs = drawMs(settings.latencyMs, random)
    const normal = {
      effectAfterMs: 0,
      perform: () => answerTo(request),
      answerAfterMs: latencyMs,
      answer: 'performed' as const,
    }

    if (isThrottled(request)) {
      counts.refused(request.action)
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
    fade()
    for (const machine of world.inventory.machines()) {
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
    outside: (change) => changeOutside(outsideSchema.parse(change), { world, machines }).map(machines.shown),
    instances: ({ state = 'live' } = {}) => [...existing(state)],
    get calls() {
      return counts.snapshot()
    },
    resetCalls() {
      counts = callCounts()
    },
    reset() {
      world.inventory.clear()
      buckets.clear()
      counts = callCounts()
      settings = settingsSchema.parse({})
      faults = armed([])
    },
  }
}

interface Meter {
  readonly requests: TokenBucket
  readonly resources: TokenBucket | undefined
}

const nothing: SimAnswer = { status: 500, requestId: '', error: { code: 'InternalError', message: 'Nothing was done' } }

function idsIn(input: SimRequest['input']): number {
  if ('ids' in input) return input.ids?.length ?? 1
  return 1
}

function requestId(random: () => number): string {
  return Array.from({ length: 8 }, () => Math.floor(random() * 16).toString(16)).join('')
}
