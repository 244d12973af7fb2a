/**
 * What REST's `credentials` object takes for each provider, and where each field goes: into the Secret, or into the
 * Credential's spec.
 *
 * The fields are the provider's own; what is wrong with one is told without repeating it.
 */
import { z } from '@hono/zod-openapi'
import type { CredentialField, Provider } from '../../clouds/provider.ts'
import { text } from '../http/schemas.ts'
import { check } from '../http/validation.ts'

export type ProviderKeys = Pick<Provider, 'name' | 'credentialFields'>

/** A strict object of the provider's fields; the values come out as texts. */
export function keysSchema({ name, credentialFields }: ProviderKeys) {
  const shape: Record<string, z.ZodType<string | undefined>> = {}
  for (const field of credentialFields) {
    const value = valueSchema(field)
    shape[field.name] = field.required ? value : value.optional()
  }
  return z.strictObject(shape).openapi(`${name}Credentials`)
}

export interface SplitKeys {
  readonly secret: Readonly<Record<string, string>>
  /** What goes into the Credential's spec; only what was given. */
  readonly spec: Readonly<Record<string, unknown>>
}

export function splitKeys(
  { credentialFields }: ProviderKeys,
  given: Readonly<Record<string, string | undefined>>,
): SplitKeys {
  const secret: Record<string, string> = {}
  const spec: Record<string, unknown> = {}
  for (const field of credentialFields) {
    const value = given[field.name]
    if (value === undefined || value === '') continue
    if ('secretKey' in field) secret[field.secretKey] = value
    else set(spec, field.specPath, value)
  }
  return { secret, spec }
}

function valueSchema(field: CredentialField): z.ZodType<string> {
  const { leadsElsewhere } = 'secretKey' in field ? field : {}
  if (field.name === 'service_account_key') {
    return serviceAccountKey.refine((value) => leadsElsewhere?.(value) !== true, atHome)
  }
  if ('secretKey' in field) return text({ min: 1, max: 4096 })
  return text({ min: field.required ? 1 : 0, max: 2048 })
}

const MAX_KEY_FILE = 64 * 1024
const neededInKeyFile = ['project_id', 'private_key', 'client_email']

const keyFile = check({
  ko: 'GCP 서비스 계정 키(type이 service_account이고 project_id, private_key, client_email이 있는 JSON)여야 합니다.',
  en: 'must be a GCP service account key: JSON of type service_account with project_id, private_key and client_email',
})

const atHome = check({
  ko: 'token_uri나 universe_domain이 Google의 것이 아닌 키는 받지 않습니다. Google Cloud에서 내려받은 그대로 넣으십시오.',
  en: "must not have a token_uri or universe_domain other than Google's: put in the key as it was downloaded from Google Cloud",
})

const serviceAccountKey = z
  .union([z.string().max(MAX_KEY_FILE), z.record(z.string(), z.unknown())])
  .refine((value) => isKeyFile(typeof value === 'string' ? parse(value) : value), keyFile)
  .transform((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
  .openapi({ description: 'The service account key as it was downloaded: JSON, as text or as an object.' })

function isKeyFile(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const key = value as Record<string, unknown>
  return key.type === 'service_account' && neededInKeyFile.every((name) => isFilled(key[name]))
}

function isFilled(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function set(target: Record<string, unknown>, [first = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    target[first] = value
  } else {
    target[first] ??= {}
    set(target[first] as Record<string, unknown>, rest, value)
  }
}
