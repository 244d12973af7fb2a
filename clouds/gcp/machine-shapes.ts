/**
 * What predefined machine types are made of, for those whose price follows from it: vCPUs and gigabytes, as they are billed. The
 * shared-core types of E2 are billed for a part of a vCPU.
 *
 * @see https://cloud.google.com/compute/docs/general-purpose-machines
 * @see https://cloud.google.com/compute/vm-instance-pricing
 */

export interface MachineShape {
  readonly family: 'e2' | 'n1' | 'n2' | 'c4'
  readonly vcpus: number
  readonly gigabytes: number
}

interface Class {
  readonly sizes: readonly number[]
  readonly gigabytesPerVcpu: number
}

const classes: Readonly<Record<string, Class>> = {
  'e2-standard': { sizes: [2, 4, 8, 16, 32], gigabytesPerVcpu: 4 },
  'e2-highmem': { sizes: [2, 4, 8, 16], gigabytesPerVcpu: 8 },
  'e2-highcpu': { sizes: [2, 4, 8, 16, 32], gigabytesPerVcpu: 1 },
  'n1-standard': { sizes: [1, 2, 4, 8, 16, 32, 64, 96], gigabytesPerVcpu: 3.75 },
  'n1-highmem': { sizes: [2, 4, 8, 16, 32, 64, 96], gigabytesPerVcpu: 6.5 },
  'n1-highcpu': { sizes: [2, 4, 8, 16, 32, 64, 96], gigabytesPerVcpu: 0.9 },
  'n2-standard': { sizes: [2, 4, 8, 16, 32, 48, 64, 80, 96, 128], gigabytesPerVcpu: 4 },
  'n2-highmem': { sizes: [2, 4, 8, 16, 32, 48, 64, 80, 96], gigabytesPerVcpu: 8 },
  'n2-highcpu': { sizes: [2, 4, 8, 16, 32, 48, 64, 80, 96], gigabytesPerVcpu: 1 },
}

const others: Readonly<Record<string, MachineShape>> = {
  'e2-micro': { family: 'e2', vcpus: 0.25, gigabytes: 1 },
  'e2-small': { family: 'e2', vcpus: 0.5, gigabytes: 2 },
  'e2-medium': { family: 'e2', vcpus: 1, gigabytes: 4 },
  'n2-highmem-128': { family: 'n2', vcpus: 128, gigabytes: 864 },
  'c4-standard-2': { family: 'c4', vcpus: 2, gigabytes: 7 },
  'c4-standard-4': { family: 'c4', vcpus: 4, gigabytes: 15 },
  'c4-standard-8': { family: 'c4', vcpus: 8, gigabytes: 30 },
  'c4-standard-16': { family: 'c4', vcpus: 16, gigabytes: 60 },
  'c4-standard-32': { family: 'c4', vcpus: 32, gigabytes: 120 },
  'c4-standard-48': { family: 'c4', vcpus: 48, gigabytes: 180 },
  'c4-standard-96': { family: 'c4', vcpus: 96, gigabytes: 360 },
  'c4-standard-192': { family: 'c4', vcpus: 192, gigabytes: 720 },
}

/** `undefined` for a type that is not known here. */
export function machineShape(instanceType: string): MachineShape | undefined {
  if (Object.hasOwn(others, instanceType)) return others[instanceType]
  const [, name = '', size = ''] = /^([a-z0-9]+-[a-z]+)-(\d{1,3})$/.exec(instanceType) ?? []
  const known = Object.hasOwn(classes, name) ? classes[name] : undefined
  const vcpus = Number(size)
  if (known === undefined || size !== String(vcpus) || !known.sizes.includes(vcpus)) return undefined
  return { family: name.slice(0, 2) as MachineShape['family'], vcpus, gigabytes: vcpus * known.gigabytesPerVcpu }
}
