/**
 * Hands a Credential to tofu's providers in the way each of them looks for one by itself.
 *
 * @see https://registry.terraform.io/providers/hashicorp/aws/latest/docs#authentication-and-configuration
 * @see https://registry.terraform.io/providers/hashicorp/google/latest/docs/guides/provider_reference#authentication-configuration
 */
import type { Bundle } from './protocol.ts'

export interface HandedOver {
  readonly environment: Record<string, string>
  readonly secretFiles: Bundle['secretFiles']
  readonly secrets: string[]
}

interface CredentialSpec {
  readonly provider: string
  readonly region?: string | undefined
  readonly aws?: { readonly roleARN?: string; readonly externalID?: string } | undefined
  readonly gcp?: { readonly projectID?: string } | undefined
}

/** @returns `missing`: the key that the Secret does not have. */
export function handOver(
  spec: CredentialSpec,
  secret: Readonly<Record<string, string>>,
): HandedOver | { readonly missing: string } {
  switch (spec.provider) {
    case 'aws':
      return aws(spec, secret)
    case 'gcp':
      return gcp(spec, secret)
    default:
      // The simulated cloud has no provider plugin; a run may name its Credential all the same.
      return {
        environment: {},
        secretFiles: {},
        secrets: ['access_key', 'secret_key'].flatMap((key) => secret[key] ?? []),
      }
  }
}

function aws(
  spec: CredentialSpec,
  secret: Readonly<Record<string, string>>,
): HandedOver | { readonly missing: string } {
  const { access_key: accessKey, secret_key: secretKey, session_token: sessionToken } = secret
  if (!accessKey) return { missing: 'access_key' }
  if (!secretKey) return { missing: 'secret_key' }
  const region = spec.region ?? secret.region
  const environment: Record<string, string> = region ? { AWS_REGION: region, AWS_DEFAULT_REGION: region } : {}
  const secrets = [accessKey, secretKey, ...(sessionToken ? [sessionToken] : [])]
  const { roleARN, externalID } = spec.aws ?? {}
  if (!roleARN) {
    environment.AWS_ACCESS_KEY_ID = accessKey
    environment.AWS_SECRET_ACCESS_KEY = secretKey
    if (sessionToken) environment.AWS_SESSION_TOKEN = sessionToken
    return { environment, secretFiles: {}, secrets }
  }
  // With a profile the provider assumes the role itself, and again when the session runs out during a long apply.
  const keys = [`aws_access_key_id = ${accessKey}`, `aws_secret_access_key = ${secretKey}`]
  if (sessionToken) keys.push(`aws_session_token = ${sessionToken}`)
  const role = [`role_arn = ${roleARN}`, 'source_profile = base', 'role_session_name = skyclust']
  if (externalID) role.push(`external_id = ${externalID}`)
  const secretFiles = {
    'aws-credentials': { variable: 'AWS_SHARED_CREDENTIALS_FILE', content: `[base]\n${keys.join('\n')}\n` },
    'aws-config': { variable: 'AWS_CONFIG_FILE', content: `[default]\n${role.join('\n')}\n` },
  }
  return { environment: { ...environment, AWS_SDK_LOAD_CONFIG: '1' }, secretFiles, secrets }
}

function gcp(
  spec: CredentialSpec,
  secret: Readonly<Record<string, string>>,
): HandedOver | { readonly missing: string } {
  const key = secret.service_account_key
  if (!key) return { missing: 'service_account_key' }
  const project = spec.gcp?.projectID || secret.project_id || projectOf(key)
  return {
    environment: {
      GOOGLE_CREDENTIALS: key,
      ...(project ? { GOOGLE_PROJECT: project, GOOGLE_CLOUD_PROJECT: project } : {}),
      ...(spec.region ? { GOOGLE_REGION: spec.region } : {}),
    },
    secretFiles: {},
    secrets: [key, ...privateKeysOf(key)],
  }
}

function projectOf(key: string): string {
  return String(parsed(key).project_id ?? '')
}

function privateKeysOf(key: string): string[] {
  const { private_key: privateKey, private_key_id: id } = parsed(key)
  return [privateKey, id].filter((value): value is string => typeof value === 'string')
}

function parsed(key: string): Record<string, unknown> {
  try {
    return (JSON.parse(key) ?? {}) as Record<string, unknown>
  } catch {
    return {}
  }
}
