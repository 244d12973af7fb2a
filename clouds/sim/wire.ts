import type { Instance, InstanceFilter, InstanceSpec } from '../cloud.ts'

/**
 * What goes between the client and the simulated cloud. The actions are named as EC2 and STS name theirs, the
 * fields as `cloud.ts` does, and the errors carry EC2's codes and words.
 */
export interface SimInputs {
  readonly GetCallerIdentity: Record<string, never>
  readonly DescribeRegions: Record<string, never>
  readonly DescribeInstances: DescribeInput
  /** A token is all that it knows an attempt by, as EC2. */
  readonly RunInstances: { readonly spec: Omit<InstanceSpec, 'series'> }
  readonly StartInstances: { readonly ids: readonly string[] }
  readonly StopInstances: { readonly ids: readonly string[] }
  readonly TerminateInstances: { readonly ids: readonly string[] }
  readonly ModifyInstanceAttribute: { readonly id: string; readonly instanceType: string }
  readonly CreateTags: { readonly ids: readonly string[]; readonly tags: Readonly<Record<string, string>> }
  readonly DeleteTags: { readonly ids: readonly string[]; readonly keys: readonly string[] }
}

export interface SimResults {
  readonly GetCallerIdentity: { readonly account: string; readonly identity: string }
  readonly DescribeRegions: { readonly regions: readonly { name: string; displayName: string }[] }
  readonly DescribeInstances: { readonly instances: readonly Instance[]; readonly nextToken?: string }
  readonly RunInstances: { readonly instance: Instance }
  readonly StartInstances: Record<string, never>
  readonly StopInstances: Record<string, never>
  readonly TerminateInstances: Record<string, never>
  readonly ModifyInstanceAttribute: Record<string, never>
  readonly CreateTags: Record<string, never>
  readonly DeleteTags: Record<string, never>
}

export const simActions = [
  'GetCallerIdentity',
  'DescribeRegions',
  'DescribeInstances',
  'RunInstances',
  'StartInstances',
  'StopInstances',
  'TerminateInstances',
  'ModifyInstanceAttribute',
  'CreateTags',
  'DeleteTags',
] as const satisfies readonly (keyof SimInputs)[]
export type SimAction = (typeof simActions)[number]

export interface DescribeInput {
  /** By id, as EC2's `InstanceId.N`: an unknown one is an error. Without it, by filter. */
  readonly ids?: readonly string[]
  readonly filter?: InstanceFilter
  readonly nextToken?: string
}

export interface SimRequest<A extends SimAction = SimAction> {
  readonly action: A
  readonly region: string
  readonly accessKey: string
  readonly secretKey: string
  readonly input: SimInputs[A]
}

export type SimAnswer<A extends SimAction = SimAction> =
  | { readonly status: 200; readonly requestId: string; readonly result: SimResults[A] }
  | { readonly status: number; readonly requestId: string; readonly error: SimError }

export interface SimError {
  readonly code: string
  readonly message: string
}

export const simRegions = [
  { name: 'sim-1', displayName: 'Simulation 1' },
  { name: 'sim-2', displayName: 'Simulation 2' },
] as const

/** A cloud's refusal, on its way to an answer. */
export class SimRefusal extends Error {
  override readonly name = 'SimRefusal'
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}
