/** The same runs as Jobs: the real kube-apiserver and kube-controller-manager, and a kubelet that runs the pods as processes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jobExecutor } from '../../controller/tofu-run/job-executor.ts'
import { usualLimits } from '../../controller/tofu-run/protocol.ts'
import type { TofuRun } from '../../crds/tofu-run.ts'
import { jobType } from '../../kube/builtin-types.ts'
import { getCondition } from '../../kube/conditions.ts'
import { type Kubelet, kubelet } from './kubelet.ts'
import { oneResource, type Workbench, workbench } from './workbench.ts'

const limits = { ...usualLimits, diskBytes: 64 * 2 ** 20 }

let bench: Workbench
let node: Kubelet
beforeAll(async () => {
  bench = await workbench({
    executor: (given, { client }) =>
      jobExecutor({ ...given, client, image: 'runner@sha256:test', environment: {}, limits }),
    limits,
  })
  const { administrator: client, namespace, folder, tofu } = bench
  const image = {
    PATH: process.env.PATH ?? '',
    SKYCLUST_TOFU: tofu,
    SKYCLUST_TOFU_PLUGIN_DIR: `${folder}/no-providers`,
  }
  node = await kubelet({ client, namespace, folder, image, graceMs: 10_000 })
})
afterAll(async () => {
  await bench?.[Symbol.asyncDispose]()
  await node?.[Symbol.asyncDispose]()
})

const slow = {
  'main.tf': `resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "echo up; sleep 3"
  }
}
resource "terraform_data" "after" {
  depends_on = [terraform_data.slow]
}
`,
}
/** The same, for as long as nobody interrupts it. */
const held = { 'main.tf': slow['main.tf'].replace('sleep 3', 'exec sleep 120') }

const running = (command: string) => ({
  'main.tf': `resource "terraform_data" "one" {
  provisioner "local-exec" {
    command = ${JSON.stringify(command)}
  }
}
`,
})

/** In one pod, and its stack is free. */
async function hasEndedOnce(name: string, run: TofuRun): Promise<void> {
  expect(node.ran.filter(({ metadata }) => metadata.name.startsWith(`${name}-apply`))).toHaveLength(1)
  const head = await bench.tofuRuns.states.head(await bench.tofuRuns.stackOf(run))
  expect(head.holder ?? head.lock).toBeUndefined()
}

