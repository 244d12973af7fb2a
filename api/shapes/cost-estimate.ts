/** A saved cost estimate as REST shows it. */
import { z } from '@hono/zod-openapi'
import type { CostEstimate } from '../../crds/cost-estimate.ts'
import { time, uuid } from '../http/schemas.ts'

export const costEstimateSchema = z
  .object({
    id: uuid,
    instance_type: z.string(),
    region: z.string(),
    estimated_cost: z.number().openapi({ description: 'For all of the hours; rounded once, to a millionth.' }),
    currency: z.literal('USD'),
    created_at: time,
    duration_hours: z.number(),
    hourly_price: z.number().openapi({ description: 'On-Demand, Linux; without disks, traffic, discounts and taxes.' }),
    price_source: z.string().openapi({ description: 'Who named the price.' }),
    priced_at: time.openapi({ description: 'When it was true.' }),
  })
  .openapi('CostEstimate')

export function costEstimateData({ metadata, spec }: CostEstimate): z.output<typeof costEstimateSchema> {
  return {
    id: metadata.uid,
    instance_type: spec.instanceType,
    region: spec.region,
    estimated_cost: Number(spec.estimatedCost),
    currency: spec.currency,
    created_at: metadata.creationTimestamp,
    duration_hours: spec.durationHours,
    hourly_price: Number(spec.hourlyPrice),
    price_source: spec.priceSource,
    priced_at: spec.pricedAt,
  }
}
