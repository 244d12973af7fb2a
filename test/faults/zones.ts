/**
 * A cloud in front of the simulated one that is to it as Compute Engine is to EC2: a zone has to be named, what makes a create
 * idempotent holds only within it, zones are full and have room again, a create that failed is answered with its failure for
 * as long as its series lasts, and what is gone is listed no more.
 */
import type { Cloud, Instance, InstancePage } from '../../clouds/cloud.ts'
import type { SimTransport } from '../../clouds/sim/exchange.ts'
import type { Sim } from '../../clouds/sim/sim.ts'
import type { SimRequest } from '../../clouds/sim/wire.ts'
import type { Clock } from '../../kube/clock.ts'
import type { Chance } from './random.ts'

const zones = ['sim-1a', 'sim-1b', 'sim-1c'] as const
const rearrangedMs = 30_000

/** Which zones are full changes all the time. */
export function rearrangeZones(sim: Sim, clock: Clock, { happens }: Chance): void {
  sim.configure({ noCapacity: zones.filter(() => happens(0.4)).map((zone) => ({ zone })) })
  clock.after(rearrangedMs, () => rearrangeZones(sim, clock, { happens } as Chance))
}

/** The cloud's side of it, one for all that call. */
export function zonalServer(inner: SimTransport): SimTransport {
  const failed = new Set<string>()
  return {
    async send(request, signal) {
      if (request.action !== 'RunInstances') return inner.send(request, signal)
      const { spec } = (request as SimRequest<'RunInstances'>).input
      const [zone = '', series = '', token = ''] = spec.token.split('|')
      const isFailed = failed.has(spec.token)
      const input = { spec: { ...spec, token: `${zone}/${token}` } }
      if (isFailed) {
        const error = { code: 'InsufficientInstanceCapacity', message: `Zone ${zone} had no room for ${series}.` }
        return { status: 500, requestId: '', error }
      }
      const answer = await inner.send({ ...request, input }, signal)
      if ('error' in answer && answer.error.code === 'InsufficientInstanceCapacity') failed.add(spec.token)
      return answer
    },
  }
}

/** The caller's side of it. */
export function zonalCloud(cloud: Cloud): Cloud {
  const shown = (instance: Instance): Instance => ({ ...instance, token: instance.token.replace(/^.*\//, '') })

  async function listPage(...[filter, cursor, signal]: Parameters<Cloud['listPage']>): Promise<InstancePage> {
    const inZones = (token: string) => zones.map((zone) => `${zone}/${token}`)
    const asked = filter.kind === 'token' ? { ...filter, tokens: filter.tokens.flatMap(inZones) } : filter
    const { instances, ...rest } = await cloud.listPage(asked, cursor, signal)
    return { ...rest, instances: instances.filter(({ state }) => state !== 'terminated').map(shown) }
  }

  return {
    ...cloud,
    guarantees: { ...cloud.guarantees, maxBatch: 1, maxFilterValues: 50 },
    listPage,
    async *list(filter, signal) {
      let cursor: string | undefined
      do {
        const page = await listPage(filter, cursor, signal)
        yield page.instances
        cursor = page.next
      } while (cursor !== undefined)
    },
    async get(id, signal) {
      const found = await cloud.get(id, signal)
      return found && shown(found)
    },
    chooseZone: async (_, refused) => zones.find((zone) => !refused.includes(zone)),
    async create({ series = '', ...spec }, signal) {
      const zone = spec.zone ?? zones[0]
      return shown(await cloud.create({ ...spec, zone, token: `${zone}|${series}|${spec.token}` }, signal))
    },
  }
}
