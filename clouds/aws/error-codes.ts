/**
 * The one table from EC2's and STS's error codes to error classes. A code that is not here falls back on its HTTP
 * status, and a family (`InvalidAMIID.…`, `….NotFound`) on its rule, so that a code invented tomorrow is still
 * treated sensibly.
 *
 * @see https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-troubleshooting.html
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
 */
import type { ErrorClass } from '../error-classes.ts'

const codes: Readonly<Record<string, ErrorClass>> = {
  RequestLimitExceeded: 'throttled',
  AuthFailure: 'unauthorized',
  UnauthorizedOperation: 'forbidden',
  InsufficientInstanceCapacity: 'capacity',
  InstanceLimitExceeded: 'quota',
  VcpuLimitExceeded: 'quota',
  IdempotentParameterMismatch: 'conflict',
  IdempotentInstanceTerminated: 'conflict',
  IncorrectInstanceState: 'notReady',
  'InvalidInstanceID.NotFound': 'notFound',
  UnsupportedOperation: 'invalid',
}

export function ec2ErrorClass(code: string, status: number): ErrorClass {
  const known = codes[code]
  if (known) return known
  if (status >= 500) return 'transient'
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  return code.startsWith('Invalid') ? 'invalid' : 'unknown'
}
