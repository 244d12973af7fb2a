/** What others do to instances behind the back of whoever manages them: no rules, no accounts, no faults. */
import type { z } from 'zod'
import { notFound } from './describe-instances.ts'
import type { Machine } from './machine.ts'
import type { Machines, World } from './machines.ts'
import type { outsideSchema } from './settings.ts'

type Change = z.output<typeof outsideSchema>

const INTERRUPTED = 'Server.SpotInstanceTermination: Spot instance termination'

/** Gives the machines that were changed. Throws as the API does for an id that does not exist. */
export function changeOutside(
  change: Change,
  { world, machines }: { readonly world: World; readonly machines: Machines },
): readonly Machine[] {
  if (change.action === 'launch') {
    const { account, region, ...wanted } = change
    const spec = { token: '', instanceType: wanted.instanceType, image: wanted.image, tags: wanted.tags }
    return [machines.launch({ ...spec, marketType: 'OnDemand' }, { account, region })]
  }
  const changed = change.ids.map((id) => world.inventory.machine(id))
  const known = changed.filter((machine) => machine !== undefined)
  if (known.length < changed.length) throw notFound(change.ids.filter((_, index) => !changed[index]))
  for (const machine of known) changeOne(machine, change, machines)
  return known
}

function changeOne(machine: Machine, change: Exclude<Change, { action: 'launch' }>, machines: Machines): void {
  switch (change.action) {
    case 'start':
      machines.start(machine)
      break
    case 'stop':
      machines.stop(machine)
      break
    case 'terminate':
      machines.terminate(machine)
      break
    case 'interrupt':
      machines.terminate(machine, INTERRUPTED)
      break
    case 'resize':
      machines.resize(machine, change.instanceType)
      break
    case 'tag':
      machines.tag(machine, change.tags)
      break
    case 'untag':
      machines.untag(machine, change.keys)
      break
  }
}
