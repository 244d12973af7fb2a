/**
 * The one table from Google's error codes to error classes, a family a line, each with the page that says what the codes
 * mean. Google has three kinds of code: the `reason` of a refused request (`rateLimitExceeded`), the `reason` of an
 * `ErrorInfo` (`SERVICE_DISABLED`), and the code in an operation that failed (`ZONE_RESOURCE_POOL_EXHAUSTED`). One
 * that is in no family is judged by its form and then by the HTTP status, so that a code invented tomorrow is still
 * treated sensibly.
 */
import type { ErrorClass } from '../error-classes.ts'

const API_ERRORS = 'https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-bulk-vm-creation'
const RATE_QUOTAS = 'https://cloud.google.com/compute/api-quota'
const RESOURCE_ERRORS = 'https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-resource-availability'
const VM_CREATION = 'https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-vm-creation'
const ERROR_REASONS = 'https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto'
const RPC_CODES = 'https://cloud.google.com/apis/design/errors'
const FINGERPRINTS = 'https://cloud.google.com/compute/docs/labeling-resources'
const LIFE_CYCLE = 'https://cloud.google.com/compute/docs/instances/instance-lifecycle'
const OAUTH = 'https://developers.google.com/identity/protocols/oauth2/service-account#jwt-error-codes'

export interface ErrorFamily {
  readonly class: ErrorClass
  /** What they have in common. */
  readonly meaning: string
  /** What to do, where it is another thing than the class says. */
  readonly remedy?: string
  readonly source: string
  readonly codes: readonly string[]
}

export const errorFamilies: readonly ErrorFamily[] = [
  {
    class: 'throttled',
    meaning: 'The project calls Compute Engine too often.',
    source: RATE_QUOTAS,
    codes: ['rateLimitExceeded', 'userRateLimitExceeded', 'RATE_LIMIT_EXCEEDED', 'RESOURCE_OPERATION_RATE_EXCEEDED'],
  },
  {
    class: 'capacity',
    meaning: 'The zone has no room.',
    source: RESOURCE_ERRORS,
    codes: [
      'ZONE_RESOURCE_POOL_EXHAUSTED',
      'ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS',
      'RESOURCE_POOL_EXHAUSTED',
      'STOCKOUT',
      'insufficientCapacity',
      'IP_SPACE_EXHAUSTED',
      'IP_SPACE_EXHAUSTED_WITH_DETAILS',
    ],
  },
  {
    class: 'quota',
    meaning: 'The project may not have more.',
    source: API_ERRORS,
    codes: ['quotaExceeded', 'QUOTA_EXCEEDED', 'RESOURCE_QUOTA_EXCEEDED', 'limitExceeded', 'LIMIT_EXCEEDED'],
  },
  {
    class: 'forbidden',
    meaning: 'The Compute Engine API is not on in the project.',
    remedy: 'Enable the Compute Engine API (compute.googleapis.com) in the project; it takes some minutes to work.',
    source: ERROR_REASONS,
    codes: ['SERVICE_DISABLED', 'accessNotConfigured', 'CONSUMER_INVALID', 'API_KEY_SERVICE_BLOCKED'],
  },
  {
    class: 'forbidden',
    meaning: 'The project has no billing account.',
    remedy: 'Link the project to an active billing account.',
    source: ERROR_REASONS,
    codes: ['BILLING_DISABLED', 'billingNotEnabled', 'UREQ_PROJECT_BILLING_NOT_FOUND'],
  },
  {
    class: 'forbidden',
    meaning: 'The project is suspended.',
    remedy: 'The owner of the project has to talk to Google.',
    source: ERROR_REASONS,
    codes: ['CONSUMER_SUSPENDED', 'ACCESS_TOKEN_TYPE_UNSUPPORTED'],
  },
  {
    class: 'forbidden',
    meaning: 'Google knows the account, and it may not do this.',
    source: VM_CREATION,
    codes: [
      'forbidden',
      'insufficientPermissions',
      'IAM_PERMISSION_DENIED',
      'PERMISSIONS_ERROR',
      'PERMISSION_DENIED',
      'ACCESS_TOKEN_SCOPE_INSUFFICIENT',
      'SERVICE_ACCOUNT_ACCESS_DENIED',
      'VM_EXTERNAL_IP_ACCESS_POLICY_CONSTRAINT',
      'CONDITION_NOT_MET_ORG_POLICY',
      'LOCATION_POLICY_VIOLATED',
    ],
  },
  {
    class: 'unauthorized',
    meaning: 'Google does not know who calls, or not any more.',
    source: ERROR_REASONS,
    codes: [
      'authError',
      'required',
      'UNAUTHENTICATED',
      'CREDENTIALS_MISSING',
      'ACCESS_TOKEN_EXPIRED',
      'ACCOUNT_STATE_INVALID',
      'ACCESS_TOKEN_REVOKED',
    ],
  },
  {
    class: 'unauthorized',
    meaning: 'The key is not one of that account, or not any more.',
    remedy:
      'Make a new key for a service account that exists and is enabled, and put it into the Secret of the Credential.',
    source: OAUTH,
    codes: ['invalid_grant', 'invalid_client', 'deleted_client', 'disabled_client', 'unauthorized_client'],
  },
  {
    class: 'conflict',
    meaning: 'Somebody else changed it between our read and our write.',
    source: FINGERPRINTS,
    codes: ['conditionNotMet', 'CONDITION_NOT_MET', 'ABORTED'],
  },
  {
    class: 'notReady',
    meaning: 'The instance is in a state from which this cannot be done yet.',
    source: LIFE_CYCLE,
    codes: ['resourceNotReady', 'RESOURCE_NOT_READY', 'operationInProgress', 'RESOURCE_IN_USE_BY_ANOTHER_RESOURCE'],
  },
  {
    class: 'invalid',
    meaning: 'A resource of this name is there already.',
    source: VM_CREATION,
    codes: ['alreadyExists', 'duplicate', 'RESOURCE_ALREADY_EXISTS', 'ALREADY_EXISTS'],
  },
  {
    class: 'invalid',
    meaning: 'What the spec asks for does not exist or does not go together.',
    source: VM_CREATION,
    codes: [
      'invalid',
      'invalidParameter',
      'badRequest',
      'INVALID_ARGUMENT',
      'INVALID_USAGE',
      'INVALID_FIELD_VALUE',
      'RESOURCE_NOT_FOUND',
      'UNSUPPORTED_OPERATION',
      'resourceInUseByAnotherResource',
    ],
  },
  {
    class: 'transient',
    meaning: "The failure is Google's own.",
    source: RPC_CODES,
    codes: ['backendError', 'internalError', 'INTERNAL_ERROR', 'INTERNAL', 'UNAVAILABLE', 'SERVER_ERROR'],
  },
]

