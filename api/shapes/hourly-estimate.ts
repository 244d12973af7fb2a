/**
 * What VMs cost an hour as they are now, from the prices that are known: nobody is asked for it.
 *
 * A VM costs its type's price while it runs or is about to, and nothing while it is stopped or gone (disks are not counted). `null`
 * stands for "not known": a type without a price, or a Spot instance, whose price the market makes. A workspace costs the
 * sum of its VMs, and says how many of them are not in it.
 */
import { z } from '@hono/zod-openapi'
import type { PriceCatalogue } from '../../clouds/prices/catalogue.ts'
import { asNumber, sumOf } from '../../clouds/prices/money.ts'
import type { Price } from '../../clouds/prices/price.ts'
import type { VM, VMState } from '../../crds/vm.ts'
import { time } from '../http/schemas.ts'
import { vmStatus } from './vm-status.ts'

export type KnownPrices = Pick<PriceCatalogue, 'find' | 'learned' | 'version'>

export const vmEstimateSchema = z
  .object({
    amount: z.number().openapi({ description: 'Dollars an hour as the VM is now: 0 while it is stopped.' }),
    currency: z.literal('USD'),
    price_source: z.string().openapi({ description: 'Who named the price.' }),
    priced_at: time.openapi({ description: 'When it was true.' }),
  })
  .openapi('HourlyEstimate')

export const workspaceEstimateSchema = z
  .object({
    amount: z.number().openapi({ description: 'Dollars an hour: the sum of its VMs.' }),
    currency: z.literal('USD'),
    unpriced_vms: z.number().int().openapi({ description: 'VMs whose price is not known; they are not in the sum.' }),
  })
  .openapi('WorkspaceEstimate')

export type WorkspaceEstimate = z.output<typeof workspaceEstimateSchema>

/** In which states the provider charges for an instance. */
const isCharged = {
  pending: true,
  running: true,
  starting: true,
  stopping: true,
  stopped: false,
  terminated: false,
  error: false,
} as const satisfies Record<VMState, boolean>

export function vmEstimate(vm: VM, prices: KnownPrices): z.output<typeof vmEstimateSchema> | null {
  const price = priceOf(vm, prices)
  if (price === undefined) return null
  return {
    amount: asNumber(chargedAmount(vm, price)),
    currency: price.currency,
    price_source: price.source,
    priced_at: price.pricedAt,
  }
}

const sums = new WeakMap<readonly VM[], { readonly version: number; readonly estimate: WorkspaceEstimate }>()

/** @param vms the very list of the store, which is another one after any change: the sum is made once for each */
export function workspaceEstimate(vms: readonly VM[], prices: KnownPrices): WorkspaceEstimate {
  const { version } = prices
  const known = sums.get(vms)
  if (known?.version === version) return known.estimate
  const amounts = vms.flatMap((vm) => {
    const price = priceOf(vm, prices)
    return price === undefined ? [] : [chargedAmount(vm, price)]
  })
  const estimate = { amount: sumOf(amounts), currency: 'USD' as const, unpriced_vms: vms.length - amounts.length }
  sums.set(vms, { version, estimate })
  return estimate
}

/** What a tag must say beside an object's version, because the estimate may change without it; "" while it cannot. */
export function vmEstimateMark(vm: VM, prices: KnownPrices): string {
  const price = prices.learned(typeOf(vm))?.price
  return price === undefined ? '' : `${price.amount}/${price.pricedAt}`
}

export function workspaceEstimateMark({ amount, unpriced_vms }: WorkspaceEstimate): string {
  return amount === 0 && unpriced_vms === 0 ? '' : `${amount}/${unpriced_vms}`
}

function priceOf(vm: VM, prices: KnownPrices): Price | undefined {
  return vm.spec.marketType === 'Spot' ? undefined : prices.find(typeOf(vm))
}

/** The type that it has, which may not yet be the one that is wanted. */
function typeOf({ spec, status }: VM) {
  return {
    provider: spec.provider,
    region: status?.region ?? spec.region ?? '',
    instanceType: status?.instanceType || spec.instanceType,
  }
}

function chargedAmount(vm: VM, price: Price): string {
  return isCharged[vmStatus(vm)] ? price.amount : '0'
}
