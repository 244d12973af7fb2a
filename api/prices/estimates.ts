/**
 * Saved cost estimates, each an object of its own in the installation's namespace, written with the facade's own account.
 *
 * Guarantees: they are whoever's made them, and nobody else's; they say what they said when they were made, whatever prices do
 * since; they go with their User, by the garbage collector; a user has at most `perUser` of them.
 */
import type { Price } from '../../clouds/prices/price.ts'
import { type CostEstimate, costEstimateKind } from '../../crds/cost-estimate.ts'
import type { ProviderName } from '../../crds/fields.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { keyOf } from '../../kube/resource.ts'
import type { Caller } from '../auth/caller.ts'
import { userReference } from '../auth/sessions.ts'
import { ApiError, notFound } from '../http/api-error.ts'
import { oldestFirst } from '../http/pagination.ts'
import { type CreatedOnce, createOnce, type IdempotencyMark, markedMetadata, markedName } from '../idempotency.ts'
import { refused } from '../language/messages.ts'
import { randomSuffix } from '../names.ts'
import { canonicalId } from '../store/exact-lookup.ts'
import type { Store } from '../store/store.ts'
import { ignoringNotFound } from '../writes/as-caller.ts'

export interface NewEstimate {
  readonly provider: ProviderName
  readonly instanceType: string
  readonly region: string
  readonly durationHours: number
  readonly price: Price
  /** Dollars, for all of the hours. */
  readonly cost: number
}

export interface Estimates {
  /** The caller's for that provider, oldest first. */
  of(caller: Caller, provider: string): readonly CostEstimate[]
  /** @param estimate asked for only when none was made under the same key. Throws `CONFLICT` when the caller has too many. */
  make(
    caller: Caller,
    mark: IdempotencyMark | undefined,
    estimate: () => Promise<NewEstimate>,
  ): Promise<CreatedOnce<CostEstimate>>
  /** Throws `NOT_FOUND` for what is not the caller's, or another provider's. */
  own(caller: Caller, provider: string, id: string): Promise<CostEstimate>
  remove(estimate: CostEstimate): Promise<void>
}

export interface EstimatesOptions {
  readonly client: KubeClient
  readonly namespace: string
  readonly store: Pick<Store, 'estimates'>
  /** How many a user may have. */
  readonly perUser: number
}

const SEEN_WITHIN_MS = 2_000

export function estimates({ client, namespace, store, perUser }: EstimatesOptions): Estimates {
  const all = (caller: Caller) => store.estimates.index('user', caller.id)

  async function read(name: string): Promise<CostEstimate | undefined> {
    try {
      return await client.get(costEstimateKind, { namespace, name })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  /** One that another replica made a moment ago may not have arrived here: before saying no, the cluster is asked. */
  async function own(caller: Caller, provider: string, given: string): Promise<CostEstimate> {
    const id = canonicalId(given)
    const isIt = ({ metadata, spec }: CostEstimate) =>
      metadata.uid === id && spec.userUID === caller.id && spec.provider === provider
    const known = all(caller).find(isIt)
    if (known !== undefined) return known
    const fieldSelector = `spec.user=${caller.name}`
    const found = (await client.list(costEstimateKind, { namespace, fieldSelector })).items.find(isIt)
    if (found === undefined) throw notFound()
    return found
  }

  return {
    own,
    of: (caller, provider) =>
      all(caller)
        .filter(({ spec }) => spec.provider === provider)
        .toSorted(oldestFirst),

    async make(caller, mark, estimate) {
      const name = markedName(mark, 'estimate', () => `estimate-${randomSuffix(12)}`)
      const made = await createOnce({
        mark,
        find: () => read(name),
        create: async () => {
          if (all(caller).length >= perUser) throw new ApiError('CONFLICT', refused.tooManyEstimates(perUser))
          const { provider, instanceType, region, durationHours, price, cost } = await estimate()
          return client.create(costEstimateKind, {
            metadata: { namespace, name, ...markedMetadata(mark), ownerReferences: [userReference(caller.user)] },
            spec: {
              user: caller.name,
              userUID: caller.id,
              provider,
              instanceType,
              region,
              durationHours,
              hourlyPrice: price.amount,
              estimatedCost: String(cost),
              currency: price.currency,
              priceSource: price.source,
              pricedAt: price.pricedAt,
            },
          })
        },
      })
      await store.estimates.seen(made.object, { timeoutMs: SEEN_WITHIN_MS })
      return made
    },

    async remove(estimate) {
      const key = keyOf(estimate)
      const { uid } = estimate.metadata
      await ignoringNotFound(client.delete(costEstimateKind, key, { preconditions: { uid } }))
      await store.estimates.until(key, (current) => current?.metadata.uid !== uid, { timeoutMs: SEEN_WITHIN_MS })
    },
  }
}
