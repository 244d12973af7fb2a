/**
 * The regions of Google Cloud and the places that Google prints for them, so that they can be listed without an account. A
 * region that Google opens later works all the same; it is then shown by its name.
 *
 * @see https://cloud.google.com/compute/docs/regions-zones#available
 */
import type { CloudRegion } from '../cloud.ts'

export const gcpRegions: readonly CloudRegion[] = [
  { name: 'africa-south1', displayName: 'Johannesburg, South Africa' },
  { name: 'asia-east1', displayName: 'Changhua County, Taiwan' },
  { name: 'asia-east2', displayName: 'Hong Kong' },
  { name: 'asia-northeast1', displayName: 'Tokyo, Japan' },
  { name: 'asia-northeast2', displayName: 'Osaka, Japan' },
  { name: 'asia-northeast3', displayName: 'Seoul, South Korea' },
  { name: 'asia-south1', displayName: 'Mumbai, India' },
  { name: 'asia-south2', displayName: 'Delhi, India' },
  { name: 'asia-southeast1', displayName: 'Jurong West, Singapore' },
  { name: 'asia-southeast2', displayName: 'Jakarta, Indonesia' },
  { name: 'asia-southeast3', displayName: 'Bangkok, Thailand' },
  { name: 'australia-southeast1', displayName: 'Sydney, Australia' },
  { name: 'australia-southeast2', displayName: 'Melbourne, Australia' },
  { name: 'europe-central2', displayName: 'Warsaw, Poland' },
  { name: 'europe-north1', displayName: 'Hamina, Finland' },
  { name: 'europe-north2', displayName: 'Stockholm, Sweden' },
  { name: 'europe-southwest1', displayName: 'Madrid, Spain' },
  { name: 'europe-west1', displayName: 'St. Ghislain, Belgium' },
  { name: 'europe-west10', displayName: 'Berlin, Germany' },
  { name: 'europe-west12', displayName: 'Turin, Italy' },
  { name: 'europe-west2', displayName: 'London, England' },
  { name: 'europe-west3', displayName: 'Frankfurt, Germany' },
  { name: 'europe-west4', displayName: 'Eemshaven, Netherlands' },
  { name: 'europe-west6', displayName: 'Zurich, Switzerland' },
  { name: 'europe-west8', displayName: 'Milan, Italy' },
  { name: 'europe-west9', displayName: 'Paris, France' },
  { name: 'me-central1', displayName: 'Doha, Qatar' },
  { name: 'me-central2', displayName: 'Dammam, Saudi Arabia' },
  { name: 'me-west1', displayName: 'Tel Aviv, Israel' },
  { name: 'northamerica-northeast1', displayName: 'Montréal, Québec' },
  { name: 'northamerica-northeast2', displayName: 'Toronto, Ontario' },
  { name: 'northamerica-south1', displayName: 'Querétaro, Mexico' },
  { name: 'southamerica-east1', displayName: 'Osasco, São Paulo, Brazil' },
  { name: 'southamerica-west1', displayName: 'Santiago, Chile' },
  { name: 'us-central1', displayName: 'Council Bluffs, Iowa' },
  { name: 'us-east1', displayName: 'Moncks Corner, South Carolina' },
  { name: 'us-east4', displayName: 'Ashburn, Virginia' },
  { name: 'us-east5', displayName: 'Columbus, Ohio' },
  { name: 'us-south1', displayName: 'Dallas, Texas' },
  { name: 'us-west1', displayName: 'The Dalles, Oregon' },
  { name: 'us-west2', displayName: 'Los Angeles, California' },
  { name: 'us-west3', displayName: 'Salt Lake City, Utah' },
  { name: 'us-west4', displayName: 'Las Vegas, Nevada' },
]

const regionFormat = /^[a-z]+-[a-z]+\d{1,2}$/
const zoneFormat = /^[a-z]+-[a-z]+\d{1,2}-[a-z0-9]{1,8}$/

/** What a region is called: it becomes part of a path, so nothing else may be in it. */
export function isRegionName(name: string): boolean {
  return regionFormat.test(name)
}

export function isZoneName(name: string): boolean {
  return zoneFormat.test(name)
}

export function regionNamed(name: string): CloudRegion {
  return gcpRegions.find((region) => region.name === name) ?? { name, displayName: name }
}
