import { expect, it } from 'vitest'
import { anId, aTime, failure, invalid, NOBODY } from '../forms.ts'
import { until } from '../rest.ts'
import type { Subject } from '../subject.ts'
import { made, makeTeam, makeWorkspace, simKeys, vmBody } from './team.ts'

const now = { prefer: 'respond-async' }

export function vmRows(installation: () => Subject): void {
  it('POST vms → 201 {id, workspace_id, name, provider, instance_id, status, created_at}, with the id of the cloud', async () => {
    const { owner, workspace } = await makeTeam(installation())
    const body = vmBody(workspace)
    const answer = await owner.post('/api/v1/vms', { body, headers: { prefer: 'wait=60' } })

    expect(answer.status).toBe(201)
    expect(answer.body).toMatchObject({
      success: true,
      data: { id: anId, workspace_id: workspace, name: body.name, provider: 'sim', created_at: aTime },
    })
    expect(answer.body.data.instance_id).toMatch(/^i-[0-9a-f]{17}$/)
    expect(['pending', 'running']).toContain(answer.body.data.status)
  })

  it('Prefer: respond-async does not wait for the cloud; instance_id and addresses are "" until there are some', async () => {
    const { owner, makeVm } = await makeTeam(installation())
    const answer = await makeVm({}, now)
    expect(answer.status).toBe(201)
    expect(answer.body.data).toMatchObject({ instance_id: '', status: 'pending' })

    const path = `/api/v1/vms/${answer.body.data.id}`
    expect((await owner.get(path)).body.data.public_ip).toEqual(expect.any(String))
    const running = await until(
      () => owner.get(path),
      ({ body }) => body.data.status === 'running',
    )
    expect(running.body.data).toMatchObject({
      ...answer.body.data,
      status: 'running',
      instance_id: expect.stringMatching(/^i-/),
      public_ip: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
      private_ip: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
    })
  })

  it('without a preference it waits a few seconds, which is enough', async () => {
    const { makeVm } = await makeTeam(installation())
    const answer = await makeVm({}, {})

    expect(answer.status).toBe(201)
    expect(answer.body.data).toHaveProperty('instance_id')
  })

  it('a type or image that begins with bad- → 201, and the VM becomes error, in the cloud’s words', async () => {
    const { owner, makeVm } = await makeTeam(installation())
    for (const bad of [{ image_id: 'bad-image' }, { instance_type: 'bad-type' }]) {
      const answer = await makeVm(bad)
      expect(answer.status).toBe(201)
      const failed = await until(
        () => owner.get(`/api/v1/vms/${answer.body.data.id}`),
        ({ body }) => body.data.status === 'error',
      )
      expect(failed.body.data.error).toContain(Object.values(bad)[0])
      expect(failed.body.data.instance_id).toBe('')
    }
  })

  it('what is missing or wrong is named → 400', async () => {
    const { owner, workspace } = await makeTeam(installation())
    const good = vmBody(workspace)
    const bad = [
      [{}, ['workspace_id', 'name', 'provider', 'instance_type', 'region', 'image_id']],
      [{ ...good, name: 'Web 1' }, ['name']],
      [{ ...good, name: 'x'.repeat(64) }, ['name']],
      [{ ...good, name: '-web' }, ['name']],
      [{ ...good, provider: 'azure' }, ['provider']],
      [{ ...good, image_id: '' }, ['image_id']],
      [{ ...good, size: 'large' }, ['size']],
      [{ ...good, region: null }, ['region']],
    ] as const

    for (const [body, fields] of bad) {
      const answer = await owner.post('/api/v1/vms', { body, headers: now })
      expect(answer.status).toBe(400)
      expect(answer.body).toEqual(invalid(...fields))
    }
  })

  it('an unknown workspace_id or credential_id in the body → 404', async () => {
    const { owner, workspace } = await makeTeam(installation())
    const { credential: foreign } = await makeTeam(installation(), 'Lee')

    expect((await owner.post('/api/v1/vms', { body: { ...vmBody(workspace), workspace_id: NOBODY } })).status).toBe(404)
    for (const credential_id of [NOBODY, foreign]) {
      expect((await owner.post('/api/v1/vms', { body: { ...vmBody(workspace), credential_id } })).status).toBe(404)
    }
  })

  it('a name that is taken in its workspace → 409; in another it is free', async () => {
    const { owner, workspace, makeVm } = await makeTeam(installation())
    const other = await makeTeam(installation(), 'Lee')
    const { name } = (await makeVm()).body.data

    const taken = await owner.post('/api/v1/vms', { body: { ...vmBody(workspace), name }, headers: now })
    expect(taken.status).toBe(409)
    expect(taken.body).toEqual(failure('CONFLICT', expect.stringContaining(name)))
    expect((await other.makeVm({ name })).status).toBe(201)
  })

  it('no Credential for the provider → 409, several without credential_id → 400, both saying what to do', async () => {
    const { owner, workspace, credential } = await makeTeam(installation())
    const none = await owner.post('/api/v1/vms', { body: { ...vmBody(workspace), provider: 'aws' } })
    expect(none.status).toBe(409)
    expect(none.body).toEqual(failure('CONFLICT', expect.stringContaining('/api/v1/credentials')))

    const second = await made(
      owner.post('/api/v1/credentials', { body: { workspace_id: workspace, provider: 'sim', credentials: simKeys } }),
    )
    const several = await owner.post('/api/v1/vms', { body: vmBody(workspace) })
    expect(several.status).toBe(400)
    expect(several.body).toEqual(invalid('credential_id'))
    expect(several.body.error.details.fields.credential_id).toContain(credential)
    expect(several.body.error.details.fields.credential_id).toContain(second)
    const named = { ...vmBody(workspace), credential_id: second }
    expect((await owner.post('/api/v1/vms', { body: named, headers: now })).status).toBe(201)
  })

  it('a VM right after its workspace’s and its Credential’s 201 works', async () => {
    const kim = await installation().newcomer('Kim')
    const workspace = await makeWorkspace(kim)
    await made(
      kim.post('/api/v1/credentials', { body: { workspace_id: workspace, provider: 'sim', credentials: simKeys } }),
    )

    expect((await kim.post('/api/v1/vms', { body: vmBody(workspace), headers: now })).status).toBe(201)
  })

  it('GET vms?workspace_id= → 200 [ … ], oldest first, then by id; with filters, pages and a total', async () => {
    const { owner, workspace, makeVm } = await makeTeam(installation())
    const ids = [await made(makeVm()), await made(makeVm()), await made(makeVm({ image_id: 'bad-image' }))]
    const path = `/api/v1/vms?workspace_id=${workspace}`
    const listed = await until(
      () => owner.get(path),
      ({ body }) =>
        body.data
          .map(({ status }: { status: string }) => status)
          .sort()
          .join() === 'error,running,running',
    )

    expect(listed.headers.get('x-total-count')).toBe('3')
    expect(new Set(listed.body.data.map(({ id }: { id: string }) => id))).toEqual(new Set(ids))
    const order = listed.body.data.map(({ created_at, id }: { created_at: string; id: string }) => [created_at, id])
    expect(order).toEqual(order.toSorted())
    for (const vm of listed.body.data) {
      expect(vm).toMatchObject({ id: anId, workspace_id: workspace, name: expect.any(String), provider: 'sim' })
    }
    expect((await owner.get(`${path}&status=error`)).body.data).toHaveLength(1)
    expect((await owner.get(`${path}&provider=aws`)).body.data).toEqual([])
    expect((await owner.get(`${path}&name=${listed.body.data[0].name}`)).body.data).toEqual([listed.body.data[0]])
    const page = await owner.get(`${path}&limit=2&offset=2`)
    expect(page.body.data).toEqual([listed.body.data[2]])
    expect(page.headers.get('x-total-count')).toBe('3')
    expect((await owner.get(`${path}&status=happy`)).body).toEqual(invalid('status'))
    expect((await owner.get(`${path}&colour=red`)).body).toEqual(invalid('colour'))
  })

  it('GET vms without workspace_id means all the caller’s; one that is not theirs → 404, the same for both', async () => {
    const { owner, workspace, makeVm } = await makeTeam(installation())
    const other = await makeTeam(installation(), 'Lee')
    await other.owner.post(`/api/v1/workspaces/${other.workspace}/members`, {
      body: { user_id: owner.id, role: 'viewer' },
    })
    const ids = [await made(makeVm()), await made(other.makeVm())]
    const stranger = await installation().newcomer('Park')

    expect(new Set((await owner.get('/api/v1/vms')).body.data.map(({ id }: { id: string }) => id))).toEqual(
      new Set(ids),
    )
    expect((await stranger.get('/api/v1/vms')).body.data).toEqual([])
    const nothing = await stranger.get(`/api/v1/vms?workspace_id=${NOBODY}`)
    expect(nothing.status).toBe(404)
    expect((await stranger.get(`/api/v1/vms?workspace_id=${workspace}`)).text).toBe(nothing.text)
  })

  it('POST vms/:id/stop and start → 200 message, again too; the VM follows', async () => {
    const { owner, makeVm } = await makeTeam(installation())
    const path = `/api/v1/vms/${await made(makeVm({}, { prefer: 'wait=60' }))}`
    const reaches = (status: string) =>
      until(
        () => owner.get(path),
        ({ body }) => body.data.status === status,
      )
    await reaches('running')

    const running = await owner.post(`${path}/start`)
    expect(running.status).toBe(200)
    expect(running.body).toEqual({ success: true, message: 'VM이 시작되었습니다.' })

    const stopped = await owner.post(`${path}/stop`)
    expect(stopped.body).toEqual({ success: true, message: 'VM이 중지되었습니다.' })
    await reaches('stopped')
    expect((await owner.post(`${path}/stop`)).status).toBe(200)
    await owner.post(`${path}/start`)
    await reaches('running')
  })

  it('PATCH vms/:id {power?, instance_type?} → 200, the VM; empty → 400', async () => {
    const { owner, makeVm } = await makeTeam(installation())
    const path = `/api/v1/vms/${await made(makeVm())}`
    const answer = await owner.patch(path, { body: { power: 'stopped', instance_type: 'large' } })

    expect(answer.status).toBe(200)
    expect(answer.body.data).toMatchObject({ instance_type: 'large' })
    await until(
      () => owner.get(path),
      ({ body }) => body.data.status === 'stopped',
    )
    expect((await owner.patch(path, { body: {} })).body).toEqual(invalid('body'))
    expect((await owner.patch(path, { body: { power: 'stopped', image_id: 'other' } })).body).toEqual(
      invalid('image_id'),
    )
  })

  it('DELETE vms/:id → 200 message, again too; stopping with deleted_at, then 404', async () => {
    const { owner, makeVm, workspace } = await makeTeam(installation())
    const id = await made(makeVm({}, { prefer: 'wait=60' }))
    const path = `/api/v1/vms/${id}`
    const answer = await owner.delete(path)
    const [meanwhile, again] = [await owner.get(path), await owner.delete(path)]

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ success: true, message: 'VM이 삭제되었습니다.' })
    expect(meanwhile.body.data).toMatchObject({ id, status: 'stopping', deleted_at: aTime })
    expect(again.status).toBe(200)
    expect((await owner.post(`${path}/start`)).status).toBe(409)
    const gone = await until(
      () => owner.get(path),
      ({ status }) => status === 404,
    )
    expect(gone.text).toBe((await owner.get(`/api/v1/vms/${NOBODY}`)).text)
    expect((await owner.get(`/api/v1/vms?workspace_id=${workspace}`)).body.data).toEqual([])
    expect((await owner.delete(path)).status).toBe(404)
  })

  it('an id that is no UUID → 404, on every route', async () => {
    const kim = await installation().newcomer('Kim')
    const answers = await Promise.all([
      kim.get('/api/v1/vms/web-1'),
      kim.delete('/api/v1/vms/web-1'),
      kim.post('/api/v1/vms/web-1/start'),
      kim.post(`/api/v1/vms/${NOBODY}/stop`),
      kim.patch(`/api/v1/vms/${NOBODY}`, { body: { power: 'running' } }),
    ])

    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 404))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
  })

  it('a VM that a GitOps controller applies is not fought over → 409, naming field and manager', async () => {
    const { cluster } = installation()
    const { owner, workspace, credential } = await makeTeam(installation())
    const credentials = JSON.parse(await cluster.kubectl('get', 'credentials', '-A', '-o', 'json')).items
    const { metadata } = credentials.find((one: { metadata: { uid: string } }) => one.metadata.uid === credential)
    const manifest = {
      apiVersion: 'skyclust.io/v1alpha1',
      kind: 'VM',
      metadata: { namespace: metadata.namespace, name: 'from-git' },
      spec: {
        provider: 'sim',
        credentialRef: { name: metadata.name },
        region: 'sim-1',
        instanceType: 'small',
        image: 'ubuntu',
        powerState: 'Running',
      },
    }
    const manager = '--field-manager=argocd-controller'
    await cluster.kubectlWith(JSON.stringify(manifest), 'apply', '--server-side', manager, '-f', '-')
    const listed = await until(
      () => owner.get(`/api/v1/vms?workspace_id=${workspace}`),
      ({ body }) => body.data.length === 1,
    )
    const answer = await owner.post(`/api/v1/vms/${listed.body.data[0].id}/stop`)

    expect(answer.status).toBe(409)
    expect(answer.body.error.message).toContain('argocd-controller')
    expect(answer.body.error.message).toContain('powerState')
    const spec = await cluster.kubectl('get', 'vm', 'from-git', '-n', metadata.namespace, '-o', 'jsonpath={.spec}')
    expect(JSON.parse(spec).powerState).toBe('Running')
  })
}
