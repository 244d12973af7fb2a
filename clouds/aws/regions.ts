/**
 * The regions of the `aws` partition and the names that AWS prints for them, so that they can be listed without an
 * account. A region that AWS opens later works all the same; it is then shown by its code.
 *
 * @see https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
 */
import type { CloudRegion } from '../cloud.ts'

export const awsRegions: readonly CloudRegion[] = [
  { name: 'af-south-1', displayName: 'Africa (Cape Town)' },
  { name: 'ap-east-1', displayName: 'Asia Pacific (Hong Kong)' },
  { name: 'ap-east-2', displayName: 'Asia Pacific (Taipei)' },
  { name: 'ap-northeast-1', displayName: 'Asia Pacific (Tokyo)' },
  { name: 'ap-northeast-2', displayName: 'Asia Pacific (Seoul)' },
  { name: 'ap-northeast-3', displayName: 'Asia Pacific (Osaka)' },
  { name: 'ap-south-1', displayName: 'Asia Pacific (Mumbai)' },
  { name: 'ap-south-2', displayName: 'Asia Pacific (Hyderabad)' },
  { name: 'ap-southeast-1', displayName: 'Asia Pacific (Singapore)' },
  { name: 'ap-southeast-2', displayName: 'Asia Pacific (Sydney)' },
  { name: 'ap-southeast-3', displayName: 'Asia Pacific (Jakarta)' },
  { name: 'ap-southeast-4', displayName: 'Asia Pacific (Melbourne)' },
  { name: 'ap-southeast-5', displayName: 'Asia Pacific (Malaysia)' },
  { name: 'ap-southeast-6', displayName: 'Asia Pacific (New Zealand)' },
  { name: 'ap-southeast-7', displayName: 'Asia Pacific (Thailand)' },
  { name: 'ca-central-1', displayName: 'Canada (Central)' },
  { name: 'ca-west-1', displayName: 'Canada West (Calgary)' },
  { name: 'eu-central-1', displayName: 'Europe (Frankfurt)' },
  { name: 'eu-central-2', displayName: 'Europe (Zurich)' },
  { name: 'eu-north-1', displayName: 'Europe (Stockholm)' },
  { name: 'eu-south-1', displayName: 'Europe (Milan)' },
  { name: 'eu-south-2', displayName: 'Europe (Spain)' },
  { name: 'eu-west-1', displayName: 'Europe (Ireland)' },
  { name: 'eu-west-2', displayName: 'Europe (London)' },
  { name: 'eu-west-3', displayName: 'Europe (Paris)' },
  { name: 'il-central-1', displayName: 'Israel (Tel Aviv)' },
  { name: 'me-central-1', displayName: 'Middle East (UAE)' },
  { name: 'me-south-1', displayName: 'Middle East (Bahrain)' },
  { name: 'me-west-1', displayName: 'Middle East (Saudi Arabia)' },
  { name: 'mx-central-1', displayName: 'Mexico (Central)' },
  { name: 'sa-east-1', displayName: 'South America (São Paulo)' },
  { name: 'sa-west-1', displayName: 'South America (Chile)' },
  { name: 'us-east-1', displayName: 'US East (N. Virginia)' },
  { name: 'us-east-2', displayName: 'US East (Ohio)' },
  { name: 'us-west-1', displayName: 'US West (N. California)' },
  { name: 'us-west-2', displayName: 'US West (Oregon)' },
]

/** What a region's code looks like: it becomes part of a host name, so nothing else may be in it. */
const regionCode = /^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/

export function isRegionCode(name: string): boolean {
  return regionCode.test(name)
}

export function regionNamed(name: string): CloudRegion {
  return awsRegions.find((region) => region.name === name) ?? { name, displayName: name }
}
