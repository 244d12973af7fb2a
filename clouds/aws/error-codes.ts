/**
 * The one table from EC2's and STS's error codes to error classes, a family a line, each with the page that says
 * what the codes mean. A code that is in no family is judged by its form (`Invalid…`, `…LimitExceeded`) and then by
 * its HTTP status, so that a code invented tomorrow is still treated sensibly.
 */
import type { ErrorClass } from '../error-classes.ts'

const EC2_ERRORS = 'https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html'
const EC2_THROTTLING = 'https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html'
const EC2_IDEMPOTENCY = 'https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html'
const EC2_CONSISTENCY = 'https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html'
const STS_ERRORS = 'https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html'
const STS_ASSUME_ROLE = 'https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html'
const SDK_RETRIES = 'https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html'

export interface ErrorFamily {
  readonly class: ErrorClass
  /** What they have in common. */
  readonly meaning: string
  readonly source: string
  readonly codes: readonly string[]
}

export const errorFamilies: readonly ErrorFamily[] = [
  {
    class: 'throttled',
    meaning: 'The account calls EC2 too often.',
    source: EC2_THROTTLING,
    codes: ['RequestLimitExceeded'],
  },
  {
    class: 'throttled',
    meaning: 'The other names that AWS services have for it.',
    source: SDK_RETRIES,
    codes: [
      'Throttling',
      'ThrottlingException',
      'ThrottledException',
      'RequestThrottled',
      'RequestThrottledException',
      'EC2ThrottledException',
      'TooManyRequestsException',
      'SlowDown',
    ],
  },
  {
    class: 'transient',
    meaning: "The failure is AWS's own.",
    source: EC2_ERRORS,
    codes: [
      'InternalError',
      'InternalFailure',
      'ServerInternal',
      'ServiceUnavailable',
      'Unavailable',
      'RetryableError',
    ],
  },
  {
    class: 'transient',
    meaning: 'Our clock and theirs differ; the SDK measures by how much, and the next attempt is right.',
    source: EC2_ERRORS,
    codes: ['InvalidSecurity.RequestHasExpired', 'RequestTimeTooSkewed', 'RequestInTheFuture'],
  },
  {
    class: 'capacity',
    meaning: 'There is no room at AWS.',
    source: EC2_ERRORS,
    codes: [
      'InsufficientInstanceCapacity',
      'InsufficientCapacity',
      'InsufficientCapacityOnHost',
      'InsufficientHostCapacity',
      'InsufficientReservedInstanceCapacity',
      'InsufficientReservedInstancesCapacity',
      'InsufficientVolumeCapacity',
      'InsufficientAddressCapacity',
      'InsufficientFreeAddressesInSubnet',
      'ReservationCapacityExceeded',
      'SpotMaxPriceTooLow',
      'UnfulfillableCapacity',
    ],
  },
  {
    class: 'quota',
    meaning: 'The account may not have more.',
    source: EC2_ERRORS,
    codes: [
      'InstanceLimitExceeded',
      'VcpuLimitExceeded',
      'MaxSpotInstanceCountExceeded',
      'VolumeLimitExceeded',
      'VolumeIOPSLimit',
      'MaxIOPSLimitExceeded',
      'NetworkInterfaceLimitExceeded',
      'AttachmentLimitExceeded',
      'SecurityGroupsPerInstanceLimitExceeded',
      'SecurityGroupsPerInterfaceLimitExceeded',
      'ResourceCountExceeded',
      'ResourceLimitExceeded',
      'TagLimitExceeded',
    ],
  },
  {
    class: 'unauthorized',
    meaning: 'AWS does not know the key, or not any more.',
    source: STS_ERRORS,
    codes: [
      'AuthFailure',
      'InvalidClientTokenId',
      'InvalidAccessKeyId',
      'UnrecognizedClientException',
      'MissingAuthenticationToken',
      'IncompleteSignature',
      'SignatureDoesNotMatch',
      'InvalidSignatureException',
      'NotAuthorized',
    ],
  },
  {
    class: 'unauthorized',
    meaning: 'The session token has expired.',
    source: STS_ASSUME_ROLE,
    codes: ['ExpiredToken', 'ExpiredTokenException', 'RequestExpired'],
  },
  {
    class: 'forbidden',
    meaning: 'AWS knows the key, and it may not do this.',
    source: EC2_ERRORS,
    codes: [
      'UnauthorizedOperation',
      'AccessDenied',
      'AccessDeniedException',
      'OptInRequired',
      'AccountDisabled',
      'Blocked',
      'PendingVerification',
      'OperationNotPermitted',
      'CustomerKeyHasBeenRevoked',
      'RegionDisabledException',
    ],
  },
  {
    class: 'conflict',
    meaning: 'An earlier create with this token took effect: with other parameters, or it was terminated since.',
    source: EC2_IDEMPOTENCY,
    codes: ['IdempotentParameterMismatch', 'IdempotentInstanceTerminated'],
  },
  {
    class: 'conflict',
    meaning: 'Somebody else writes the same tag.',
    source: EC2_ERRORS,
    codes: ['ConcurrentTagAccess'],
  },
  {
    class: 'notReady',
    meaning: 'The instance is in a state from which this cannot be done yet.',
    source: EC2_ERRORS,
    codes: [
      'IncorrectInstanceState',
      'IncorrectState',
      'InvalidInstanceState',
      'InvalidState',
      'IncorrectModificationState',
    ],
  },
  {
    class: 'notFound',
    meaning: 'No such instance, or none yet: a new one takes a while to be known everywhere.',
    source: EC2_CONSISTENCY,
    codes: ['InvalidInstanceID.NotFound'],
  },
  {
    class: 'invalid',
    meaning: 'What the spec asks for does not exist or does not go together.',
    source: EC2_ERRORS,
    codes: [
      'InvalidAMIID.NotFound',
      'InvalidAMIID.Malformed',
      'InvalidAMIID.Unavailable',
      'InvalidInstanceType',
      'InvalidInstanceAttributeValue',
      'InvalidInstanceID.Malformed',
      'InvalidSubnetID.NotFound',
      'InvalidSubnetId.NotFound',
      'InvalidGroup.NotFound',
      'InvalidSecurityGroupID.NotFound',
      'InvalidKeyPair.NotFound',
      'InvalidIamInstanceProfileArn.Malformed',
      'InvalidBlockDeviceMapping',
      'InvalidParameter',
      'InvalidParameterCombination',
      'InvalidParameterDependency',
      'InvalidParameterValue',
      'InvalidZone.NotFound',
      'BootForVolumeTypeUnsupported',
      'DefaultVpcDoesNotExist',
      'EncryptedVolumesNotSupported',
      'FilterLimitExceeded',
      'TagPolicyViolation',
      'Unsupported',
      'UnsupportedOperation',
      'UnknownVolumeType',
      'ValidationError',
      'VolumeTypeNotAvailableInZone',
      'VPCIdNotSpecified',
      'VPCResourceNotSpecified',
    ],
  },
]

