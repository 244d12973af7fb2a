/** Google's own client as a peer of our server: what it sends is taken, and what it is answered it can read. */
import { InstancesClient, RegionsClient, ZoneOperationsClient } from '@google-cloud/compute'
import { GoogleAuth, OAuth2Client } from 'google-auth-library'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PROJECT } from './accounts.ts'
import { type Gce, startGce } from './gce-server.ts'

const zone = 'us-central1-a'
const project = PROJECT

describe('Google’s client for Compute Engine', () => {
  let gce: Gce
  let options: ConstructorParameters<typeof InstancesClient>[0]

  beforeAll(async () => {
    gce = await startGce({ insertMs: 50, deleteMs: 50 })
    const { hostname, port } = new URL(gce.url)
    // Its own library would fetch a token from Google.
    const authClient = new OAuth2Client({ credentials: { access_token: gce.accounts.issue() } })
    const auth = new GoogleAuth({ authClient, projectId: project })
    options = { auth, apiEndpoint: hostname, port: Number(port), protocol: 'http', fallback: true }
  })
  afterAll(() => gce?.stop())

  it('makes an instance, waits for it, finds it among all zones, and deletes it', async () => {
    const instances = new InstancesClient(options)
    const operations = new ZoneOperationsClient(options)

    const [begun] = await instances.insert({
      project,
      zone,
      requestId: crypto.randomUUID(),
      instanceResource: {
        name: 'by-google',
        machineType: `zones/${zone}/machineTypes/e2-micro`,
        labels: { team: 'a' },
        disks: [{ boot: true, autoDelete: true, initializeParams: { sourceImage: 'global/images/mine' } }],
        networkInterfaces: [{ network: 'global/networks/default', accessConfigs: [{ type: 'ONE_TO_ONE_NAT' }] }],
      },
    })
    const operation = begun.name ?? ''
    const [done] = await operations.wait({ project, zone, operation })
    expect(done).toMatchObject({ status: 'DONE', operationType: 'insert' })

    const found: unknown[] = []
    for await (const [scope, { instances: here = [] }] of instances.aggregatedListAsync({
      project,
      filter: 'labels.team = "a"',
    })) {
      found.push(...(here ?? []).map(({ name, status }) => ({ scope, name, status })))
    }
    expect(found).toEqual([{ scope: `zones/${zone}`, name: 'by-google', status: 'RUNNING' }])

    await instances.delete({ project, zone, instance: 'by-google' })
    await expect.poll(() => gce.instances()).toEqual([])
    await Promise.all([instances.close(), operations.close()])
  })

  it('lists the regions with their zones', async () => {
    const regions = new RegionsClient(options)
    const [listed] = await regions.list({ project })
    expect(listed.map(({ name }) => name)).toEqual(['us-central1', 'europe-west1'])
    await regions.close()
  })
})
