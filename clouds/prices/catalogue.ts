/**
 * Which price is in force for a type: the operator's own before what the cloud itself said, and that before the list that
 * came with the program. What none of them knows has no price; nothing is derived from a neighbour.
 *
 * What a cloud said is remembered in this process, for as long as it runs and up to {@link REMEMBERED} types: list prices are the same
 * for every account, and change a few times a year.
 */
import type { Price, PricedType } from './price.ts'
import type { PriceList } from './price-list.ts'

export interface PriceCatalogue {
  find(type: PricedType): Price | undefined
  /** The operator's own, which needs no asking. */
  operators(type: PricedType): Price | undefined
  /** What the cloud said, and when (milliseconds since the epoch). */
  learned(type: PricedType): { readonly price: Price; readonly at: number } | undefined
  learn(type: PricedType, price: Price): void
  /** Grows with every price that is learned: what was made of prices before is made anew. */
  readonly version: number
}

export interface PriceCatalogueOptions {
  readonly shipped: readonly PriceList[]
  readonly operators?: readonly PriceList[]
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

const REMEMBERED = 20_000

export function priceCatalogue({ shipped, operators = [], now = Date.now }: PriceCatalogueOptions): PriceCatalogue {
  const learned = new Map<string, { readonly price: Price; readonly at: number }>()
  let version = 0

  return {
    find: (type) => findIn(operators, type) ?? learned.get(keyOf(type))?.price ?? findIn(shipped, type),
    operators: (type) => findIn(operators, type),
    learned: (type) => learned.get(keyOf(type)),
    learn(type, price) {
      const key = keyOf(type)
      const before = learned.get(key)
      if (before === undefined && learned.size >= REMEMBERED) learned.delete(learned.keys().next().value ?? '')
      learned.set(key, { price, at: now() })
      if (before?.price.amount !== price.amount || before.price.pricedAt !== price.pricedAt) version += 1
    },
    get version() {
      return version
    },
  }
}

function findIn(lists: readonly PriceList[], type: PricedType): Price | undefined {
  for (const list of lists) {
    const price = list.find(type)
    if (price !== undefined) return price
  }
  return undefined
}

function keyOf({ provider, region, instanceType }: PricedType): string {
  return `${provider}/${region}/${instanceType}`
}
