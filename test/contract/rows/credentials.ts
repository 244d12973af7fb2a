import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { anId, aTime, failure, invalid, NOBODY } from '../forms.ts'
import { until } from '../rest.ts'
import type { Subject } from '../subject.ts'
import { made, makeTeam, makeWorkspace, simKeys } from './team.ts'

const awsKeys = { access_key: 'AKIAIOSFODNN7EXAMPLE', secret_key: 'wJalrXUtnFEMI/K7MDENG', region: 'us-east-1' }

const gcpKey = {
  type: 'service_account',
  project_id: 'my-project',
  private_key_id: '1',
  private_key: '-----BEGIN PRIVATE KEY-----\nnot-a-real-one\n-----END PRIVATE KEY-----\n',
  client_email: 'sky@my-project.iam.gserviceaccount.com',
  client_id: '1',
}

/** Nobody's: a key that names it would be sent there. */
const foreignHost = 'https://hunter2.example.com/token'

export function credentialRows(installation: () => Subject): void {
  it('POST credentials {workspace_id, provider, credentials} → 201 {id, workspace_id, provider, created_at}', async () => {
    const kim = await installation().newcomer('Kim')
    const workspace = await makeWorkspace(kim)
    const answer = await kim.post('/api/v1/credentials', {
      body: { workspace_id: workspace, provider: 'aws', credentials: awsKeys },
    })

    expect(answer.status).toBe(201)
    expect(answer.body).toMatchObject({
      success: true,
      data: { id: anId, workspace_id: workspace, provider: 'aws', created_at: aTime },
    })
    expect(answer.text).not.toContain(awsKeys.secret_key)
    expect(answer.text).not.toContain(awsKeys.access_key)
  })

  it('for GCP the service account key, as text of JSON or as an object', async () => {
    const kim = await installation().newcomer('Kim')
    const workspace = await makeWorkspace(kim)
    for (const service_account_key of [gcpKey, JSON.stringify(gcpKey)]) {
      const credentials = { project_id: 'my-project', service_account_key }
      const answer = await kim.post('/api/v1/credentials', {
        body: { workspace_id: workspace, provider: 'gcp', credentials },
      })
      expect(answer.status).toBe(201)
      expect(answer.body.data).toMatchObject({ workspace_id: workspace, provider: 'gcp' })
      expect(answer.text).not.toContain('PRIVATE KEY')
    }
  })

  it('what is missing or wrong is named, and never repeated → 400', async () => {
    const kim = await installation().newcomer('Kim')
    const workspace_id = await makeWorkspace(kim)
    const bad = [
      [{ workspace_id, provider: 'aws', credentials: {} }, ['credentials.access_key', 'credentials.secret_key']],
      [{ workspace_id, provider: 'aws', credentials: { ...awsKeys, secret_key: 7 } }, ['credentials.secret_key']],
      [
        { workspace_id, provider: 'aws', credentials: { ...awsKeys, service_account_key: 'hunter2' } },
        ['credentials.service_account_key'],
      ],
      [
        { workspace_id, provider: 'gcp', credentials: { service_account_key: 'hunter2' } },
        ['credentials.service_account_key'],
      ],
      [
        { workspace_id, provider: 'gcp', credentials: { service_account_key: { ...gcpKey, type: 'hunter2' } } },
        ['credentials.service_account_key'],
      ],
      [
        { workspace_id, provider: 'gcp', credentials: { service_account_key: { ...gcpKey, token_uri: foreignHost } } },
        ['credentials.service_account_key'],
      ],
      [
        {
          workspace_id,
          provider: 'gcp',
          credentials: { service_account_key: { ...gcpKey, universe_domain: 'hunter2' } },
        },
        ['credentials.service_account_key'],
      ],
      [{ workspace_id, provider: 'azure', credentials: awsKeys }, ['provider']],
      [{ workspace_id, provider: 'AWS', credentials: awsKeys }, ['provider']],
      [{ workspace_id, credentials: awsKeys }, ['provider']],
      [{ provider: 'aws', credentials: awsKeys }, ['workspace_id']],
    ] as const

    for (const [body, fields] of bad) {
      const answer = await kim.post('/api/v1/credentials', { body })
      expect(answer.status, answer.text).toBe(400)
      expect(Object.keys(answer.body.error.details.fields)).toEqual(expect.arrayContaining([...fields]))
      expect(answer.text).not.toContain('hunter2')
    }
  })

  it('an unknown workspace_id in the body → 404', async () => {
    const kim = await installation().newcomer('Kim')
    for (const workspace_id of [NOBODY, 'team']) {
      const answer = await kim.post('/api/v1/credentials', {
        body: { workspace_id, provider: 'sim', credentials: simKeys },
      })
      expect(answer.status).toBe(404)
      expect(answer.body).toEqual(failure('NOT_FOUND', '리소스를 찾을 수 없습니다.'))
    }
  })

  it('GET credentials?workspace_id= → 200 [ … ]; left out, of all the caller’s workspaces', async () => {
    const { owner, workspace, credential } = await makeTeam(installation())
    const other = await makeWorkspace(owner, 'other')
    const second = await made(
      owner.post('/api/v1/credentials', { body: { workspace_id: other, provider: 'sim', credentials: simKeys } }),
    )
    const listed = await owner.get(`/api/v1/credentials?workspace_id=${workspace}`)

    expect(listed.status).toBe(200)
    expect(listed.body.data).toMatchObject([
      { id: credential, workspace_id: workspace, provider: 'sim', created_at: aTime },
    ])
    expect(listed.headers.get('x-total-count')).toBe('1')
    const all = await owner.get('/api/v1/credentials')
    expect(new Set(all.body.data.map(({ id }: { id: string }) => id))).toEqual(new Set([credential, second]))
    expect((await owner.get('/api/v1/credentials?limit=1')).headers.get('x-total-count')).toBe('2')
    expect((await owner.get('/api/v1/credentials?limit=0')).body).toEqual(invalid('limit'))
  })

  it('?workspace_id= of nothing and of somebody else’s → 404, the same answer', async () => {
    const { workspace } = await makeTeam(installation())
    const lee = await installation().newcomer('Lee')
    const nothing = await lee.get(`/api/v1/credentials?workspace_id=${NOBODY}`)

    expect(nothing.status).toBe(404)
    expect(await lee.get(`/api/v1/credentials?workspace_id=${workspace}`)).toMatchObject({
      status: 404,
      text: nothing.text,
    })
  })

  it('GET credentials/:id → 200, the same shape; ready once the cloud has accepted it', async () => {
    const { owner, workspace, credential } = await makeTeam(installation())
    const path = `/api/v1/credentials/${credential}`
    const ready = await until(
      () => owner.get(path),
      ({ body }) => body.data.ready,
    )

    expect(ready.body.data).toMatchObject({
      id: credential,
      workspace_id: workspace,
      provider: 'sim',
      created_at: aTime,
      error: '',
    })
    expect(ready.text).not.toContain(simKeys.secret_key)
    expect((await owner.get(`/api/v1/credentials/${NOBODY}`)).status).toBe(404)
  })

  it('a key that the cloud rejects is not ready, in the cloud’s words', async () => {
    const kim = await installation().newcomer('Kim')
    const workspace_id = await makeWorkspace(kim)
    const id = await made(
      kim.post('/api/v1/credentials', {
        body: { workspace_id, provider: 'sim', credentials: { ...simKeys, access_key: 'bad-key' } },
      }),
    )
    const rejected = await until(
      () => kim.get(`/api/v1/credentials/${id}`),
      ({ body }) => body.data.error !== '',
    )

    expect(rejected.body.data.ready).toBe(false)
  })

  it('PUT credentials/:id {credentials} → 200 {id, updated_at}; the new key is used', async () => {
    const kim = await installation().newcomer('Kim')
    const workspace_id = await makeWorkspace(kim)
    const credentials = { ...simKeys, access_key: 'bad-key' }
    const id = await made(kim.post('/api/v1/credentials', { body: { workspace_id, provider: 'sim', credentials } }))
    const path = `/api/v1/credentials/${id}`
    const answer = await kim.put(path, { body: { credentials: simKeys } })

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ success: true, data: { id, updated_at: aTime } })
    await until(
      () => kim.get(path),
      ({ body }) => body.data.ready,
    )
    expect((await kim.put(path, { body: {} })).body).toEqual(invalid('credentials'))
    expect((await kim.put(path, { body: { credentials: {} } })).status).toBe(400)
    const another = await kim.put(path, { body: { credentials: { service_account_key: gcpKey } } })
    expect(Object.keys(another.body.error.details.fields)).toContain('credentials.service_account_key')
    expect((await kim.patch(path, { body: { credentials: simKeys } })).status).toBe(200)
  })

  it('DELETE credentials/:id → 200 message, then it is 404', async () => {
    const { owner, credential } = await makeTeam(installation())
    const answer = await owner.delete(`/api/v1/credentials/${credential}`)

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ success: true, message: '자격증명이 삭제되었습니다.' })
    expect((await owner.get(`/api/v1/credentials/${credential}`)).status).toBe(404)
    expect((await owner.delete(`/api/v1/credentials/${credential}`)).status).toBe(404)
    expect((await owner.get('/api/v1/credentials')).body.data).toEqual([])
  })

  it('deleting one in use → 409, naming the VMs', async () => {
    const { owner, credential, makeVm } = await makeTeam(installation())
    const vm = (await makeVm()).body.data
    const answer = await owner.delete(`/api/v1/credentials/${credential}`)

    expect(answer.status).toBe(409)
    expect(answer.body).toEqual(failure('CONFLICT', expect.stringContaining(vm.name)))
    await owner.delete(`/api/v1/vms/${vm.id}`)
    const free = await until(
      () => owner.delete(`/api/v1/credentials/${credential}`),
      ({ status }) => status !== 409,
    )
    expect(free.status).toBe(200)
  })

  it('no secret is in a custom resource, a log or the audit log', async () => {
    const kim = await installation().newcomer('Kim')
    const workspace_id = await makeWorkspace(kim)
    const credentials = { ...simKeys, secret_key: 'this-must-not-be-seen' }
    await made(kim.post('/api/v1/credentials', { body: { workspace_id, provider: 'sim', credentials } }))
    const misplaced = { workspace_id: 'this-must-not-be-seen', provider: 'this-must-not-be-seen', credentials: {} }
    await kim.post('/api/v1/credentials?secret_key=this-must-not-be-seen', { body: misplaced })
    const { cluster, logs, auditFile } = installation()
    const kinds = 'credentials,vms,workspaces,users,events'
    const seen = [
      await cluster.kubectl('get', kinds, '-A', '-o', 'yaml'),
      await readFile(auditFile, 'utf8'),
      await logs(),
    ].join('\n')

    expect(seen).toContain('/api/v1/credentials')
    expect(seen).not.toContain('this-must-not-be-seen')
  })
}
