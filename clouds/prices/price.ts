/** What an hour of an instance costs, and how that is known. */

/** Of what a price is asked. */
export interface PricedType {
  readonly provider: string
  readonly region: string
  readonly instanceType: string
}

/** On-Demand, Linux, without disks, traffic, licences, discounts and taxes. */
export interface Price {
  /** Dollars an hour, as a decimal number: "0.0104". Text, because a binary number would not hold it exactly. */
  readonly amount: string
  readonly currency: 'USD'
  /** Who says so, for people. */
  readonly source: string
  /** When it was true, RFC 3339 with whole seconds. */
  readonly pricedAt: string
}
