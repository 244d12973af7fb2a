/**
 * A service account's key, as it is downloaded from Google: JSON in the Secret of a Credential, so written by a tenant.
 *
 * Guarantees: nothing in it says where a request goes. `token_uri` and `universe_domain` have to be Google's own or the
 * operator's; the kinds of credential that hold addresses or programs to call (`external_account` and the like) are
 * refused. Errors name the field and what to do, and repeat no value of the key.
 *
 * @see https://cloud.google.com/docs/authentication/external/externally-sourced-credentials
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { CloudError } from '../cloud-error.ts'

export interface ServiceAccountKey {
  readonly email: string
  readonly projectID: string
  readonly privateKey: KeyObject
  readonly keyId: string | undefined
  /** As it is in the key: one of Google's, or one at the operator's endpoint. */
  readonly tokenUri: string | undefined
}

/** Where Google has issued tokens; every key that it gave out names one of these. */
const googleTokenUris: ReadonlySet<string> = new Set([
  'https://oauth2.googleapis.com/token',
  'https://accounts.google.com/o/oauth2/token',
  'https://www.googleapis.com/oauth2/v4/token',
  'https://www.googleapis.com/oauth2/v3/token',
])

const projectFormat = /^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/

export function isProjectID(text: string): boolean {
  return projectFormat.test(text)
}

export function isGoogleTokenUri(uri: string): boolean {
  return googleTokenUris.has(uri)
}

/** @param operatorOrigin of the endpoint that the operator set, if one is set */
export function readServiceAccountKey(text: string, operatorOrigin: string | undefined): ServiceAccountKey {
  const key = parsed(text)
  if (key.type !== 'service_account') throw wrongType(key.type)
  const missing = ['client_email', 'private_key', 'project_id'].filter((field) => !isFilled(key[field]))
  if (missing.length > 0) throw invalid(`lacks ${missing.join(' and ')}`)
  const { client_email, private_key, private_key_id, project_id, token_uri } = key
  const foreign = foreignFieldOf(key, operatorOrigin)
  if (foreign) throw invalid(`has a ${foreign} that is not Google's, which only the operator may choose`)
  if (!isProjectID(String(project_id))) throw invalid('has a project_id that is no project id')
  return {
    email: String(client_email),
    projectID: String(project_id),
    privateKey: privateKeyIn(String(private_key)),
    keyId: isFilled(private_key_id) ? private_key_id : undefined,
    tokenUri: isFilled(token_uri) ? token_uri : undefined,
  }
}

/** Whether it is a key that would have us call a host that is neither Google's nor the operator's. */
export function leadsElsewhere(text: string, operatorOrigin: string | undefined): boolean {
  try {
    return foreignFieldOf(parsed(text), operatorOrigin) !== undefined
  } catch {
    return false // it leads nowhere
  }
}

function foreignFieldOf(
  { token_uri, universe_domain }: Readonly<Record<string, unknown>>,
  operatorOrigin: string | undefined,
): 'universe_domain' | 'token_uri' | undefined {
  if (isFilled(universe_domain) && universe_domain !== 'googleapis.com') return 'universe_domain'
  const isOurs = !isFilled(token_uri) || isGoogleTokenUri(token_uri) || originOf(token_uri) === operatorOrigin
  return isOurs ? undefined : 'token_uri'
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw invalid('is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('is not a JSON object')
  return value as Readonly<Record<string, unknown>>
}

function privateKeyIn(pem: string): KeyObject {
  try {
    // A key that went through a shell may have its line ends spelt out.
    const key = createPrivateKey(pem.replaceAll('\\n', '\n'))
    if (key.asymmetricKeyType === 'rsa') return key
  } catch {}
  throw invalid('has a private_key that cannot be read, or is no RSA key')
}

function wrongType(type: unknown): CloudError {
  const known = ['external_account', 'authorized_user', 'impersonated_service_account', 'gdch_service_account']
  if (typeof type !== 'string' || !known.includes(type)) return invalid('has no type "service_account"')
  const elsewhere =
    type === 'external_account'
      ? ': workload identity federation is for the operator to set up, with spec.source Ambient'
      : ''
  return invalid(`is of type "${type}", not "service_account"${elsewhere}`)
}

function invalid(what: string): CloudError {
  return new CloudError(`service_account_key ${what}.`, {
    class: 'unauthorized',
    code: 'InvalidKey',
    action: 'connect',
    remedy: 'Put in the JSON file of a service account key as it was downloaded from Google Cloud.',
  })
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function originOf(uri: string): string | undefined {
  return URL.canParse(uri) ? new URL(uri).origin : undefined
}
