/**
 * The one table of error classes. A cloud maps its own codes to a class in its own folder; the
 * controller and the facade ask this table what follows, so that a quota error reads the same in a
 * condition and in a REST answer.
 *
 * `retry`   what the controller does: `fast` backs off from half a second to a minute, `slow` tries
 *           again every few minutes, because only a person can mend it.
 * `stalled` whether kstatus readers are told that nothing moves until somebody acts.
 * `reason`  the CamelCase reason of the condition; `remedy` is the sentence that follows the cloud's own words.
 * `status`/`code` what the facade answers when such an error ends a request.
 */
export const errorClasses = {
  conflict: {
    retry: 'fast',
    stalled: false,
    reason: 'Conflict',
    status: 409,
    code: 'CONFLICT',
    remedy: 'Somebody else changed it at the same time; it is tried again.',
  },
  throttled: {
    retry: 'fast',
    stalled: false,
    reason: 'Throttled',
    status: 429,
    code: 'TOO_MANY_REQUESTS',
    remedy: 'The cloud asked for fewer calls; it is tried again more slowly.',
  },
  transient: {
    retry: 'fast',
    stalled: false,
    reason: 'CloudUnavailable',
    status: 502,
    code: 'BAD_GATEWAY',
    remedy: 'The cloud did not answer as it should; it is tried again.',
  },
  notReady: {
    retry: 'fast',
    stalled: false,
    reason: 'NotReady',
    status: 409,
    code: 'CONFLICT',
    remedy: 'It waits for something else to become ready; it is tried again.',
  },
  capacity: {
    retry: 'slow',
    stalled: true,
    reason: 'InsufficientCapacity',
    status: 503,
    code: 'SERVICE_UNAVAILABLE',
    remedy: 'The zone has no room for this type now; wait, or choose another zone or instance type.',
  },
  quota: {
    retry: 'slow',
    stalled: true,
    reason: 'QuotaExceeded',
    status: 409,
    code: 'CONFLICT',
    remedy: 'Raise the quota of the cloud account, or delete what is not needed.',
  },
  invalid: {
    retry: 'slow',
    stalled: true,
    reason: 'InvalidSpec',
    status: 400,
    code: 'VALIDATION_ERROR',
    remedy: 'Correct the field that the cloud names; an immutable one needs a new object.',
  },
  unauthorized: {
    retry: 'slow',
    stalled: true,
    reason: 'Rejected',
    status: 502,
    code: 'BAD_GATEWAY',
    remedy: 'Put a valid key into the Secret of the Credential.',
  },
  forbidden: {
    retry: 'slow',
    stalled: true,
    reason: 'Forbidden',
    status: 502,
    code: 'BAD_GATEWAY',
    remedy: 'Grant the permission that the cloud names to the key of the Credential.',
  },
  notFound: {
    retry: 'fast',
    stalled: false,
    reason: 'NotFound',
    status: 404,
    code: 'NOT_FOUND',
    remedy: 'What it names does not exist.',
  },
  unknown: {
    retry: 'fast',
    stalled: false,
    reason: 'Failed',
    status: 500,
    code: 'INTERNAL_ERROR',
    remedy: 'It is tried again; the log of the controller has the details.',
  },
} as const

export type ErrorClass = keyof typeof errorClasses
