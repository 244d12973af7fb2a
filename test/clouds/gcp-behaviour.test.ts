import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { Cloud } from '../../clouds/cloud.ts'
import { providers } from '../../clouds/providers.ts'
import { type Gce, startGce } from '../gce/gce-server.ts'
import { behavesAsACloud } from './cloud-behaviour.ts'

const region = 'us-central1'

describe('Google Cloud, against a server of our own', () => {
  let gce: Gce | undefined
  let cloud: Cloud | undefined

  beforeAll(async () => {
    gce = await startGce()
    const gcp = providers({ enabled: ['gcp'], gcpEndpoint: gce.url }).named('GCP')
    cloud = gcp?.connect({ secret: { service_account_key: gce.accounts.keyFile() } }, region)
  })
  afterAll(() => gce?.stop())

  behavesAsACloud({
    cloud: () => cloud ?? expect.fail('not started'),
    spec: { instanceType: 'e2-micro', image: 'debian-cloud/debian-12', marketType: 'OnDemand' },
    otherType: 'e2-standard-2',
    regionName: { name: 'europe-west1', displayName: 'St. Ghislain, Belgium' },
    account: /^skyclust-test$/,
    unknownId: '1234567890123456789',
    refused: [
      ['an image', { image: 'bad-image' }, /^invalid$/],
      ['a subnet', { subnetId: 'bad-subnet' }, /^invalid$/],
      ['a zone', { zone: 'nowhere1-a' }, /^InvalidZone$/],
      ['an instance type', { instanceType: 'bad-type' }, /^invalid$/],
      ['a key pair', { sshKeyName: 'bad-key' }, /^SshKeyNameUnsupported$/],
    ],
    // A name that is taken is not compared with what was asked for; and what is deleted is not there any more.
    facts: { honoursTokens: true, comparesSpecs: false, listsTerminated: false, checksStates: true },
  })
})
