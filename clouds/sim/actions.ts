/**
 * What each action does to the inventory, with EC2's rules and words: which states allow it, what a batch with one
 * wrong id does (nothing at all), what a token repeated gives. Time and chance come from outside.
 */
import { createHash } from 'node:crypto'
import type { Instance, InstanceFilter, InstanceSpec, InstanceState } from '../cloud.ts'
import type { Inventory } from './inventory.ts'
import { describeAt, latest, type Machine, stateAt, type Version, write } from './machine.ts'
import { drawMs, type OutsideChange, type SimSettings } from './settings.ts'
import { type DescribeInput, type SimAction, type SimInputs, SimRefusal, type SimResults, simRegions } from './wire.ts'

/** EC2's DescribeInstances gives at most 1,000 on a page. */
const PAGE_SIZE = 1000

export interface Scope {
  readonly account: string
  readonly region: string
}

export interface Actions {
  perform<A extends SimAction>(action: A, input: SimInputs[A], scope: Scope): SimResults[A]
  /** Changes instances as somebody else would, wherever they are. Returns what was launched. */
  outside(change: OutsideChange, defaultAccount: string): readonly Instance[]
}

export interface ActionsOptions {
  readonly inventory: Inventory
  readonly settings: () => SimSettings
  readonly now: () => number
  readonly random: () => number
}

