/** Runs from the manifest to the state, on a real apiserver and with the real tofu, as child processes. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { getCondition } from '../../kube/conditions.ts'
import { oneResource, type Workbench, workbench } from './workbench.ts'

let bench: Workbench
beforeAll(async () => {
  bench = await workbench()
})
afterAll(() => bench?.[Symbol.asyncDispose]())

describe('a plan', () => {
  it('is Completed with what it would change, and changes nothing', async () => {
    await bench.run('plan-1', { stack: 'plans' })
    const run = await bench.over('plan-1')
    expect(run.status).toMatchObject({ phase: 'Completed', plan: { add: 1, change: 0, destroy: 0 } })
    expect(run.status?.plan?.digest).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(run.status?.plan?.changes).toEqual([{ address: 'terraform_data.one', actions: ['create'] }])
    expect(await bench.output('plan-1')).toContain('Plan: 1 to add, 0 to change, 0 to destroy.')
    expect(await bench.state(run)).toBeUndefined()
    await bench.cluster.kubectl(
      'wait',
      '--for=condition=Ready',
      'tofurun/plan-1',
      '-n',
      bench.namespace,
      '--timeout=10s',
    )
  })
})

describe('an apply and a destroy', () => {
  const outputs = `${oneResource['main.tf']}
    output "id" { value = terraform_data.one.output }
    output "list" { value = [1, 2] }
    output "hidden" {
      value = "sensitive-thing"
      sensitive = true
    }`

  it('make a state, show the outputs that are not sensitive, and leave an empty one', async () => {
    await bench.run('apply-1', { command: 'apply', stack: 'both', source: { inline: { 'main.tf': outputs } } })
    const applied = await bench.over('apply-1')
    expect(applied.status).toMatchObject({ phase: 'Completed', outputs: { id: 'first', list: '[1,2]' } })
    expect(applied.status?.outputs).not.toHaveProperty('hidden')
    expect(await bench.output('apply-1', 'apply')).toContain('Apply complete! Resources: 1 added')
    expect((await bench.state(applied))?.resources).toHaveLength(1)

    await bench.run('again', { command: 'plan', stack: 'both', source: { inline: { 'main.tf': outputs } } })
    expect((await bench.over('again')).status?.plan).toMatchObject({ add: 0, change: 0, destroy: 0 })

    await bench.run('destroy-1', { command: 'destroy', stack: 'both', source: { inline: { 'main.tf': outputs } } })
    const destroyed = await bench.over('destroy-1')
    expect(destroyed.status).toMatchObject({ phase: 'Completed', plan: { add: 0, destroy: 1 } })
    expect((await bench.state(destroyed))?.resources).toEqual([])
  })

  it('lets go of the stack and of the lock at the end', async () => {
    await bench.run('free', { command: 'apply', stack: 'free' })
    const run = await bench.over('free')
    const head = await bench.tofuRuns.states.head(await bench.tofuRuns.stackOf(run))
    expect(head.holder).toBeUndefined()
    expect(head.lock).toBeUndefined()
  })
})

describe('bad input', () => {
  it.each([
    ['hcl', { 'main.tf': 'resource "terraform_data" "x" {\n  input = \n' }, /main\.tf line 2/],
    ['cycle', { 'main.tf': 'locals {\n  a = local.b\n  b = local.a\n}\noutput "x" { value = local.a }\n' }, /Cycle/],
    ['provider', { 'main.tf': 'resource "nosuch_thing" "x" {}\n' }, /nosuch/],
    ['variable', { 'main.tf': 'variable "needed" { type = string }\noutput "x" { value = var.needed }\n' }, /needed/],
    ['backend', { 'main.tf': 'terraform {\n  backend "local" {}\n}\n' }, /main\.tf line 2: backend block/],
    ['nothing', { 'readme.txt': 'nothing here' }, /no configuration/],
  ])('of the kind %s is Failed with the words of tofu or ours', async (name, inline, words) => {
    await bench.run(`bad-${name}`, { command: 'apply', stack: `bad-${name}`, source: { inline } })
    const run = await bench.over(`bad-${name}`)
    expect(run.status?.phase).toBe('Failed')
    expect(run.status?.error).toMatch(words)
    const stalled = getCondition(run.status?.conditions, 'Stalled')
    expect(stalled?.status).toBe('True')
  })
})

describe('an approval', () => {
  it('applies the very plan that it names', async () => {
    await bench.run('manual', { command: 'apply', stack: 'manual', approval: { mode: 'Manual' } })
    const waiting = await bench.until('manual', ({ status }) => status?.phase === 'AwaitingApproval')
    await bench.patch('manual', { approvedPlan: `sha256:${'0'.repeat(64)}` })
    const refused = await bench.until(
      'manual',
      ({ status }) => getCondition(status?.conditions, 'Ready')?.reason === 'ApprovalRefused',
    )
    expect(getCondition(refused.status?.conditions, 'Ready')?.message).toContain(waiting.status?.plan?.digest)
    await bench.patch('manual', { approvedPlan: waiting.status?.plan?.digest })
    expect((await bench.over('manual')).status?.phase).toBe('Completed')
  })

  it('may be kept from who plans: setting spec.approvedPlan needs the verb approve', async () => {
    const { cluster, namespace } = bench
    const verbs = ['get', 'list', 'watch', 'create', 'patch', 'update']
    await cluster.kubectl(
      ...['create', 'role', 'planner', '-n', namespace, '--resource=tofuruns.skyclust.io', `--verb=${verbs}`],
    )
    await cluster.kubectl('create', 'rolebinding', 'planner', '-n', namespace, '--role=planner', '--user=pat')
    await bench.run('asked', { command: 'apply', stack: 'asked', approval: { mode: 'Manual' } })
    const { status } = await bench.until('asked', (run) => run.status?.phase === 'AwaitingApproval')
    const approvedPlan = status?.plan?.digest
    await expect(bench.patch('asked', { approvedPlan }, 'pat')).rejects.toThrow('you may not approve runs here')
    await bench.patch('asked', { cancel: true }, 'pat')
    expect((await bench.over('asked')).status).toMatchObject({
      phase: 'Cancelled',
      error: 'Cancelled before its plan was approved; nothing was changed.',
    })
  })

  it('of a plan that the state has left behind is refused in words', async () => {
    await bench.run('slow-approval', { command: 'apply', stack: 'left', approval: { mode: 'Manual' } })
    const waiting = await bench.until('slow-approval', ({ status }) => status?.phase === 'AwaitingApproval')
    await bench.run('overtakes', { command: 'apply', stack: 'left' })
    expect((await bench.over('overtakes')).status?.phase).toBe('Completed')
    const outdated = await bench.over('slow-approval')
    expect(outdated.status).toMatchObject({ phase: 'Failed', error: expect.stringContaining('create a new run') })
    expect(waiting.status?.plan?.stateVersion).toBe(0)
  })

  it('comes too late for a plan that is too old', async () => {
    await bench.run('old', { command: 'apply', stack: 'old', approval: { mode: 'Manual', maxAge: '1s' } })
    const run = await bench.over('old')
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('PlanExpired')
  })
})

describe('runs of one stack', () => {
  it('go one after the other, and say what they wait for', async () => {
    const slow = {
      'main.tf': 'resource "terraform_data" "s" {\n  provisioner "local-exec" {\n    command = "sleep 2"\n  }\n}\n',
    }
    await bench.run('first', { command: 'apply', stack: 'queue', source: { inline: slow } })
    await bench.run('second', { command: 'apply', stack: 'queue', source: { inline: slow } })
    await bench.run('third', { command: 'plan', stack: 'queue', source: { inline: slow } })
    const waiting = await bench.until(
      'third',
      ({ status }) => getCondition(status?.conditions, 'Ready')?.reason === 'WaitingForStack',
    )
    expect(getCondition(waiting.status?.conditions, 'Ready')?.message).toMatch(/first and 1 more run|second/)
    const runs = [await bench.over('first'), await bench.over('second'), await bench.over('third')]
    expect(runs.map(({ status }) => status?.phase)).toEqual(['Completed', 'Completed', 'Completed'])
    const ends = runs.map(({ status }) => status?.completedAt ?? '')
    expect([...ends].sort()).toEqual(ends)
  })
})

describe('a cancel', () => {
  /** tofu ends such a command when it is interrupted: it takes as long as the test needs. */
  const sleeping = {
    'main.tf':
      'resource "terraform_data" "s" {\n  provisioner "local-exec" {\n    command = "echo up; exec sleep 120"\n  }\n}\nresource "terraform_data" "after" {\n  depends_on = [terraform_data.s]\n}\n',
  }

  it('while applying lets tofu finish what is under way, saves the state, and frees the stack', async () => {
    await bench.run('cancelled', { command: 'apply', stack: 'cancel', source: { inline: sleeping } })
    await bench.until('cancelled', ({ status }) => status?.phase === 'Applying')
    await expect.poll(() => bench.output('cancelled', 'apply')).toContain('up')
    await bench.patch('cancelled', { cancel: true })
    const run = await bench.over('cancelled')
    expect(run.status).toMatchObject({ phase: 'Cancelled', error: expect.stringContaining('saved the state') })
    expect((await bench.state(run))?.resources).toHaveLength(1)
    const head = await bench.tofuRuns.states.head(await bench.tofuRuns.stackOf(run))
    expect(head.holder).toBeUndefined()
    expect(head.lock).toBeUndefined()
  })

  it('while planning ends it at once, and nothing is changed or locked', async () => {
    const many = { 'main.tf': 'resource "terraform_data" "many" {\n  count = 4000\n}\n' }
    await bench.run('many', { command: 'apply', stack: 'many', source: { inline: many } })
    await expect.poll(() => bench.output('many')).toContain('Initializing')
    await bench.patch('many', { cancel: true })
    const run = await bench.over('many')
    expect(run.status).toMatchObject({ phase: 'Cancelled', error: expect.stringMatching(/nothing was changed/) })
    const head = await bench.tofuRuns.states.head(await bench.tofuRuns.stackOf(run))
    expect((await bench.state(run))?.resources ?? []).toEqual([])
    expect(head.holder ?? head.lock).toBeUndefined()
  })

  it('before anything began does nothing', async () => {
    await bench.run('holds', { command: 'apply', stack: 'cancel-2', source: { inline: sleeping } })
    await bench.run('waits', { command: 'apply', stack: 'cancel-2', source: { inline: sleeping } })
    await bench.until('waits', ({ status }) => status?.phase === 'Pending')
    await bench.patch('waits', { cancel: true })
    const run = await bench.over('waits')
    expect(run.status?.phase).toBe('Cancelled')
    expect(run.status?.plan).toBeUndefined()
    await bench.patch('holds', { cancel: true })
    await bench.over('holds')
  })

  it('is a timeout, when the time is up', async () => {
    const inline = {
      'main.tf':
        'resource "terraform_data" "s" {\n  provisioner "local-exec" {\n    command = "exec sleep 120"\n  }\n}\nresource "terraform_data" "after" {\n  depends_on = [terraform_data.s]\n}\n',
    }
    await bench.run('timed', { command: 'apply', stack: 'timed', timeout: '3s', source: { inline } })
    const run = await bench.over('timed')
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('Timeout')
  })
})

