/** What each action takes over the wire, checked before the simulated cloud sees it: a wrong call is a 400 in words. */
import { z } from 'zod'
import type { SimAction, SimInputs } from './wire.ts'

const ids = z.array(z.string()).min(1).max(50_000)
const tags = z.record(z.string(), z.string())

/** Every field that there is: one that is forgotten here would refuse every create. */
const specFields = {
  token: z.string().max(64),
  tags,
  instanceType: z.string().min(1),
  image: z.string().min(1),
  zone: z.string().optional(),
  subnetId: z.string().optional(),
  securityGroupIds: z.array(z.string()).optional(),
  publicIP: z.boolean().optional(),
  rootDisk: z.strictObject({ sizeGiB: z.number().int().positive().optional(), type: z.string().optional() }).optional(),
  sshKeyName: z.string().optional(),
  userData: z.string().optional(),
  instanceProfile: z.string().optional(),
  marketType: z.enum(['OnDemand', 'Spot']),
} as const satisfies Record<keyof SimInputs['RunInstances']['spec'], z.ZodType>

const filter = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('all') }),
  z.strictObject({ kind: z.literal('tag'), key: z.string(), values: z.array(z.string()).max(200) }),
  z.strictObject({ kind: z.literal('token'), tokens: z.array(z.string()).max(200) }),
])

export const inputSchemas = {
  GetCallerIdentity: z.strictObject({}),
  DescribeRegions: z.strictObject({}),
  DescribeInstances: z.strictObject({
    ids: ids.optional(),
    filter: filter.optional(),
    nextToken: z.string().optional(),
  }),
  RunInstances: z.strictObject({ spec: z.strictObject(specFields) }),
  StartInstances: z.strictObject({ ids }),
  StopInstances: z.strictObject({ ids }),
  TerminateInstances: z.strictObject({ ids }),
  ModifyInstanceAttribute: z.strictObject({ id: z.string(), instanceType: z.string().min(1) }),
  CreateTags: z.strictObject({ ids, tags }),
  DeleteTags: z.strictObject({ ids, keys: z.array(z.string()).min(1) }),
} as const satisfies Record<SimAction, z.ZodType>
