import Big from 'big.js'
import { expect, it } from 'vitest'
import { shippedPriceLists } from '../prices/price-list.ts'
import { machineShape } from './machine-shapes.ts'

/** Of a vCPU and a gigabyte in us-central1. */
const parts = {
  e2: ['0.02181159', '0.00292353'],
  n1: ['0.031611', '0.004237'],
  n2: ['0.031611', '0.004237'],
  c4: ['0.03465', '0.003938'],
} as const

it.each([
  'e2-micro',
  'e2-highmem-16',
  'n1-standard-1',
  'n1-highcpu-96',
  'n2-standard-80',
  'n2-highmem-128',
  'c4-standard-4',
])('the shipped price of %s is that of what it is made of', (instanceType) => {
  const shape = machineShape(instanceType)
  if (shape === undefined) throw new Error(`${instanceType} has no shape`)
  const [core, ram] = parts[shape.family]
  const price = new Big(core).times(shape.vcpus).plus(new Big(ram).times(shape.gigabytes))
  const question = { provider: 'gcp', region: 'us-central1', instanceType }
  const shipped = shippedPriceLists().flatMap((list) => list.find(question)?.amount ?? [])
  expect(shipped).toEqual([price.toFixed()])
})

it.each(['e2-standard-3', 'e2-standard-02', 'e2-custom-4-8192', 'm1-ultramem-40', 'toString', ''])(
  '%j has no shape',
  (type) => {
    expect(machineShape(type)).toBeUndefined()
  },
)
