/** The price catalogue: what came with the program, and the operator's file before it. */
import { readFileSync } from 'node:fs'
import { type PriceCatalogue, priceCatalogue } from '../../clouds/prices/catalogue.ts'
import { type PriceList, parsePriceLists, shippedPriceLists } from '../../clouds/prices/price-list.ts'

/** @param file `SKYCLUST_PRICES` @throws Error of one line that names the file and what is wrong in it */
export function openCatalogue(file: string | undefined): PriceCatalogue {
  return priceCatalogue({ shipped: shippedPriceLists(), operators: file === undefined ? [] : operatorsLists(file) })
}

function operatorsLists(file: string): readonly PriceList[] {
  try {
    return parsePriceLists(readFileSync(file, 'utf8'), file)
  } catch (error) {
    throw new Error(`SKYCLUST_PRICES: ${error instanceof Error ? error.message : String(error)}`)
  }
}
