/** What Google Cloud does that is not as wished: keys that are no good, answers that are lost, names that are taken. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Cloud, InstanceSpec } from '../../clouds/cloud.ts'
import { gcpConnections } from '../../clouds/gcp/connections.ts'
import { gcpCloud } from '../../clouds/gcp/gcp-cloud.ts'
import { keyIdentity } from '../../clouds/gcp/identity.ts'
import { readServiceAccountKey } from '../../clouds/gcp/service-account-key.ts'
import { providers } from '../../clouds/providers.ts'
import { askCloud, type Finding } from '../../controller/credential/verification.ts'
import type { Credential } from '../../crds/credential.ts'
import { ACCOUNT, PROJECT, SUBJECT_TOKEN } from '../gce/accounts.ts'
import { type Gce, OUTSIDER, startGce } from '../gce/gce-server.ts'

const region = 'us-central1'
const zone = 'us-central1-a'
let gce: Gce

beforeEach(async () => {
  gce = await startGce({ insertMs: 50, startMs: 50, stopMs: 50, deleteMs: 50, changeMs: 10 })
})
afterEach(() => gce.stop())

function connect(options: { readonly timeoutMs?: number; readonly pageSize?: number } = {}): Cloud {
  const connections = gcpConnections(gce.url)
  const key = readServiceAccountKey(gce.accounts.keyFile(), gce.url)
  return gcpCloud({ identity: keyIdentity({ key, connections }), region, connections, ...options })
}

function specWith(more: Partial<InstanceSpec> = {}): InstanceSpec {
  return {
    token: `skyclust-${crypto.randomUUID()}-0`,
    tags: { 'skyclust.io/vm-uid': crypto.randomUUID() },
    instanceType: 'e2-micro',
    image: 'debian-cloud/debian-12',
    marketType: 'OnDemand',
    zone,
    ...more,
  }
}

describe('a key that is no good', () => {
  /** What the Credential's condition says. */
  async function condition(
    key: string,
    projectID?: string,
  ): Promise<Exclude<Finding, { kind: 'accepted' }>['readiness']> {
    const credential = {
      metadata: { name: 'main' },
      spec: { provider: 'gcp', secretRef: { name: 'main' } },
    } as Credential
    const identity = { secret: { service_account_key: key }, ...(projectID && { gcp: { projectID } }) }
    const on = providers({ enabled: ['gcp'], gcpEndpoint: gce.url })
    const question = { credential, identity, region, silentSince: 0 }
    const finding = await askCloud(question, { providers: on }, AbortSignal.timeout(10_000))
    if (finding.kind === 'accepted') return expect.fail('it was accepted')
    return finding.readiness
  }

  it.each([
    ['is not JSON', 'hello', /service_account_key is not JSON\. .*as it was downloaded/],
    ['is of the wrong type', '{"type": "authorized_user"}', /"authorized_user", not "service_account"\. .*downloaded/],
  ])('because it %s', async (_, key, words) => {
    expect(await condition(key)).toMatchObject({
      phase: 'stalled',
      reason: 'SecretInvalid',
      message: expect.stringMatching(words),
    })
    expect(gce.calls).toEqual([])
  })

  it('because it would have us call elsewhere', async () => {
    const elsewhere = await startGce()
    const key = gce.accounts.keyFile({ token_uri: `${elsewhere.url}/token` })

    expect(await condition(key)).toMatchObject({
      reason: 'SecretInvalid',
      message: expect.stringContaining('token_uri'),
    })
    expect(elsewhere.calls).toEqual([])
    await elsewhere.stop()
  })

  it('because its account is deleted', async () => {
    gce.accounts.delete()
    expect(await condition(gce.accounts.keyFile())).toEqual({
      phase: 'stalled',
      reason: 'Rejected',
      message: expect.stringMatching(
        /^The cloud says: invalid_grant: Invalid grant: account not found\. Make a new key/,
      ),
    })
  })

  it('because the API is not on in its project', async () => {
    gce.settings.apiEnabled = false
    expect(await condition(gce.accounts.keyFile())).toEqual({
      phase: 'stalled',
      reason: 'Rejected',
      message: expect.stringMatching(/has not been used in project .* Enable the Compute Engine API/),
    })
  })

  it('because its project has no billing', async () => {
    gce.settings.billingEnabled = false
    expect(await condition(gce.accounts.keyFile())).toMatchObject({
      phase: 'stalled',
      message: expect.stringMatching(
        /requires billing to be enabled.* Link the project to an active billing account\.$/,
      ),
    })
  })

  it('because there is no such project', async () => {
    expect(await condition(gce.accounts.keyFile(), 'no-such-project')).toMatchObject({
      phase: 'stalled',
      message: expect.stringMatching(/'projects\/no-such-project' was not found\. Name a project/),
    })
  })

  it('because our clock is off, which is no fault of the key', async () => {
    gce.settings.clockAheadMs = 2 * 3_600_000
    expect(await condition(gce.accounts.keyFile())).toEqual({
      phase: 'progressing',
      reason: 'CloudUnavailable',
      message: expect.stringMatching(/reasonable timeframe.* Here it is 120 min earlier than at Google\. .*clock/),
    })
  })
})

