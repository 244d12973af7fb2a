/** A description: by id or by filter, in pages, and as far behind the truth as the settings say. */
import type { Instance, InstanceFilter } from '../cloud.ts'
import { describeAt, type Machine } from './machine.ts'
import type { Scope, World } from './machines.ts'
import { isWithin } from './run-instances.ts'
import { drawMs } from './settings.ts'
import { type DescribeInput, SimRefusal, type SimResults } from './wire.ts'

/** EC2's DescribeInstances gives at most 1,000 on a page. */
const PAGE_SIZE = 1000

export function describeInstances(input: DescribeInput, scope: Scope, world: World): SimResults['DescribeInstances'] {
  const time = world.now() - drawMs(world.settings().lookupLagMs, world.random)
  if (input.ids) return { instances: describeNamed(input.ids, time, { scope, world }) }
  const matches = matcher(input.filter ?? { kind: 'all' })
  const after = Number(input.nextToken ?? 0)
  if (!Number.isSafeInteger(after)) throw new SimRefusal('InvalidNextToken', 'The specified NextToken is not valid')
  const instances: Instance[] = []
  let last = after
  for (const machine of world.inventory.machines()) {
    if (machine.sequence <= after || !isWithin(machine, scope)) continue
    const instance = describeAt(machine, time)
    if (!instance || !matches(instance)) continue
    if (instances.length === PAGE_SIZE) return { instances, nextToken: String(last) }
    instances.push(instance)
    last = machine.sequence
  }
  return { instances }
}

function describeNamed(
  ids: readonly string[],
  time: number,
  { scope, world }: { readonly scope: Scope; readonly world: World },
): readonly Instance[] {
  const described = named(ids, scope, world).map((machine) => describeAt(machine, time))
  const unseen = ids.filter((_, index) => !described[index])
  if (unseen.length > 0) throw notFound(unseen)
  return described.filter((instance) => instance !== undefined)
}

/** Every id, or a refusal in which nothing was done, naming those that do not exist. */
export function named(ids: readonly string[], scope: Scope, { inventory }: World): Machine[] {
  const malformed = ids.find((id) => !/^i-[0-9a-f]{8,17}$/.test(id))
  if (malformed !== undefined) throw new SimRefusal('InvalidInstanceID.Malformed', `Invalid id: "${malformed}"`)
  const found = ids.map((id) => inventory.machine(id)).filter((machine) => machine !== undefined)
  const own = found.filter((machine) => isWithin(machine, scope))
  if (own.length === ids.length) return own
  const ownIds = new Set(own.map(({ id }) => id))
  throw notFound(ids.filter((id) => !ownIds.has(id)))
}

export function notFound(ids: readonly string[]): SimRefusal {
  const words = ids.length === 1 ? `instance ID '${ids[0]}' does` : `instance IDs '${ids.join(', ')}' do`
  return new SimRefusal('InvalidInstanceID.NotFound', `The ${words} not exist`)
}

function matcher(filter: InstanceFilter): (instance: Instance) => boolean {
  switch (filter.kind) {
    case 'all':
      return () => true
    case 'tag': {
      const values = new Set(filter.values)
      return (instance) => {
        const value = instance.tags[filter.key]
        return value !== undefined && values.has(value)
      }
    }
    case 'token': {
      const tokens = new Set(filter.tokens)
      return (instance) => instance.token !== '' && tokens.has(instance.token)
    }
  }
}
