/**
 * Arithmetic with dollars, in decimals: no cent appears or disappears by the way a computer writes numbers.
 *
 * A result is rounded once, at its end, half away from zero: a cost to {@link COST_DECIMALS}, a price of an hour to
 * {@link PRICE_DECIMALS}, which is more than any cloud's price list has. As JSON numbers they are exact as long as they have 15
 * significant digits: costs below a billion dollars, prices below a hundred thousand an hour.
 */
import Big from 'big.js'

export const COST_DECIMALS = 6
export const PRICE_DECIMALS = 10

/** @param pricePerHour decimal text @param hours may have a fraction; taken as the decimal number that it is written as */
export function costOf(pricePerHour: string, hours: number): number {
  return rounded(new Big(pricePerHour).times(hours), COST_DECIMALS)
}

/** Of prices of an hour. */
export function sumOf(amounts: Iterable<string>): number {
  let sum = new Big(0)
  for (const amount of amounts) sum = sum.plus(amount)
  return rounded(sum, PRICE_DECIMALS)
}

/** A price of an hour as a JSON number. */
export function asNumber(amount: string): number {
  return rounded(new Big(amount), PRICE_DECIMALS)
}

function rounded(amount: Big, decimals: number): number {
  return amount.round(decimals, Big.roundHalfUp).toNumber()
}
