/** What a world has in a cloud's place: how it is called, and what of it is seen and done from outside, whichever cloud it is. */
import type { Cloud, Instance } from '../../clouds/cloud.ts'
import { isRead } from '../../clouds/sim/call-counts.ts'
import { inProcess, type SimTransport } from '../../clouds/sim/exchange.ts'
import type { OutsideChange, SimSettingsInput } from '../../clouds/sim/settings.ts'
import type { Sim } from '../../clouds/sim/sim.ts'
import { simCloud } from '../../clouds/sim/sim-cloud.ts'
import type { VM } from '../../crds/vm.ts'
import { liveness } from './liveness.ts'
import type { Chance } from './random.ts'
import type { SideEffect } from './side-effects.ts'
import type { Process, VirtualTime } from './virtual-time.ts'
import { rearrangeZones, zonalCloud, zonalServer } from './zones.ts'

export interface CloudSide {
  readonly provider: VM['spec']['provider']
  readonly region: string
  readonly account: string
  /** A Spot instance that it wants back is stopped, not terminated. */
  readonly keepsSpot: boolean
  /** As that process calls it: its mutations are side effects. */
  cloudFor(process: Process, sideEffect: SideEffect): Cloud
  /** Its own truth, which never lags. */
  instances(): readonly Instance[]
  /** What cannot be done to an instance as it is, is not done. */
  outside(change: OutsideChange): readonly Instance[]
  /** Whether it says no to whatever is asked. */
  refuse(refuses: boolean): void
  /** How many calls there were that change something. */
  readonly mutations: number
  /** Every breach of "one VM, one instance" as it happened. */
  readonly breaches: readonly string[]
  end(): Promise<void>
}

/** How the simulated cloud keeps its promises. The controller is told `tokenValidityMs` and `lookupLagMs`, whatever is true. */
export interface CloudMood {
  readonly settings: SimSettingsInput
  readonly tokenValidityMs: number
  readonly lookupLagMs: number
  /** It is as Compute Engine is, see `zones.ts`. */
  readonly zonal?: boolean
}

export function simSide(sim: Sim, mood: CloudMood, time: VirtualTime, random: Chance): CloudSide {
  const region = 'sim-1'
  const watched = liveness(sim)
  const direct = inProcess(sim, { sleep: time.sleep })
  const inner = mood.zonal ? zonalServer(direct) : direct
  if (mood.zonal) rearrangeZones(sim, time.clock, random)

  return {
    provider: 'sim',
    region,
    account: '123456789012',
    keepsSpot: false,
    cloudFor(process, sideEffect) {
      const transport: SimTransport = {
        send(request, signal) {
          const act = () => inner.send(request, signal).finally(watched.check)
          if (isRead(request.action)) return process.deliver(act())
          const { action } = request
          return sideEffect(process, { kind: 'cloud', what: action }, act, () => new Error('socket hang up'))
        },
      }
      const cloud = simCloud({
        transport,
        accessKey: 'AKIA',
        secretKey: 'secret',
        region,
        sleep: process.sleep,
        guarantees: { tokenValidityMs: mood.tokenValidityMs, lookupLagMs: mood.lookupLagMs },
      })
      return mood.zonal ? zonalCloud(cloud) : cloud
    },
    instances: sim.instances,
    outside: sim.outside,
    refuse(refuses) {
      sim.configure({ faults: refuses ? [{ action: '*', error: { code: 'UnauthorizedOperation', status: 403 } }] : [] })
    },
    get mutations() {
      return sim.calls.mutations
    },
    breaches: watched.breaches,
    end: async () => undefined,
  }
}