export function actions({ inventory, settings, now, random }: ActionsOptions): Actions {
  const longestLagMs = (): number => {
    const lag = settings().lookupLagMs
    return typeof lag === 'number' ? lag : lag.maxMs
  }

  function change(machine: Machine, to: Partial<Version>): void {
    write(machine, now(), longestLagMs(), to)
    inventory.put(machine)
  }

  /** Every id, or a refusal in which nothing was done, naming those that do not exist. */
  function named(ids: readonly string[], scope: Scope): Machine[] {
    const malformed = ids.filter((id) => !/^i-[0-9a-f]{8,17}$/.test(id))
    if (malformed.length > 0) {
      throw new SimRefusal('InvalidInstanceID.Malformed', `Invalid id: "${malformed[0]}"`)
    }
    const machines: Machine[] = []
    const unknown: string[] = []
    for (const id of ids) {
      const machine = inventory.machine(id)
      if (machine && within(machine, scope)) machines.push(machine)
      else unknown.push(id)
    }
    if (unknown.length > 0) throw notFound(unknown)
    return machines
  }

  const stateOf = (machine: Machine): InstanceState => stateAt(latest(machine), now())

  function requireState(machine: Machine, allowed: readonly InstanceState[], verb: string): void {
    if (allowed.includes(stateOf(machine))) return
    throw new SimRefusal(
      'IncorrectInstanceState',
      `The instance '${machine.id}' is not in a state from which it can be ${verb}.`,
    )
  }

  /** Into a state that lasts a while, or straight to the one after it. */
  function moveTo(
    machine: Machine,
    passing: InstanceState,
    final: InstanceState,
    lastsMs: number,
    more: Partial<Version>,
  ) {
    change(
      machine,
      lastsMs > 0
        ? { state: passing, next: { state: final, at: now() + lastsMs }, ...more }
        : { state: final, ...more },
    )
  }

  function start(machine: Machine): void {
    if (stateOf(machine) !== 'stopped') return
    refuseWithoutRoom({ ...machine.launched, instanceType: latest(machine).instanceType, zone: machine.zone })
    moveTo(machine, 'pending', 'running', settings().pendingMs, {
      stateReason: '',
      launchedAt: now(),
      publicIP: machine.launched.publicIP === false ? '' : publicAddress(inventory.nextSequence()),
    })
  }

  function stop(machine: Machine, reason = 'Client.UserInitiatedShutdown: User initiated shutdown'): void {
    if (stateOf(machine) !== 'running') return
    moveTo(machine, 'stopping', 'stopped', settings().stoppingMs, { stateReason: reason })
  }

  function terminate(machine: Machine, reason = 'Client.UserInitiatedShutdown: User initiated shutdown'): void {
    if (stateOf(machine).startsWith('terminat')) return
    moveTo(machine, 'terminating', 'terminated', settings().terminatingMs, { stateReason: reason })
  }

  function tag(machine: Machine, tags: Readonly<Record<string, string>>): void {
    change(machine, { tags: { ...latest(machine).tags, ...tags } })
  }

  function untag(machine: Machine, keys: readonly string[]): void {
    change(machine, {
      tags: Object.fromEntries(Object.entries(latest(machine).tags).filter(([key]) => !keys.includes(key))),
    })
  }

  function refuseWithoutRoom(wanted: Pick<InstanceSpec, 'instanceType' | 'zone' | 'marketType'>): void {
    const full = settings().noCapacity.some(
      (none) =>
        (none.instanceType ?? wanted.instanceType) === wanted.instanceType &&
        (none.zone ?? wanted.zone) === wanted.zone &&
        (none.marketType ?? wanted.marketType) === wanted.marketType,
    )
    if (full) {
      throw new SimRefusal(
        'InsufficientInstanceCapacity',
        `We currently do not have sufficient ${wanted.instanceType} capacity in the Availability Zone you requested (${wanted.zone}).`,
        500,
      )
    }
  }

  function launch(spec: InstanceSpec, scope: Scope): Machine {
    const sequence = inventory.nextSequence()
    const { tags, userData: _, token, ...launched } = spec
    const pendingMs = settings().pendingMs
    const machine: Machine = {
      id: `i-0${Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16)).join('')}`,
      ...scope,
      zone: spec.zone ?? `${scope.region}a`,
      bornAt: now(),
      sequence,
      token,
      launched,
      versions: [
        {
          writtenAt: now(),
          ...(pendingMs > 0
            ? { state: 'pending' as const, next: { state: 'running' as const, at: now() + pendingMs } }
            : { state: 'running' as const }),
          stateReason: '',
          instanceType: spec.instanceType,
          privateIP: `10.${(sequence >> 16) & 255}.${(sequence >> 8) & 255}.${sequence & 255}`,
          publicIP: spec.publicIP === false ? '' : publicAddress(sequence),
          launchedAt: now(),
          tags: { ...tags },
        },
      ],
    }
    inventory.put(machine)
    return machine
  }

  function run(spec: InstanceSpec, scope: Scope): Instance {
    refuseBadNames(spec, scope)
    const validityMs = settings().tokenValidityMs
    const key = `${scope.account}/${scope.region}/${spec.token}`
    const fingerprint = createHash('sha256').update(canonical(spec)).digest('base64')
    const earlier = spec.token && validityMs > 0 ? inventory.token(key) : undefined
    if (earlier && now() < earlier.createdAt + validityMs) {
      if (earlier.fingerprint !== fingerprint) {
        throw new SimRefusal(
          'IdempotentParameterMismatch',
          'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
        )
      }
      const machine = inventory.machine(earlier.machineId)
      if (!machine || stateOf(machine) === 'terminated') {
        throw new SimRefusal(
          'IdempotentInstanceTerminated',
          'The instance made with this client token has been terminated.',
        )
      }
      return shown(machine)
    }
    refuseWithoutRoom({ ...spec, zone: spec.zone ?? `${scope.region}a` })
    refuseBeyondQuota(scope)
    const machine = launch(spec, scope)
    inventory.putToken({ key, machineId: machine.id, createdAt: now(), fingerprint })
    return shown(machine)
  }

  function refuseBeyondQuota(scope: Scope): void {
    const limit = settings().maxInstances
    if (limit === null) return
    let living = 0
    for (const machine of inventory.machines()) {
      if (within(machine, scope) && stateOf(machine) !== 'terminated') living++
    }
    if (living >= limit) {
      throw new SimRefusal(
        'VcpuLimitExceeded',
        `You have requested more vCPU capacity than your current vCPU limit of ${limit} allows for the instance bucket that the specified instance type belongs to.`,
      )
    }
  }

  /** What a write answers with is not behind itself. */
  function shown(machine: Machine): Instance {
    const instance = describeAt(machine, now())
    if (!instance) throw new Error(`machine ${machine.id} is not there at its own birth`)
    return instance
  }

  function describe(input: DescribeInput, scope: Scope): SimResults['DescribeInstances'] {
    const time = now() - drawMs(settings().lookupLagMs, random)
    if (input.ids) return { instances: describeNamed(input.ids, time, scope) }
    const matches = matcher(input.filter ?? { kind: 'all' })
    const after = input.nextToken === undefined ? 0 : Number(input.nextToken)
    if (!Number.isSafeInteger(after)) throw new SimRefusal('InvalidNextToken', 'The specified NextToken is not valid')
    const instances: Instance[] = []
    let last = after
    for (const machine of inventory.machines()) {
      if (machine.sequence <= after || !within(machine, scope)) continue
      const instance = describeAt(machine, time)
      if (!instance || !matches(instance)) continue
      if (instances.length === PAGE_SIZE) return { instances, nextToken: String(last) }
      instances.push(instance)
      last = machine.sequence
    }
    return { instances }
  }

  function describeNamed(ids: readonly string[], time: number, scope: Scope): readonly Instance[] {
    const instances = named(ids, scope).map((machine) => describeAt(machine, time))
    const unseen = ids.filter((_, index) => !instances[index])
    if (unseen.length > 0) throw notFound(unseen)
    return instances.filter((instance) => instance !== undefined)
  }

  const table: { [A in SimAction]: (input: SimInputs[A], scope: Scope) => SimResults[A] } = {
    GetCallerIdentity: (_, { account }) => ({ account, identity: `arn:aws:iam::${account}:user/simulated` }),
    DescribeRegions: () => ({ regions: simRegions }),
    DescribeInstances: describe,
    RunInstances: ({ spec }, scope) => ({ instance: run(spec, scope) }),
    StartInstances({ ids }, scope) {
      const machines = named(ids, scope)
      for (const machine of machines) requireState(machine, ['stopped', 'pending', 'running'], 'started')
      machines.forEach(start)
      return {}
    },
    StopInstances({ ids }, scope) {
      const machines = named(ids, scope)
      for (const machine of machines) {
        if (machine.launched.marketType === 'Spot') {
          throw new SimRefusal(
            'UnsupportedOperation',
            `You can't stop the Spot Instance '${machine.id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.`,
          )
        }
        requireState(machine, ['running', 'stopping', 'stopped'], 'stopped')
      }
      for (const machine of machines) stop(machine)
      return {}
    },
    TerminateInstances({ ids }, scope) {
      for (const machine of named(ids, scope)) terminate(machine)
      return {}
    },
    ModifyInstanceAttribute({ id, instanceType }, scope) {
      const [machine] = named([id], scope)
      if (!machine) return {}
      if (instanceType.startsWith('bad-')) {
        throw new SimRefusal('InvalidInstanceAttributeValue', `Invalid value '${instanceType}' for InstanceType.`)
      }
      requireState(machine, ['stopped'], 'modified')
      change(machine, { instanceType })
      return {}
    },
    CreateTags({ ids, tags }, scope) {
      for (const machine of named(ids, scope)) tag(machine, tags)
      return {}
    },
    DeleteTags({ ids, keys }, scope) {
      for (const machine of named(ids, scope)) untag(machine, keys)
      return {}
    },
  }

  return {
    perform: (action, input, scope) => table[action](input, scope),
    outside(outsideChange, defaultAccount) {
      if (outsideChange.action === 'launch') {
        const { region = 'sim-1', account = defaultAccount, instanceType, image, tags = {} } = outsideChange
        const spec = {
          token: '',
          instanceType: instanceType ?? 't3.micro',
          image: image ?? 'ami-0abcdef1234567890',
          tags,
        }
        return [shown(launch({ ...spec, marketType: 'OnDemand' }, { account, region }))]
      }
      const machines = outsideChange.ids.map((id) => {
        const machine = inventory.machine(id)
        if (!machine) throw notFound([id])
        return machine
      })
      for (const machine of machines) {
        switch (outsideChange.action) {
          case 'start':
            start(machine)
            break
          case 'stop':
            stop(machine)
            break
          case 'terminate':
            terminate(machine)
            break
          case 'interrupt':
            terminate(machine, 'Server.SpotInstanceTermination: Instance terminated due to Spot interruption')
            break
          case 'resize':
            change(machine, { instanceType: outsideChange.instanceType })
            break
          case 'tag':
            tag(machine, outsideChange.tags)
            break
          case 'untag':
            untag(machine, outsideChange.keys)
        }
      }
      return machines.map(shown)
    },
  }
}

