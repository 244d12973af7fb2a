/**
 * What can happen to simulated instances, whoever causes it: launched, started, stopped, terminated, resized and
 * tagged, each with the time that it takes. Whether a caller may ask for it is for `actions.ts` to say.
 */
import type { Instance, InstanceSpec, InstanceState } from '../cloud.ts'
import type { Inventory } from './inventory.ts'
import { describeAt, latest, type Machine, stateAt, type Version, write } from './machine.ts'
import type { SimSettings } from './settings.ts'

/** Whose, and where. */
export interface Scope {
  readonly account: string
  readonly region: string
}

export interface World {
  readonly inventory: Inventory
  readonly settings: () => SimSettings
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** From 0 up to, not including, 1. */
  readonly random: () => number
}

export type Machines = ReturnType<typeof machines>

const BY_USER = 'Client.UserInitiatedShutdown: User initiated shutdown'

export function machines({ inventory, settings, now, random }: World) {
  const longestLagMs = (): number => {
    const lag = settings().lookupLagMs
    return typeof lag === 'number' ? lag : lag.maxMs
  }

  function change(machine: Machine, to: Partial<Version>): void {
    write(machine, now(), longestLagMs(), to)
    inventory.put(machine)
  }

  /** A state that lasts a while and the one after it, or that one at once. */
  function passing(state: InstanceState, final: InstanceState, lastsMs: number): Pick<Version, 'state' | 'next'> {
    return lastsMs > 0 ? { state, next: { state: final, at: now() + lastsMs } } : { state: final }
  }

  const stateOf = (machine: Machine): InstanceState => stateAt(latest(machine), now())

  return {
    stateOf,

    launch({ tags, userData: _, token, ...launched }: InstanceSpec, scope: Scope): Machine {
      const sequence = inventory.nextSequence()
      const machine: Machine = {
        id: `i-0${Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16)).join('')}`,
        ...scope,
        zone: launched.zone ?? `${scope.region}a`,
        bornAt: now(),
        sequence,
        token,
        launched,
        versions: [
          {
            writtenAt: now(),
            ...passing('pending', 'running', settings().pendingMs),
            stateReason: '',
            instanceType: launched.instanceType,
            privateIP: `10.${(sequence >> 16) & 255}.${(sequence >> 8) & 255}.${sequence & 255}`,
            publicIP: launched.publicIP === false ? '' : publicAddress(sequence),
            launchedAt: now(),
            tags: { ...tags },
          },
        ],
      }
      inventory.put(machine)
      return machine
    },

    start(machine: Machine): void {
      if (stateOf(machine) !== 'stopped') return
      change(machine, {
        ...passing('pending', 'running', settings().pendingMs),
        stateReason: '',
        launchedAt: now(),
        publicIP: machine.launched.publicIP === false ? '' : publicAddress(inventory.nextSequence()),
      })
    },

    stop(machine: Machine): void {
      if (stateOf(machine) !== 'running') return
      change(machine, { ...passing('stopping', 'stopped', settings().stoppingMs), stateReason: BY_USER })
    },

    terminate(machine: Machine, reason = BY_USER): void {
      if (stateOf(machine).startsWith('terminat')) return
      change(machine, { ...passing('terminating', 'terminated', settings().terminatingMs), stateReason: reason })
    },

    resize(machine: Machine, instanceType: string): void {
      change(machine, { instanceType })
    },

    tag(machine: Machine, tags: Readonly<Record<string, string>>): void {
      change(machine, { tags: { ...latest(machine).tags, ...tags } })
    },

    untag(machine: Machine, keys: readonly string[]): void {
      const kept = Object.entries(latest(machine).tags).filter(([key]) => !keys.includes(key))
      change(machine, { tags: Object.fromEntries(kept) })
    },

    /** As it is now: what a write answers with is not behind itself. */
    shown(machine: Machine): Instance {
      const instance = describeAt(machine, now())
      if (!instance) throw new Error(`machine ${machine.id} is not there at its own birth`)
      return instance
    },
  }
}

/** 198.18.0.0/15 is set aside for benchmarks (RFC 2544): nobody's real address. */
function publicAddress(n: number): string {
  return `198.${18 + ((n >> 16) & 1)}.${(n >> 8) & 255}.${n & 255}`
}
