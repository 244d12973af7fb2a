/** Cost estimates: what an instance of some type would cost, saved for whoever asked. */
import { createRoute, z } from '@hono/zod-openapi'
import { costOf } from '../../clouds/prices/money.ts'
import type { Provider } from '../../clouds/provider.ts'
import type { CostEstimate } from '../../crds/cost-estimate.ts'
import type { ProviderName } from '../../crds/fields.ts'
import { requireWholeAccount } from '../auth/api-tokens.ts'
import { requireRegion } from '../clouds/cloud-desk.ts'
import type { Facade } from '../facade.ts'
import { type ApiError, invalidField, notFound } from '../http/api-error.ts'
import { type ApiContext, callerIn } from '../http/call.ts'
import { type ApiApp, apiApp, data, failures, jsonBody, list, message, serve } from '../http/define-route.ts'
import { idempotencyKey } from '../http/documented-headers.ts'
import { createdAnswer, listAnswer, messageAnswer } from '../http/envelope.ts'
import { pageOf, pageQuery } from '../http/pagination.ts'
import { pathId, pathName, text } from '../http/schemas.ts'
import { markOf, sayReplayed } from '../idempotency.ts'
import { done } from '../language/messages.ts'
import { costEstimateData, costEstimateSchema } from '../shapes/cost-estimate.ts'

const tags = ['Providers']
const params = z.object({ name: pathName('aws').openapi({ description: 'Without regard to case.' }) })

/** From half a minute to ten years. */
const MIN_HOURS = 0.01
const MAX_HOURS = 87_600

const createEstimate = createRoute({
  tags,
  method: 'post',
  path: '/providers/{name}/cost-estimates',
  summary: 'Estimate a cost, and save the estimate',
  description:
    'On-Demand, Linux, without disks, traffic, discounts and taxes. A type without a known price is refused, never guessed.',
  request: {
    params,
    headers: idempotencyKey,
    body: jsonBody(
      z.strictObject({
        instance_type: text({ min: 1, max: 64 }),
        region: text({ min: 1, max: 63 }),
        duration_hours: z.number().min(MIN_HOURS).max(MAX_HOURS).openapi({ description: 'May have a fraction.' }),
      }),
    ),
  },
  responses: { 201: data('The estimate.', costEstimateSchema), ...failures },
})

const listEstimates = createRoute({
  tags,
  method: 'get',
  path: '/providers/{name}/cost-estimates',
  summary: "The caller's saved estimates",
  request: { params, query: z.strictObject(pageQuery) },
  responses: { 200: list('Oldest first.', costEstimateSchema), ...failures },
})

const deleteEstimate = createRoute({
  tags,
  method: 'delete',
  path: '/providers/{name}/cost-estimates/{id}',
  summary: 'Delete a saved estimate',
  request: { params: params.extend({ id: pathId }) },
  responses: { 200: message('It is gone.'), ...failures },
})

export function costEstimateRoutes({
  store,
  clouds,
  prices,
  estimates,
}: Pick<Facade, 'store' | 'clouds' | 'prices' | 'estimates'>): ApiApp {
  const app = apiApp()

  function providerOf(context: ApiContext): Provider {
    const provider = clouds.providers.named(context.req.param('name') ?? '')
    if (provider === undefined) throw notFound()
    return provider
  }

  function about(context: ApiContext, { metadata }: CostEstimate): void {
    const { uid: id, namespace = '', name } = metadata
    context.env.call.object = { resource: 'costestimates', id, namespace, name }
  }

  serve(app, createEstimate, async (context) => {
    const provider = providerOf(context)
    const caller = callerIn(context)
    requireWholeAccount(caller)
    const body = context.req.valid('json')
    const { instance_type: instanceType, region, duration_hours: durationHours } = body
    requireRegion(provider, region)
    const mark = markOf(context, caller.id, { provider: provider.name, ...body })
    const made = await estimates.make(caller, mark, async () => {
      const credentials = store.credentialsOf(store.workspacesOf(caller), provider.name)
      const price = await prices.priceOf({ provider, region, instanceType, credentials })
      if (price === undefined) throw noPrice(provider, region)
      const cost = costOf(price.amount, durationHours)
      return { provider: provider.name as ProviderName, instanceType, region, durationHours, price, cost }
    })
    sayReplayed(context, made)
    about(context, made.object)
    return createdAnswer(context, costEstimateData(made.object))
  })

  serve(app, listEstimates, (context) => {
    const caller = callerIn(context)
    requireWholeAccount(caller)
    const all = estimates.of(caller, providerOf(context).name)
    const { items, total } = pageOf(all, context.req.valid('query'))
    const texts = items.map((estimate) => JSON.stringify(costEstimateData(estimate)))
    return listAnswer<z.output<typeof costEstimateSchema>>(context, { items: texts, total })
  })

  serve(app, deleteEstimate, async (context) => {
    const caller = callerIn(context)
    requireWholeAccount(caller)
    const provider = providerOf(context)
    const estimate = await estimates.own(caller, provider.name, context.req.param('id'))
    about(context, estimate)
    await estimates.remove(estimate)
    return messageAnswer(context, done.estimateDeleted)
  })

  return app
}

function noPrice({ displayName }: Provider, region: string): ApiError {
  return invalidField('instance_type', {
    ko: `${displayName} ${region}에서 가격을 알 수 없는 인스턴스 유형입니다. 유형을 확인하거나, 관리자에게 SKYCLUST_PRICES에 추가해 달라고 요청하십시오.`,
    en: `has no known price in ${region} of ${displayName}: check the type, or ask the operator to add it to SKYCLUST_PRICES`,
  })
}
