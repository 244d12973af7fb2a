/**
 * What may be asked of the simulated cloud, with EC2's rules and words: which states allow it, and that a call with
 * one wrong id does nothing at all.
 */
import type { InstanceState } from '../cloud.ts'
import { describeInstances, named } from './describe-instances.ts'
import { latest, type Machine } from './machine.ts'
import type { Machines, Scope, World } from './machines.ts'
import { refuseWithoutRoom, runInstances } from './run-instances.ts'
import { type SimAction, type SimInputs, SimRefusal, type SimResults, simRegions } from './wire.ts'

export type Actions = { readonly [A in SimAction]: (input: SimInputs[A], scope: Scope) => SimResults[A] }

export function actions(world: World, machines: Machines): Actions {
  function requireState(machine: Machine, allowed: readonly InstanceState[], verb: string): void {
    if (allowed.includes(machines.stateOf(machine))) return
    throw new SimRefusal(
      'IncorrectInstanceState',
      `The instance '${machine.id}' is not in a state from which it can be ${verb}.`,
    )
  }

  function requireRoom(machine: Machine): void {
    if (machines.stateOf(machine) !== 'stopped') return
    const { instanceType } = latest(machine)
    refuseWithoutRoom({ ...machine.launched, instanceType, zone: machine.zone }, world.settings())
  }

  return {
    GetCallerIdentity: (_, { account }) => ({ account, identity: `arn:aws:iam::${account}:user/simulated` }),
    DescribeRegions: () => ({ regions: simRegions }),
    DescribeInstances: (input, scope) => describeInstances(input, scope, world),
    RunInstances: ({ spec }, scope) => ({ instance: runInstances(spec, scope, { world, machines }) }),

    StartInstances({ ids }, scope) {
      const wanted = named(ids, scope, world)
      for (const machine of wanted) requireState(machine, ['stopped', 'pending', 'running'], 'started')
      wanted.forEach(requireRoom)
      wanted.forEach(machines.start)
      return {}
    },

    StopInstances({ ids }, scope) {
      const wanted = named(ids, scope, world)
      wanted.forEach(refuseToStopSpot)
      for (const machine of wanted) requireState(machine, ['running', 'stopping', 'stopped'], 'stopped')
      wanted.forEach(machines.stop)
      return {}
    },

    TerminateInstances({ ids }, scope) {
      for (const machine of named(ids, scope, world)) machines.terminate(machine)
      return {}
    },

    ModifyInstanceAttribute({ id, instanceType }, scope) {
      const [machine] = named([id], scope, world)
      if (!machine) return {}
      if (instanceType.startsWith('bad-')) {
        throw new SimRefusal('InvalidInstanceAttributeValue', `Invalid value '${instanceType}' for InstanceType.`)
      }
      requireState(machine, ['stopped'], 'modified')
      machines.resize(machine, instanceType)
      return {}
    },

    CreateTags({ ids, tags }, scope) {
      for (const machine of named(ids, scope, world)) machines.tag(machine, tags)
      return {}
    },

    DeleteTags({ ids, keys }, scope) {
      for (const machine of named(ids, scope, world)) machines.untag(machine, keys)
      return {}
    },
  }
}

/** We ask for Spot once, not persistently, and what was asked for once cannot be stopped. */
function refuseToStopSpot(machine: Machine): void {
  if (machine.launched.marketType !== 'Spot') return
  throw new SimRefusal(
    'UnsupportedOperation',
    `You can't stop the Spot Instance '${machine.id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.`,
  )
}
