/** Whose a key is, and which keys are nobody's. */
import type { SimSettings } from './settings.ts'
import { SimRefusal, type SimRequest, simRegions } from './wire.ts'

/** The account of every access key that does not begin with the twelve digits of another. */
export const DEFAULT_ACCOUNT = '123456789012'

/**
 * Twelve digits at the head of the key name its account; every other key is of the one default account, so that a
 * key may be rotated for any other and the instances stay where they are, as on AWS.
 */
export function accountId(accessKey: string): string {
  return /^\d{12}/.exec(accessKey)?.[0] ?? DEFAULT_ACCOUNT
}

/** The account that calls. AWS says `AuthFailure` to a key that is nobody's. */
export function callingAccount({ accessKey, secretKey, region }: SimRequest, settings: SimSettings): string {
  const isBad = (key: string) => key === '' || key.startsWith('bad-')
  if (isBad(accessKey) || isBad(secretKey) || settings.rejectedAccessKeys.includes(accessKey)) {
    throw new SimRefusal('AuthFailure', 'AWS was not able to validate the provided access credentials', 401)
  }
  if (!simRegions.some(({ name }) => name === region)) {
    const known = simRegions.map(({ name }) => name).join(' and ')
    throw new SimRefusal('InvalidParameterValue', `Invalid region: ${region}; there are ${known}`)
  }
  return accountId(accessKey)
}
