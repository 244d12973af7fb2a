/** A create, as EC2 judges one: do the names exist, is the token new, is there room, and may the account have more. */
import { createHash } from 'node:crypto'
import type { Instance, InstanceSpec } from '../cloud.ts'
import type { Machines, Scope, World } from './machines.ts'
import type { SimSettings } from './settings.ts'
import { SimRefusal } from './wire.ts'

export function runInstances(
  spec: InstanceSpec,
  scope: Scope,
  { world, machines }: { readonly world: World; readonly machines: Machines },
): Instance {
  const { inventory, settings, now } = world
  refuseBadNames(spec, scope)
  const key = `${scope.account}/${scope.region}/${spec.token}`
  const fingerprint = createHash('sha256').update(canonical(spec)).digest('base64')
  const earlier = spec.token ? inventory.token(key) : undefined
  if (earlier && now() < earlier.createdAt + settings().tokenValidityMs) {
    if (earlier.fingerprint !== fingerprint) {
      throw new SimRefusal(
        'IdempotentParameterMismatch',
        'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
      )
    }
    const machine = inventory.machine(earlier.machineId)
    if (!machine || machines.stateOf(machine) === 'terminated') {
      throw new SimRefusal('IdempotentInstanceTerminated', 'The instance made with this client token was terminated.')
    }
    return machines.shown(machine)
  }
  refuseWithoutRoom({ ...spec, zone: spec.zone ?? `${scope.region}a` }, settings())
  refuseBeyondQuota(scope, { world, machines })
  const machine = machines.launch(spec, scope)
  if (spec.token) inventory.putToken({ key, machineId: machine.id, createdAt: now(), fingerprint })
  return machines.shown(machine)
}

/** A stopped instance that is started needs room as a new one does. */
export function refuseWithoutRoom(
  wanted: Pick<InstanceSpec, 'instanceType' | 'zone' | 'marketType'>,
  settings: SimSettings,
): void {
  const full = settings.noCapacity.some(
    (none) =>
      (none.instanceType ?? wanted.instanceType) === wanted.instanceType &&
      (none.zone ?? wanted.zone) === wanted.zone &&
      (none.marketType ?? wanted.marketType) === wanted.marketType,
  )
  if (!full) return
  throw new SimRefusal(
    'InsufficientInstanceCapacity',
    `We currently do not have sufficient ${wanted.instanceType} capacity in the Availability Zone you requested (${wanted.zone}).`,
    500,
  )
}

function refuseBeyondQuota(
  scope: Scope,
  { world, machines }: { readonly world: World; readonly machines: Machines },
): void {
  const limit = world.settings().maxInstances
  if (limit === null) return
  let living = 0
  for (const machine of world.inventory.machines()) {
    if (isWithin(machine, scope) && machines.stateOf(machine) !== 'terminated') living++
  }
  if (living < limit) return
  throw new SimRefusal(
    'VcpuLimitExceeded',
    `You have requested more vCPU capacity than your current vCPU limit of ${limit} allows for the instance bucket that the specified instance type belongs to.`,
  )
}

export function isWithin(machine: Scope, { account, region }: Scope): boolean {
  return machine.account === account && machine.region === region
}

/** Names that begin with `bad-` do not exist, each refused with the code that EC2 has for it. */
function refuseBadNames(spec: InstanceSpec, { region }: Scope): void {
  const bad = (name: string | undefined): name is string => name?.startsWith('bad-') ?? false
  const refuse = (code: string, message: string): never => {
    throw new SimRefusal(code, message)
  }
  const { image, instanceType, subnetId, sshKeyName, instanceProfile, zone } = spec
  const group = spec.securityGroupIds?.find(bad)
  if (bad(image)) refuse('InvalidAMIID.NotFound', `The image id '[${image}]' does not exist`)
  if (bad(instanceType)) refuse('InvalidParameterValue', `Invalid value '${instanceType}' for InstanceType.`)
  if (bad(subnetId)) refuse('InvalidSubnetID.NotFound', `The subnet ID '${subnetId}' does not exist`)
  if (group) refuse('InvalidGroup.NotFound', `The security group '${group}' does not exist`)
  if (bad(sshKeyName)) refuse('InvalidKeyPair.NotFound', `The key pair '${sshKeyName}' does not exist`)
  if (bad(instanceProfile)) {
    refuse(
      'InvalidParameterValue',
      `Value (${instanceProfile}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name`,
    )
  }
  if (zone && !['a', 'b', 'c'].some((letter) => zone === region + letter)) {
    refuse('InvalidParameterValue', `Invalid availability zone: [${zone}]`)
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