function notFound(ids: readonly string[]): SimRefusal {
  const words =
    ids.length === 1
      ? `The instance ID '${ids[0]}' does not exist`
      : `The instance IDs '${ids.join(', ')}' do not exist`
  return new SimRefusal('InvalidInstanceID.NotFound', words)
}

function within(machine: Machine, { account, region }: Scope): boolean {
  return machine.account === account && machine.region === region
}

/** 198.18.0.0/15 is set aside for benchmarks (RFC 2544): nobody's real address. */
function publicAddress(n: number): string {
  return `198.${18 + ((n >> 16) & 1)}.${(n >> 8) & 255}.${n & 255}`
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

/** Names that begin with `bad-` do not exist, each refused with the code that EC2 has for it. */
function refuseBadNames(spec: InstanceSpec, { region }: Scope): void {
  const bad = (name: string | undefined): name is string => name?.startsWith('bad-') ?? false
  if (bad(spec.image)) throw new SimRefusal('InvalidAMIID.NotFound', `The image id '[${spec.image}]' does not exist`)
  if (bad(spec.instanceType)) {
    throw new SimRefusal('InvalidParameterValue', `Invalid value '${spec.instanceType}' for InstanceType.`)
  }
  if (bad(spec.subnetId))
    throw new SimRefusal('InvalidSubnetID.NotFound', `The subnet ID '${spec.subnetId}' does not exist`)
  const group = spec.securityGroupIds?.find(bad)
  if (group) throw new SimRefusal('InvalidGroup.NotFound', `The security group '${group}' does not exist`)
  if (bad(spec.sshKeyName))
    throw new SimRefusal('InvalidKeyPair.NotFound', `The key pair '${spec.sshKeyName}' does not exist`)
  if (bad(spec.instanceProfile)) {
    throw new SimRefusal(
      'InvalidParameterValue',
      `Value (${spec.instanceProfile}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name`,
    )
  }
  if (spec.zone && ![`${region}a`, `${region}b`, `${region}c`].includes(spec.zone)) {
    throw new SimRefusal('InvalidParameterValue', `Invalid availability zone: [${spec.zone}]`)
  }
}

/** The same parameters give the same text, whatever the order in which they were written. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
