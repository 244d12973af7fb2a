import { CloudError } from '../cloud-error.ts'
import { type Provider, requiredKeys } from '../provider.ts'
import { httpTransport } from './http-transport.ts'
import { simCloud } from './sim-cloud.ts'
import { simRegions } from './wire.ts'

export interface SimProviderOptions {
  readonly simUrl?: string
  readonly timeoutMs?: number
}

/** The simulated cloud. Its Credentials look like AWS's; whoever is ambient is simply known to it. */
export function simProvider({ simUrl, timeoutMs }: SimProviderOptions): Provider {
  if (simUrl === undefined) throw new Error('the provider sim is on, but nothing says where it listens')
  const transport = httpTransport(simUrl)
  return {
    name: 'sim',
    displayName: 'Sim',
    version: '1.0.0',
    regions: simRegions,
    secretKeys: { required: ['access_key', 'secret_key'], optional: ['session_token'] },
    credentialFields: [
      { name: 'access_key', required: true, secretKey: 'access_key' },
      { name: 'secret_key', required: true, secretKey: 'secret_key' },
      { name: 'session_token', required: false, secretKey: 'session_token' },
      { name: 'region', required: false, specPath: ['region'] },
    ],
    connect({ secret }, region) {
      if (!simRegions.some(({ name }) => name === region)) {
        const known = simRegions.map(({ name }) => name).join(' and ')
        throw new CloudError(`"${region}" is not a region of sim; there are ${known}.`, {
          class: 'invalid',
          code: 'InvalidRegion',
          action: 'connect',
        })
      }
      const key =
        secret === 'ambient'
          ? { access_key: 'ambient', secret_key: 'ambient' }
          : requiredKeys(secret, ['access_key', 'secret_key'])
      return simCloud({
        transport,
        accessKey: key.access_key,
        secretKey: key.secret_key,
        region,
        ...(timeoutMs !== undefined && { timeoutMs }),
      })
    },
  }
}