const familyByCode: ReadonlyMap<string, ErrorFamily> = new Map(
  errorFamilies.flatMap((family) => family.codes.map((code) => [code, family] as const)),
)

/** What Google answered. */
export interface GoogleRefusal {
  /** Every code that the answer has, the most telling first. */
  readonly codes: readonly string[]
  readonly message: string
  /** Of HTTP. */
  readonly status: number
}

export interface Judgement {
  readonly class: ErrorClass
  /** The code that decided. */
  readonly code: string
  readonly remedy?: string
  /** Another zone of the region may take it. */
  readonly zonal?: boolean
}

export function judge({ codes, message, status }: GoogleRefusal): Judgement {
  const code = codes.find((one) => familyByCode.has(one)) ?? codes[0] ?? ''
  const told = byMessage(message, status)
  if (told) return { ...told, code }
  const family = familyByCode.get(code)
  if (family) return { class: family.class, code, ...(family.remedy && { remedy: family.remedy }) }
  return { class: byForm(code) ?? byStatus(status), code }
}

/** Codes that mean two things, told apart by their words. */
function byMessage(message: string, status: number): Omit<Judgement, 'code'> | undefined {
  // https://developers.google.com/identity/protocols/oauth2/service-account: iat and exp are compared with Google's clock.
  if (/short-lived token|reasonable timeframe/i.test(message)) {
    const remedy = 'The clock of the machine that SkyClust runs on is off: its operator has to set it (NTP).'
    return { class: 'transient', remedy }
  }
  // `forbidden` is also the reason of a project that cannot pay.
  if (status === 403 && /billing (is |to be )?(disabled|not enabled|enabled)/i.test(message)) {
    return { class: 'forbidden', remedy: 'Link the project to an active billing account.' }
  }
  // https://cloud.google.com/compute/docs/regions-zones#available: a type may be in some zones of a region alone.
  if (status === 400 && /machine type with name '[^']*' does not exist in zone/i.test(message)) {
    return { class: 'invalid', zonal: true }
  }
  // A project that is not there, or not for this account; what is in it is another matter.
  if (status === 404 && /resource 'projects\/[^/']+' was not found/i.test(message)) {
    return {
      class: 'forbidden',
      remedy: 'Name a project that exists and that the account may see (spec.gcp.projectID).',
    }
  }
  // setMachineType of an instance that runs; there is no code of its own for it.
  if (status === 400 && /(is running|starting or running|must be stopped|please stop the instance)/i.test(message)) {
    return { class: 'notReady' }
  }
  return undefined
}

function byForm(code: string): ErrorClass | undefined {
  if (/QUOTA|LIMIT_EXCEEDED/i.test(code)) return 'quota'
  if (/EXHAUSTED|CAPACITY|STOCKOUT/i.test(code)) return 'capacity'
  if (/^(INVALID|UNSUPPORTED)/i.test(code)) return 'invalid'
  return undefined
}

function byStatus(status: number): ErrorClass {
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  if (status === 404) return 'notFound'
  if (status === 412) return 'conflict'
  if (status === 429) return 'throttled'
  return status >= 400 && status < 500 && status !== 408 ? 'invalid' : 'transient'
}
