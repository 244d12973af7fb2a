import { beforeAll, expect, it } from 'vitest'
import { anId, aText, aTime, failure, invalid, NOBODY } from '../forms.ts'
import { type Answer, type Person, until } from '../rest.ts'
import type { Subject } from '../subject.ts'
import { makeWorkspace } from './team.ts'

const two = `
resource "terraform_data" "one" { input = "first" }
resource "terraform_data" "two" { input = terraform_data.one.output }
output "shown" { value = terraform_data.two.output }
`
const slow = `
resource "terraform_data" "slow" {
  provisioner "local-exec" { command = "echo under way; sleep 3" }
}
resource "terraform_data" "after" { depends_on = [terraform_data.slow] }
`
const isOver = ({ body }: Answer) => ['completed', 'failed', 'cancelled'].includes(body.data.status)

export function iacRows(installation: () => Subject): void {
  let kim: Person
  let team = ''
  beforeAll(async () => {
    kim = await installation().newcomer('Kim')
    team = await makeWorkspace(kim)
  })

  const run = (command: string, body: object) =>
    kim.post(`/api/v1/iac/${command}`, { body: { workspace_id: team, config: two, ...body } })
  const show = (id: string) => kim.get(`/api/v1/iac/executions/${id}`)
  const over = (id: string) => until(() => show(id), isOver, 60_000)

  it('POST iac/plan {workspace_id, config} → 201 running; then completed, with what it would change in output', async () => {
    const answer = await run('plan', {})

    expect(answer.status).toBe(201)
    expect(answer.body).toMatchObject({
      success: true,
      data: { id: anId, workspace_id: team, command: 'plan', status: 'running', started_at: aTime },
    })
    const { id, started_at } = answer.body.data
    const done = await over(id)
    expect(done.status).toBe(200)
    expect(done.body.data).toMatchObject({
      ...{ id, workspace_id: team, command: 'plan', status: 'completed', started_at, completed_at: aTime, error: '' },
      output: expect.stringContaining('Plan: 2 to add, 0 to change, 0 to destroy.'),
      plan: { add: 2, change: 0, destroy: 0, digest: expect.stringMatching(/^sha256:/) },
    })
    const plan = await kim.get(`/api/v1/iac/executions/${id}/plan`)
    expect(plan.body.data.resource_changes[0]).toMatchObject({
      address: 'terraform_data.one',
      change: { actions: ['create'], after: { input: 'first' } },
    })
  })

  it('POST iac/apply and iac/destroy → 201; a destroy shows its plan before it carries it out', async () => {
    const applied = await over((await run('apply', { stack: 'both' })).body.data.id)
    expect(applied.body.data).toMatchObject({ command: 'apply', status: 'completed', outputs: { shown: 'first' } })
    expect(applied.body.data.output).toContain('Apply complete! Resources: 2 added, 0 changed, 0 destroyed.')

    const answer = await run('destroy', { stack: 'both' })
    expect(answer.status).toBe(201)
    expect(answer.body.data).toMatchObject({ command: 'destroy', status: 'running' })
    const destroyed = await over(answer.body.data.id)
    expect(destroyed.body.data).toMatchObject({ status: 'completed', plan: { add: 0, change: 0, destroy: 2 } })
    expect(destroyed.body.data.output).toMatch(/Plan: 0 to add, 0 to change, 2 to destroy\.[\s\S]*2 destroyed\./)
  })

  it('what tofu refuses → failed, with its words, file and line in error', async () => {
    const failed = await over(
      (await run('apply', { stack: 'bad', config: 'output "x" {\n  value = var.none\n}' })).body.data.id,
    )

    expect(failed.body.data).toMatchObject({
      status: 'failed',
      completed_at: aTime,
      error: expect.stringMatching(/undeclared input variable[\s\S]*main\.tf line 2/i),
    })
  })

  it('a run whose stack is busy → pending, started_at null, and says for what it waits; it can be cancelled', async () => {
    const first = (await run('apply', { stack: 'busy', config: slow })).body.data
    const second = (await run('plan', { stack: 'busy' })).body.data
    expect(second).toMatchObject({ status: 'pending', started_at: null })
    await until(
      () => show(second.id),
      ({ body }) => body.data.message.includes(first.name),
    )
    const cancelled = await kim.post(`/api/v1/iac/executions/${second.id}/cancel`)
    expect(cancelled.status).toBe(200)
    expect((await over(second.id)).body.data).toMatchObject({ status: 'cancelled', started_at: null, plan: null })

    await until(
      () => show(first.id),
      ({ body }) => body.data.output.includes('under way'),
    )
    await kim.post(`/api/v1/iac/executions/${first.id}/cancel`)
    expect((await over(first.id)).body.data).toMatchObject({
      status: 'cancelled',
      error: expect.stringContaining('saved the state'),
    })
    expect((await kim.post(`/api/v1/iac/executions/${first.id}/cancel`)).status).toBe(200)
  })

  it('approval: "manual" waits for POST executions/:id/approve {digest}; another digest → 409', async () => {
    const { id } = (await run('apply', { stack: 'asked', approval: 'manual' })).body.data
    const approve = (digest: string) => kim.post(`/api/v1/iac/executions/${id}/approve`, { body: { digest } })
    const waiting = await until(
      () => show(id),
      ({ body }) => body.data.phase === 'AwaitingApproval',
    )
    expect(waiting.body.data.status).toBe('pending')

    const other = await approve(`sha256:${'0'.repeat(64)}`)
    expect(other.status).toBe(409)
    expect(other.body.error.message).toContain(waiting.body.data.plan.digest)
    expect((await approve('yes')).body).toEqual(invalid('digest'))
    expect((await approve(waiting.body.data.plan.digest)).status).toBe(200)
    expect((await over(id)).body.data.status).toBe('completed')
    expect((await approve(`sha256:${'0'.repeat(64)}`)).status).toBe(409)
  })

  it('GET iac/executions?workspace_id= → 200 [ … ], oldest first, with filters, pages and a total', async () => {
    const all = await kim.get(`/api/v1/iac/executions?workspace_id=${team}`)
    expect(all.status).toBe(200)
    expect(all.headers.get('x-total-count')).toBe(String(all.body.data.length))
    const plan = all.body.data.find(({ command }: { command: string }) => command === 'plan')
    expect(plan).toMatchObject({ id: anId, workspace_id: team, started_at: aTime, completed_at: aTime })
    const ends = all.body.data.map((one: { completed_at: string }) => one.completed_at)
    expect(ends.at(-1) >= ends[0]).toBe(true)
    expect(plan).not.toHaveProperty('output')
    expect((await kim.get('/api/v1/iac/executions')).body.data).toEqual(all.body.data)

    const of = async (query: string) => (await kim.get(`/api/v1/iac/executions?${query}`)).body.data
    expect(await of('command=destroy')).toHaveLength(1)
    expect(await of('stack=both')).toHaveLength(2)
    expect(await of('status=failed&stack=bad')).toHaveLength(1)
    expect(await of('limit=1&offset=1')).toEqual([all.body.data[1]])
    expect((await kim.get('/api/v1/iac/executions?status=done')).body).toEqual(invalid('status'))
    expect((await kim.get(`/api/v1/iac/executions?workspace_id=${NOBODY}`)).status).toBe(404)
  })

  it('GET executions/:id/output → text; ?follow goes on until the run is over, as text or as server-sent events', async () => {
    const { id } = (await run('apply', { stack: 'followed', config: slow })).body.data
    const path = `${installation().url}/api/v1/iac/executions/${id}/output`
    const authorization = `Bearer ${kim.token}`
    const [text, events] = await Promise.all([
      fetch(`${path}?follow`, { headers: { authorization } }),
      fetch(`${path}?follow=true`, { headers: { authorization, accept: 'text/event-stream' } }),
    ])
    expect(text.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(events.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')

    const told = await events.text()
    expect(told).toContain('event: status\ndata: {"phase":"Applying"}\n\n')
    expect(told).toMatch(/event: end\ndata: \{"phase":"Completed"\}\n\n$/)
    const followed = await text.text()
    expect(followed).toMatch(/Plan: 2 to add[\s\S]*under way[\s\S]*Apply complete! Resources: 2 added/)
    const whole = await fetch(path, { headers: { authorization } })
    expect(await whole.text()).toBe(followed)
  })

  it('what is missing, too much or unknown → 400; a workspace or run that is not the caller’s → 404; a viewer → 403', async () => {
    expect((await run('plan', { config: undefined })).body).toEqual(invalid('config'))
    expect((await run('plan', { config: '' })).body).toEqual(invalid('config'))
    expect((await run('plan', { stack: 'A_B', colour: 'red' })).body).toEqual(invalid('stack', 'colour'))
    expect((await run('plan', { workspace_id: NOBODY })).body).toEqual(failure('NOT_FOUND', aText))
    expect((await show(NOBODY)).status).toBe(404)

    const id = (await kim.get('/api/v1/iac/executions?limit=1')).body.data[0].id
    const lee = await installation().newcomer('Lee')
    const about = [`/api/v1/iac/executions/${id}`, `/api/v1/iac/executions/${id}/output`]
    for (const path of about) expect((await lee.get(path)).status).toBe(404)
    expect((await lee.post('/api/v1/iac/plan', { body: { workspace_id: team, config: two } })).status).toBe(404)

    await kim.post(`/api/v1/workspaces/${team}/members`, { body: { user_id: lee.id, role: 'viewer' } })
    await until(
      () => lee.get(`/api/v1/iac/executions/${id}`),
      ({ status, body }) => status === 200 && body.data.output !== '',
    )
    const refused = await lee.post('/api/v1/iac/plan', { body: { workspace_id: team, config: two } })
    expect(refused.status).toBe(403)
    expect((await lee.post(`/api/v1/iac/executions/${id}/cancel`)).status).toBe(403)
  })
}