describe('a token', () => {
  it('is fetched once for many calls, and anew when Google takes it no longer', async () => {
    const cloud = connect()
    await Promise.all([cloud.verify(), cloud.verify(), cloud.regions()])
    expect(gce.accounts.issued).toBe(1)

    gce.accounts.revokeTokens()
    await expect(cloud.regions()).rejects.toMatchObject({ class: 'unauthorized' })

    expect(await cloud.regions()).not.toEqual([])
    expect(gce.accounts.issued).toBe(2)
  })

  it('is fetched once for whoever connects with the same key, and anew to verify it: the key may have been taken back', async () => {
    const on = providers({ enabled: ['gcp'], gcpEndpoint: gce.url }).named('gcp') ?? expect.fail('gcp is off')
    const identity = { secret: { service_account_key: gce.accounts.keyFile() } }

    await on.connect(identity, region).regions()
    await on.connect(identity, 'europe-west1').regions()
    await on.listPrice?.(identity, { region, instanceType: 'e2-micro' }).catch(() => undefined)
    expect(gce.accounts.issued).toBe(1)

    expect(await on.connect(identity, region).verify()).toEqual({ account: PROJECT, identity: ACCOUNT })
    expect(gce.accounts.issued).toBe(2)
  })

  it('is the key’s own signature where the key names no token endpoint of the operator’s', async () => {
    const on = providers({ enabled: ['gcp'], gcpEndpoint: gce.url })
    const key = gce.accounts.keyFile({ token_uri: 'https://oauth2.googleapis.com/token' })

    const cloud = on.named('gcp')?.connect({ secret: { service_account_key: key } }, region)

    expect(await cloud?.verify()).toEqual({ account: PROJECT, identity: ACCOUNT })
    expect(gce.calls).not.toContain('oauth2.token')
  })

  it('comes from workload identity federation where the operator set that up', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'federation-'))
    await writeFile(join(folder, 'subject'), SUBJECT_TOKEN)
    const configuration = {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${gce.url}/v1/token`,
      credential_source: { file: join(folder, 'subject') },
    }
    await writeFile(join(folder, 'configuration.json'), JSON.stringify(configuration))
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'configuration.json'))
    const on = providers({ enabled: ['gcp'], gcpEndpoint: gce.url })

    const cloud = on.named('gcp')?.connect({ secret: 'ambient', gcp: { projectID: PROJECT } }, region)

    expect(await cloud?.verify()).toMatchObject({ account: PROJECT })
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true })
  })
})

describe('a create', () => {
  it.each(['lost', 'html'] as const)('whose answer is %s may have made one, and makes no second', async (answer) => {
    const cloud = connect()
    const spec = specWith()
    gce.faults.push({ action: 'instances.insert', count: 1, effect: 'done', answer })

    await expect(cloud.create(spec)).rejects.toMatchObject({ class: 'transient', outcomeUnknown: true })
    const { id } = await cloud.create(spec)

    expect(gce.instances().map((instance) => instance.id)).toEqual([id])
  })

  it('that is not answered is given up, and may have made one', async () => {
    const cloud = connect({ timeoutMs: 300 })
    gce.faults.push({ action: 'instances.insert', count: 1, effect: 'done', answer: 'never' })

    await expect(cloud.create(specWith())).rejects.toMatchObject({ class: 'transient', outcomeUnknown: true })
  })

  it('makes no second even when the requestId is forgotten', async () => {
    gce.settings.requestIdMs = 0
    const cloud = connect()
    const spec = specWith()

    const made = await cloud.create(spec)

    expect((await cloud.create(spec)).id).toBe(made.id)
  })

  it('takes nothing for its own that has its name and another’s label', async () => {
    const cloud = connect()
    const spec = specWith()
    const { id } = await cloud.create(spec)
    await cloud.tag([id], { 'skyclust.io/vm-uid': 'somebody-elses' })
    gce.settings.requestIdMs = 0

    await expect(cloud.create({ ...spec, series: 'again' })).rejects.toMatchObject({
      class: 'invalid',
      code: 'alreadyExists',
      message: expect.stringContaining('its label skyclust-vm-uid is somebody-elses'),
    })
  })

  it('is told the same failure within a series, whoever asks, and tries anew in the next', async () => {
    gce.settings.fullZones = [zone]
    const spec = specWith({ series: '1' })
    const refusal = { class: 'capacity', code: 'ZONE_RESOURCE_POOL_EXHAUSTED', outcomeUnknown: false }
    await expect(connect().create(spec)).rejects.toMatchObject(refusal)
    gce.settings.fullZones = []

    await expect(connect().create(spec)).rejects.toMatchObject(refusal)

    expect(await connect().create({ ...spec, series: '2' })).toMatchObject({ zone })
  })

  it('of a type that the zone does not have may go to another zone', async () => {
    gce.settings.typesInZones = { 'c3-metal': ['us-central1-c'] }
    const cloud = connect()

    const refused = cloud.create(specWith({ instanceType: 'c3-metal' }))
    await expect(refused).rejects.toMatchObject({ class: 'invalid', zonal: true, outcomeUnknown: false })
    expect(gce.instances()).toEqual([])
    await cloud.create(specWith({ instanceType: 'c3-metal', zone: 'us-central1-c' }))
  })

  it('that is one too many for the project is refused in Google’s words', async () => {
    gce.settings.maxInstances = 0
    await expect(connect().create(specWith())).rejects.toMatchObject({
      class: 'quota',
      message: expect.stringContaining("Quota 'INSTANCES' exceeded"),
      outcomeUnknown: false,
    })
  })

  it('whose launch failed after it was shown says so when it is asked for', async () => {
    const cloud = connect()
    gce.settings.fullZones = [zone]
    await expect(cloud.create(specWith())).rejects.toMatchObject({ class: 'capacity' })
    const { targetId = '' } = gce.project.operations.list()[0] ?? {}

    expect(await cloud.get(targetId)).toMatchObject({
      state: 'terminated',
      stateReason: expect.stringContaining('could not be launched'),
      launchFailure: { class: 'capacity' },
    })
  })
})

describe('a change', () => {
  it('of labels that somebody else changes at the same time is a conflict', async () => {
    const cloud = connect()
    const { id } = await cloud.create(specWith())

    const outcomes = await Promise.allSettled(['a', 'b'].map((team) => cloud.tag([id], { team })))

    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const lost = outcomes.find((outcome) => outcome.status === 'rejected')
    expect(lost?.reason).toMatchObject({ class: 'conflict', code: 'conditionNotMet', outcomeUnknown: false })
  })

  it('to a start that fails for want of room only then says so', async () => {
    const cloud = connect()
    const { id } = await cloud.create(specWith())
    await cloud.stop([id])
    await expect.poll(async () => (await cloud.get(id))?.state).toBe('stopped')
    gce.settings.fullZones = [zone]

    await expect(cloud.start([id])).rejects.toMatchObject({ class: 'capacity' })
  })

  it('that the account may not make names the permission', async () => {
    const cloud = connect()
    const { id } = await cloud.create(specWith())
    gce.settings.denied = ['compute.instances.delete']

    await expect(cloud.terminate([id])).rejects.toMatchObject({
      class: 'forbidden',
      message: expect.stringContaining('compute.instances.delete'),
    })
  })
})

describe('a read', () => {
  it('pages through all zones in one listing, and shows no other region', async () => {
    const cloud = connect({ pageSize: 2 })
    const zones = ['us-central1-a', 'us-central1-b', 'us-central1-c']
    for (const zone of [...zones, ...zones]) await cloud.create(specWith({ zone, tags: { batch: 'one' } }))
    gce.project.insert(
      { ...OUTSIDER, zone: 'europe-west1-b' },
      {
        name: 'far-away',
        labels: { batch: 'one' },
        machineType: 'zones/europe-west1-b/machineTypes/e2-micro',
        disks: [{ boot: true, initializeParams: { sourceImage: 'global/images/mine' } }],
        networkInterfaces: [{ network: 'global/networks/default' }],
      },
    )
    const callsBefore = gce.calls.length

    const found: string[] = []
    for await (const page of cloud.list({ kind: 'tag', key: 'batch', values: ['one'] })) {
      found.push(...page.map((instance) => instance.zone))
    }

    expect(found.toSorted()).toEqual([...zones, ...zones].toSorted())
    expect(gce.calls.slice(callsBefore)).toEqual(Array(4).fill('instances.aggregatedList'))
  })

  it('finds an instance by its id though nothing is remembered of it', async () => {
    const { id } = await connect().create(specWith())
    expect(await connect().get(id)).toMatchObject({ id, zone })
  })

  it('finds an instance by its name, with its zone, and by its link, and never one of two', async () => {
    const cloud = connect()
    const here = await cloud.create(specWith())
    const name = here.name ?? ''
    const link = `projects/${PROJECT}/zones/${zone}/instances/${name}`
    const asked = [name, `${zone}/${name}`, link, `${gce.url}/compute/v1/${link}`, `${zone}/${here.id}`]

    for (const text of asked) expect(await cloud.get(text), text).toMatchObject({ id: here.id, name })
    for (const text of [
      'somebody-elses',
      `us-central1-b/${name}`,
      `projects/another/zones/${zone}/instances/${name}`,
      'a" OR name = "b',
    ]) {
      expect(await cloud.get(text), text).toBeUndefined()
    }

    gce.project.insert(
      { zone: 'us-central1-b', user: OUTSIDER.user },
      {
        name,
        machineType: 'zones/us-central1-b/machineTypes/e2-micro',
        disks: [{ boot: true, initializeParams: { sourceImage: 'global/images/mine' } }],
        networkInterfaces: [{ network: 'global/networks/default' }],
      },
    )
    await expect(cloud.get(name)).rejects.toMatchObject({
      class: 'invalid',
      message: expect.stringContaining('us-central1-b'),
      remedy: expect.stringContaining(`us-central1-a/${name}`),
    })
    expect(await cloud.get(`${zone}/${name}`)).toMatchObject({ id: here.id })
  })

  it('of a list that cannot reach a zone fails, rather than showing less than there is', async () => {
    const cloud = connect()
    const { id } = await cloud.create(specWith())
    gce.settings.unreachableZones = [zone]

    await expect(cloud.listPage({ kind: 'all' })).rejects.toMatchObject({ class: 'transient', code: 'UNREACHABLE' })
    await expect(connect().get(id)).rejects.toMatchObject({ class: 'transient', code: 'UNREACHABLE' })
    gce.settings.unreachableZones = []
    expect((await cloud.listPage({ kind: 'all' })).instances).toMatchObject([{ id }])
  })

  it('that a proxy answers "not found" says nothing of what there is', async () => {
    const cloud = connect()
    const { id } = await cloud.create(specWith())
    gce.faults.push({ action: 'instances.get', count: 1, effect: 'none', answer: 'html' })

    await expect(cloud.get(id)).rejects.toMatchObject({ class: 'transient' })
  })

  it('that comes too often is throttled, which Google says with the status of "forbidden"', async () => {
    const tooOften = { status: 403, reason: 'rateLimitExceeded', message: 'Rate Limit Exceeded' }
    gce.faults.push({ action: 'instances.aggregatedList', count: 1, effect: 'none', answer: tooOften })

    await expect(connect().listPage({ kind: 'all' })).rejects.toMatchObject({ class: 'throttled' })
  })
})

describe('an error', () => {
  it('holds nothing of the key and nothing of the token', async () => {
    const cloud = connect()
    await cloud.verify()
    gce.settings.denied = ['compute.instances.aggregatedList']

    const error = await cloud.listPage({ kind: 'all' }).catch((reason: unknown) => reason)

    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/ya29|PRIVATE|Bearer/)
  })
})