describe('a run in Jobs', () => {
  it('plans and applies, each in one pod without a token, privilege or a writable root', async () => {
    await bench.run('job-apply', { command: 'apply', stack: 'job' })
    const run = await bench.over('job-apply')
    expect(run.status).toMatchObject({ phase: 'Completed', plan: { add: 1 } })
    expect((await bench.state(run))?.resources).toHaveLength(1)
    const pods = node.ran.filter(({ metadata }) => metadata.name.startsWith('job-apply'))
    expect(pods).toHaveLength(2)
    for (const { spec } of pods) {
      expect(spec).toMatchObject({ automountServiceAccountToken: false, restartPolicy: 'Never' })
      expect(spec?.securityContext).toMatchObject({ runAsNonRoot: true })
      const security = {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      }
      expect(spec?.containers[0]?.securityContext).toMatchObject(security)
      expect(JSON.stringify(spec)).not.toContain('serviceaccount')
    }
    expect(await bench.output('job-apply', 'apply')).toContain('Apply complete!')
  })

  it('leaves no Job and no token behind', async () => {
    await bench.run('job-clean', { stack: 'clean' })
    await bench.over('job-clean')
    const left = async () => {
      const { items } = await bench.administrator.list(jobType, { namespace: bench.namespace })
      return items.filter(({ metadata }) => metadata.name.startsWith('job-clean')).length
    }
    await expect.poll(left).toBe(0)
    const secrets = await bench.cluster.kubectl('get', 'secrets', '-n', bench.namespace, '-o', 'name')
    expect(secrets).not.toContain('job-clean')
  })

  it('says what is wrong with the configuration as any other run', async () => {
    await bench.run('job-bad', { stack: 'bad', source: { inline: { 'main.tf': 'resource {\n' } } })
    expect((await bench.over('job-bad')).status).toMatchObject({
      phase: 'Failed',
      error: expect.stringMatching(/main\.tf line 1/),
    })
  })

  it('that is cancelled while applying saves the state', async () => {
    await bench.run('job-cancel', { command: 'apply', stack: 'cancel', source: { inline: held } })
    await expect.poll(() => bench.output('job-cancel', 'apply')).toContain('up')
    await bench.patch('job-cancel', { cancel: true })
    const run = await bench.over('job-cancel')
    expect(run.status?.phase).toBe('Cancelled')
    expect((await bench.state(run))?.resources).toHaveLength(1)
  })

  it('whose pod is killed while applying is Interrupted, in the words of the kubelet, and no second pod is made', async () => {
    await bench.run('job-oom', { command: 'apply', stack: 'oom', source: { inline: held } })
    await expect.poll(() => bench.output('job-oom', 'apply')).toContain('up')
    node.killProcess('job-oom-apply')
    const run = await bench.over('job-oom')
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('Interrupted')
    expect(run.status?.error).toContain('OOMKilled')
    expect(node.ran.filter(({ metadata }) => metadata.name.startsWith('job-oom-apply'))).toHaveLength(1)
    const head = await bench.tofuRuns.states.head(await bench.tofuRuns.stackOf(run))
    expect(head.holder).toBeUndefined()
  })

  it('whose pod is evicted saves the state while its grace lasts, is Interrupted, and no second pod is made', async () => {
    await bench.run('job-evicted', { command: 'apply', stack: 'evicted', source: { inline: held } })
    await expect.poll(() => bench.output('job-evicted', 'apply'), { timeout: 60_000 }).toContain('up')
    await node.evict('job-evicted-apply')
    const run = await bench.over('job-evicted')
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('Interrupted')
    expect(run.status?.error).toMatch(/the runner had to end.*saved the state/)
    expect((await bench.state(run))?.resources).toHaveLength(1)
    expect(node.ran.filter(({ metadata }) => metadata.name.startsWith('job-evicted-apply'))).toHaveLength(1)
    const head = await bench.tofuRuns.states.head(await bench.tofuRuns.stackOf(run))
    expect(head.holder ?? head.lock).toBeUndefined()
  })

  it('that takes more disk than it may stops before the kubelet evicts its pod, and saves the state', async () => {
    const fill = 'for i in 1 2 3 4 5; do head -c 20000000 /dev/zero > f$i; done; exec sleep 120'
    await bench.run('job-disk', { command: 'apply', stack: 'disk', source: { inline: running(fill) } })
    const run = await bench.over('job-disk')
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('DiskLimitExceeded')
    expect(run.status?.error).toMatch(/64 MiB of disk .*saved the state/)
    expect((await bench.state(run))?.resources).toHaveLength(1)
    await hasEndedOnce('job-disk', run)
  })

  it('whose pod is evicted for its disk is Interrupted, in the words of the kubelet, and no second pod is made', async () => {
    // What is /tmp in the container; the runner does not count it.
    const fill = 'for i in 1 2 3 4 5; do head -c 60000000 /dev/zero > ../../../tmp/f$i; done; exec sleep 120'
    await bench.run('job-tmp', { command: 'apply', stack: 'tmp', source: { inline: running(fill) } })
    const run = await bench.over('job-tmp')
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('Interrupted')
    expect(run.status?.error).toContain('Evicted: Usage of EmptyDir volume "tmp" exceeds the limit "256Mi".')
    await hasEndedOnce('job-tmp', run)
  })

  it('whose node is gone is Interrupted; what lives on there can write nothing, and the stack is free', async () => {
    await bench.run('job-node', { command: 'apply', stack: 'node', source: { inline: held } })
    await expect.poll(() => bench.output('job-node', 'apply')).toContain('up')
    node.loseNode('job-node-apply')
    const pods = ['delete', 'pod', '-n', bench.namespace, '-l', 'skyclust.io/tofu-run=job-node']
    await bench.cluster.kubectl(...pods, '--force', '--grace-period=0')
    const run = await bench.over('job-node')
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('Interrupted')
    expect(run.status?.error).toContain('resources may exist')
    await node.ended('job-node-apply')
    expect(await bench.state(run)).toBeUndefined()
    const head = await bench.tofuRuns.states.head(await bench.tofuRuns.stackOf(run))
    expect(head.holder ?? head.lock).toBeUndefined()
  })

  it('goes on while the controller is stopped and started again', async () => {
    await bench.run('job-restart', { command: 'apply', stack: 'restart', source: { inline: slow } })
    await expect.poll(() => bench.output('job-restart', 'apply')).toContain('up')
    await bench.stop()
    await bench.start()
    const run = await bench.over('job-restart')
    expect(run.status?.phase).toBe('Completed')
    expect((await bench.state(run))?.resources).toHaveLength(2)
  })

  it('is named in a NetworkPolicy that keeps it from the metadata service of the cloud', async () => {
    await bench.run('job-net', { stack: 'net', source: { inline: oneResource } })
    await bench.over('job-net')
    const policy = await bench.cluster.kubectl(
      'get',
      'networkpolicy',
      'skyclust-tofu-run',
      '-n',
      bench.namespace,
      '-o',
      'json',
    )
    expect(JSON.parse(policy).spec.policyTypes).toEqual(['Ingress', 'Egress'])
    expect(policy).toContain('169.254.0.0/16')
  })
})