describe('a controller that is told to stop', () => {
  it('lets the phase under way finish, and the next one goes on from there', async () => {
    const inline = {
      'main.tf':
        'resource "terraform_data" "s" {\n  provisioner "local-exec" {\n    command = "echo up; sleep 2"\n  }\n}\n',
    }
    await bench.run('stopped', { command: 'apply', stack: 'stopped', source: { inline } })
    await expect.poll(() => bench.output('stopped', 'apply')).toContain('up')
    await bench.stop()
    await bench.start()
    expect((await bench.over('stopped')).status?.phase).toBe('Completed')
  })
})

describe('a run that is over', () => {
  it('says that it is paused, which keeps it, and goes on saying how it ended', async () => {
    const annotate = (value: string) =>
      bench.cluster.kubectl('annotate', 'tofurun', 'kept', '-n', bench.namespace, `skyclust.io/paused${value}`)
    const told = async () => bench.cluster.kubectl('get', 'events.events.k8s.io', '-n', bench.namespace)
    await bench.run('kept', { command: 'plan', stack: 'kept' })
    const before = getCondition((await bench.over('kept')).status?.conditions, 'Ready')

    await annotate('=true')
    const isPaused = (conditions: Parameters<typeof getCondition>[0]) =>
      getCondition(conditions, 'Paused') !== undefined
    const paused = await bench.until('kept', ({ status }) => isPaused(status?.conditions))
    expect(getCondition(paused.status?.conditions, 'Ready')).toEqual(before)
    await annotate('-')
    await bench.until('kept', ({ status }) => !isPaused(status?.conditions))
    await expect.poll(told).toMatch(/Paused[\s\S]*Resumed|Resumed[\s\S]*Paused/)
  })

  it('leaves no file behind where its programs made a folder that is too deep to be named, or locked one', async () => {
    const half = Array.from({ length: 15 }, () => 'x'.repeat(200)).join('/')
    const hide = `mkdir -p upper/${half} lower/${half} locked/in && mv lower upper/${half}/ && chmod 0 locked/in locked`
    const inline = {
      'main.tf': `resource "terraform_data" "one" {\n  provisioner "local-exec" {\n    command = "${hide}"\n  }\n}\n`,
    }
    await bench.run('hidden', { command: 'apply', stack: 'hidden', source: { inline } })
    const run = await bench.over('hidden')
    expect(run.status?.phase).toBe('Completed')
    expect(await readdir(join(bench.folder, 'runs'))).not.toContain(run.metadata.uid)
  })
})

describe('a deleted run', () => {
  it('leaves no Secret and no file behind', async () => {
    await bench.run('gone', { command: 'plan', stack: 'gone' })
    const run = await bench.over('gone')
    await bench.cluster.kubectl('delete', 'tofurun', 'gone', '-n', bench.namespace, '--timeout=30s')
    const names = await bench.cluster.kubectl('get', 'secrets', '-n', bench.installation, '-o', 'name')
    expect(names).not.toContain(run.metadata.uid)
  })

  it('goes by itself when its time to live is over', async () => {
    await bench.run('short', { command: 'plan', stack: 'short', ttlSecondsAfterFinished: 0 })
    const left = () => bench.cluster.kubectl('get', 'tofurun', 'short', '-n', bench.namespace, '--ignore-not-found')
    await expect.poll(left).toBe('')
  })
})
