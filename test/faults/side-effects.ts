/**
 * The one place through which every side effect of a controller goes: writes to the API server and mutations at the cloud,
 * numbered in the order in which they come. A plan says what befalls which of them.
 */
import type { Process, VirtualTime } from './virtual-time.ts'

export const mishaps = [
  'failBefore',
  'failAfter',
  'killBefore',
  'killAfter',
  'failLate',
  'freezeBefore',
  'freezeAfter',
] as const
/**
 * - `failBefore`: it does not happen, and the caller hears of no answer;
 * - `failAfter`: it happens, and the answer is lost;
 * - `killBefore`, `killAfter`: the process ends right before or right after it, and another one starts later;
 * - `failLate`: the caller hears of no answer, and it happens seconds later;
 * - `freezeBefore`, `freezeAfter`: the process stands still right before or after it, for longer than its lease, and then
 *   goes on as if nothing had been.
 */
export type Mishap = (typeof mishaps)[number]

export interface EffectInfo {
  readonly kind: 'kube' | 'cloud'
  /** `patch status of VM`, `RunInstances`. */
  readonly what: string
}

export type SideEffect = <T>(
  process: Process,
  effect: EffectInfo,
  act: () => Promise<T>,
  noAnswer: () => Error,
) => Promise<T>

export interface SideEffects {
  readonly sideEffect: SideEffect
  /** All there were, in their order. */
  readonly seen: readonly string[]
}

export interface Plan {
  /** What befalls the side effect of this number, counted from 0. */
  mishapAt(index: number, effect: EffectInfo): Mishap | undefined
  readonly lateMs: number
  readonly frozenMs: number
  /** A process was killed, or has to be thought dead. */
  onKilled(process: Process): void
}

export function sideEffects(time: VirtualTime, plan: Plan): SideEffects {
  const seen: string[] = []

  const sideEffect: SideEffect = async (process, effect, act, noAnswer) => {
    if (process.isDead) await new Promise<never>(() => undefined)
    const mishap = plan.mishapAt(seen.length, effect)
    seen.push(`${process.name} ${effect.what}${mishap ? ` (${mishap})` : ''}`)
    switch (mishap) {
      case undefined:
        return process.deliver(act())
      case 'failBefore':
        return process.deliver(Promise.reject(noAnswer()))
      case 'failAfter':
        await act().catch(() => undefined)
        return process.deliver(Promise.reject(noAnswer()))
      case 'killBefore':
        die(process)
        return process.deliver(Promise.reject(noAnswer())) // never reaches the dead
      case 'killAfter':
        await act().catch(() => undefined)
        die(process)
        return process.deliver(Promise.reject(noAnswer()))
      case 'failLate':
        time.clock.after(plan.lateMs, () => void act().catch(() => undefined))
        return process.deliver(Promise.reject(noAnswer()))
      case 'freezeBefore':
        freeze(process)
        await process.deliver(Promise.resolve())
        return process.deliver(act())
      case 'freezeAfter': {
        const outcome = act()
        freeze(process)
        return process.deliver(outcome)
      }
    }
  }

  function die(process: Process): void {
    process.kill()
    plan.onKilled(process)
  }

  function freeze(process: Process): void {
    process.freeze()
    plan.onKilled(process)
    time.clock.after(plan.frozenMs, () => process.thaw())
  }

  return { sideEffect, seen }
}
