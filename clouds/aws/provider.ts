import { type Identity, type Provider, requiredKeys } from '../provider.ts'
import { awsCloud } from './aws-cloud.ts'
import { type AwsIdentity, awsClients, awsConnections } from './clients.ts'
import { awsListPrice } from './price-list.ts'
import { awsRegions } from './regions.ts'

/** AWS: access keys, session tokens, assumed roles, or the identity that the process itself has. */
export function awsProvider({ timeoutMs }: { readonly timeoutMs?: number } = {}): Provider {
  const connections = awsConnections()
  return {
    name: 'aws',
    displayName: 'AWS',
    version: '1.0.0',
    regions: awsRegions,
    secretKeys: { required: ['access_key', 'secret_key'], optional: ['session_token'] },
    credentialFields: [
      { name: 'access_key', required: true, secretKey: 'access_key' },
      { name: 'secret_key', required: true, secretKey: 'secret_key' },
      { name: 'session_token', required: false, secretKey: 'session_token' },
      { name: 'region', required: false, specPath: ['region'] },
      { name: 'role_arn', required: false, specPath: ['aws', 'roleARN'] },
      { name: 'external_id', required: false, specPath: ['aws', 'externalID'] },
    ],
    connect(identity, region) {
      const options = { identity: awsIdentity(identity), region, connections }
      return awsCloud({ ...options, ...(timeoutMs !== undefined && { timeoutMs }) })
    },
    async listPrice(identity, type, signal) {
      const { pricing } = awsClients({ identity: awsIdentity(identity), region: type.region, connections })
      return awsListPrice(await pricing(), type, signal)
    },
  }
}

function awsIdentity({ secret, aws: { roleARN, externalID } = {} }: Identity): AwsIdentity {
  const role = roleARN ? { arn: roleARN, ...(externalID && { externalId: externalID }) } : undefined
  return { key: keyIn(secret), ...(role && { role }) }
}

function keyIn(secret: Readonly<Record<string, string>> | 'ambient'): AwsIdentity['key'] {
  if (secret === 'ambient') return 'ambient'
  const { access_key, secret_key } = requiredKeys(secret, ['access_key', 'secret_key'])
  const sessionToken = secret.session_token
  // A key pasted with its newline is signed wrongly, and AWS does not say why.
  return {
    accessKeyId: access_key.trim(),
    secretAccessKey: secret_key.trim(),
    ...(sessionToken && { sessionToken: sessionToken.trim() }),
  }
}
