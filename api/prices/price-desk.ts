/**
 * The price of a type for somebody who asks: the operator's, or what the cloud says to one of the caller's Credentials, or the
 * list that came with the program.
 *
 * Asking a cloud is a favour that must cost nobody anything: it ends after {@link ANSWER_WITHIN_MS}, is done once for all who wait for
 * the same type, at most {@link ASKED_AT_ONCE} at a time, not again within a day (an hour, when the cloud named no price), and a
 * Credential that was refused is left alone for an hour. However it fails, the list answers.
 */
import { isCloudError } from '../../clouds/cloud-error.ts'
import type { PriceCatalogue } from '../../clouds/prices/catalogue.ts'
import type { Price, PricedType } from '../../clouds/prices/price.ts'
import type { Provider } from '../../clouds/provider.ts'
import type { Credential } from '../../crds/credential.ts'
import type { IdentityOf } from '../clouds/credential-identity.ts'

export interface PriceDesk {
  /** What is known here and now, without asking. */
  readonly known: Pick<PriceCatalogue, 'find' | 'learned' | 'version'>
  /** `undefined` when nobody knows one. */
  priceOf(question: PriceQuestion): Promise<Price | undefined>
}

export interface PriceQuestion {
  readonly provider: Provider
  readonly region: string
  readonly instanceType: string
  /** Of the caller, for that provider. */
  readonly credentials: readonly Credential[]
}

export interface PriceDeskOptions {
  readonly catalogue: PriceCatalogue
  readonly identityOf: IdentityOf
  /** `SKYCLUST_PRICE_API`: whether clouds are asked at all. */
  readonly asksClouds: boolean
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

const ANSWER_WITHIN_MS = 4_000
const ASKED_AT_ONCE = 8
const FRESH_MS = 24 * 3_600_000
const LEFT_ALONE_MS = 3_600_000
/** Of each caller; one that may not read prices is most often like the others. */
const CREDENTIALS_TRIED = 3
const REMEMBERED = 10_000

export function priceDesk({ catalogue, identityOf, asksClouds, now = Date.now }: PriceDeskOptions): PriceDesk {
  /** Since when a Credential (by uid) or a type (by key) need not be asked with or for. */
  const leftAlone = new Map<string, number>()
  const underWay = new Map<string, Promise<void>>()

  function mayAsk(key: string): boolean {
    return now() - (leftAlone.get(key) ?? Number.NEGATIVE_INFINITY) >= LEFT_ALONE_MS
  }

  function leaveAlone(key: string): void {
    if (leftAlone.size >= REMEMBERED) leftAlone.clear()
    leftAlone.set(key, now())
  }

  function needsAsking(type: PricedType, { provider }: PriceQuestion): boolean {
    if (!asksClouds || provider.listPrice === undefined || catalogue.operators(type) !== undefined) return false
    const learned = catalogue.learned(type)
    const isFresh = learned !== undefined && now() - learned.at < FRESH_MS
    return !isFresh && mayAsk(keyOf(type))
  }

  async function ask(type: PricedType, { provider, credentials }: PriceQuestion): Promise<void> {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS)
    const usable = credentials.filter(({ metadata }) => mayAsk(metadata.uid)).slice(0, CREDENTIALS_TRIED)
    for (const credential of usable) {
      const identity = await identityOf(credential, signal).catch(() => undefined)
      if (identity === undefined) continue // it cannot be read (yet), so no cloud has refused it
      try {
        const price = await provider.listPrice?.(identity, type, signal)
        if (price === undefined) leaveAlone(keyOf(type))
        else catalogue.learn(type, price)
        return
      } catch (error) {
        if (isCloudError(error) && error.class === 'notReady') return // it is under way, and known the next time
        leaveAlone(credential.metadata.uid)
        if (signal.aborted) return
      }
    }
  }

  /** Shared by all who ask for the same type at the same time; never fails. */
  function askOnce(type: PricedType, question: PriceQuestion): Promise<void> {
    const key = keyOf(type)
    const running = underWay.get(key)
    if (running !== undefined) return running
    if (underWay.size >= ASKED_AT_ONCE) return Promise.resolve()
    const asking = ask(type, question).finally(() => underWay.delete(key))
    underWay.set(key, asking)
    return asking
  }

  return {
    known: catalogue,
    async priceOf(question) {
      const { provider, region, instanceType } = question
      const type: PricedType = { provider: provider.name, region, instanceType }
      if (needsAsking(type, question)) await askOnce(type, question)
      return catalogue.find(type)
    },
  }
}

function keyOf({ provider, region, instanceType }: PricedType): string {
  return `${provider}/${region}/${instanceType}`
}