const classByCode: ReadonlyMap<string, ErrorClass> = new Map(
  errorFamilies.flatMap((family) => family.codes.map((code) => [code, family.class] as const)),
)

/** What EC2 and STS answered. */
export interface AwsRefusal {
  readonly code: string
  readonly message: string
  /** Of HTTP. */
  readonly status: number
}

export function awsErrorClass({ code, message, status }: AwsRefusal): ErrorClass {
  return byMessage(code, message) ?? classByCode.get(code) ?? byForm(code) ?? byStatus(status)
}

/** Codes that mean two things, told apart by their words. */
function byMessage(code: string, message: string): ErrorClass | undefined {
  // "You might not be authorized to carry out the request; for example, trying to use an AMI for which you do not
  // have permissions": the key itself is good.
  if (code === 'AuthFailure' && /^Not authorized for/i.test(message)) return 'forbidden'
  // A clock that is wrong makes a signature that is wrong.
  if (code === 'SignatureDoesNotMatch' && /Signature (expired|not yet current)/i.test(message)) return 'transient'
  return undefined
}

function byForm(code: string): ErrorClass | undefined {
  if (code.endsWith('LimitExceeded')) return 'quota'
  if (/^(Invalid|Missing|Malformed|Unknown|Unsupported)/.test(code)) return 'invalid'
  return undefined
}

function byStatus(status: number): ErrorClass {
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  if (status === 429) return 'throttled'
  // "For a client error (4xx), you must revise the request to correct the problem before trying the request again."
  return status >= 400 && status < 500 ? 'invalid' : 'transient'
}
