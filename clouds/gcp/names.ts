/**
 * What makes an insert idempotent: the instance's name and the `requestId`, both from the token alone, so that every
 * process at any time comes to the same. Two instances of one zone cannot have one name, and a repeated `requestId` is
 * answered with the operation that it began.
 *
 * @see https://cloud.google.com/compute/docs/naming-resources#resource-name-format
 */
import { createHash } from 'node:crypto'

const nameFormat = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/
const HASHED = 'token-'

/** The token itself where it can be a name, as `skyclust-<uid>-<incarnation>` can; else a digest of it. */
export function instanceName(token: string): string {
  if (nameFormat.test(token) && !token.startsWith(HASHED)) return token
  return `${HASHED}${createHash('sha256').update(token).digest('hex').slice(0, 48)}`
}

/**
 * A UUID (version 8, RFC 9562) for the attempts at this token in this zone.
 * @param series another one whenever an earlier attempt is known to have failed: a `requestId` that was used up is
 *   answered with that failure
 */
export function requestId(token: string, zone: string, series: string): string {
  const hex = createHash('sha256')
    .update(JSON.stringify([token, zone, series]))
    .digest('hex')
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join('-')
}

/** A number below `count` that follows from the token alone. */
export function spread(token: string, count: number): number {
  return createHash('sha256').update(token).digest().readUInt32BE(0) % count
}
