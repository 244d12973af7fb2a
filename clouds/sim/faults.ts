import type { Fault } from './settings.ts'
import type { SimAction } from './wire.ts'

export interface ArmedFaults {
  /** The first fault that befalls this call, one charge poorer. */
  strike(action: SimAction, random: () => number): Fault | undefined
}

/** The faults in their order, with what is left of each. */
export function armed(faults: readonly Fault[]): ArmedFaults {
  const charges = faults.map((fault) => ({ fault, skip: fault.skip, left: fault.count ?? Number.POSITIVE_INFINITY }))
  return {
    strike(action, random) {
      for (const charge of charges) {
        const { fault } = charge
        if (charge.left === 0 || (fault.action !== '*' && fault.action !== action)) continue
        if (charge.skip > 0) {
          charge.skip--
          continue
        }
        if (fault.probability < 1 && random() >= fault.probability) continue
        charge.left--
        return fault
      }
      return undefined
    },
  }
}
