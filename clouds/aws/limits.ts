/** EC2's and STS's documented figures: what may be relied on, and how fast an account may call. */
import type { CloudGuarantees, CloudLimits } from '../cloud.ts'

export const ec2Guarantees: CloudGuarantees = {
  /**
   * "A client token is valid for at least 24 hours after the termination of the instance."
   * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Run_Instance_Idempotency.html (API version 2016-11-15)
   */
  tokenValidityMs: 24 * 3_600_000,
  /**
   * Ten times the "couple of seconds" after which EC2 tells one to look again; it names no bound but that waits may grow
   * "up to five minutes". Within a token's validity the token decides beside the lookup, after it ten times as much is
   * waited for (see `patienceMs` of controller/vm/intent.ts), and a lag beyond this is noticed and waited out.
   * @see https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
   */
  lookupLagMs: 30_000,
  /**
   * EC2 documents no number of ids for StartInstances and its kin; it charges them a token an instance from a bucket
   * of 1,000, so that a call with more could never be let through.
   * @see https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html#throttling-limits-cost-based
   */
  maxBatch: 1000,
  /** @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html: 200 values a filter. */
  maxFilterValues: 200,
}

/** @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html: MaxResults is 5 to 1000. */
export const DESCRIBE_PAGE = 1000

/** @see https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html */
export const ec2Limits: CloudLimits = {
  /** STS meters itself, at several hundred a second. @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
  verify: { calls: { burst: 100, refillPerSecond: 100 } },
  /** DescribeRegions and DescribeInstances: non-mutating actions, always paginated. */
  regions: { calls: { burst: 100, refillPerSecond: 20 } },
  list: { calls: { burst: 100, refillPerSecond: 20 } },
  create: { calls: { burst: 5, refillPerSecond: 2 }, instances: { burst: 1000, refillPerSecond: 2 } },
  start: { calls: { burst: 5, refillPerSecond: 2 }, instances: { burst: 1000, refillPerSecond: 2 } },
  /** StopInstances and ModifyInstanceAttribute: mutating actions without a line of their own. */
  stop: { calls: { burst: 50, refillPerSecond: 5 }, instances: { burst: 1000, refillPerSecond: 20 } },
  resize: { calls: { burst: 50, refillPerSecond: 5 } },
  terminate: { calls: { burst: 100, refillPerSecond: 5 }, instances: { burst: 1000, refillPerSecond: 20 } },
  tag: { calls: { burst: 100, refillPerSecond: 10 } },
  untag: { calls: { burst: 100, refillPerSecond: 10 } },
}
