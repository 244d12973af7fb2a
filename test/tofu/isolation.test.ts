/**
 * What a configuration that somebody else wrote can reach when runs are child processes. On a machine that gives no sandbox these sentences
 * are about nothing; that it says so is tried beside `sandbox.ts`.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sandboxRefusal } from '../../controller/tofu-run/runner/sandbox.ts'
import { getCondition } from '../../kube/conditions.ts'
import { type Workbench, workbench } from './workbench.ts'

let bench: Workbench
beforeAll(async () => {
  bench = await workbench({ sandbox: true, environment: { SECRET_OF_THE_CONTROLLER: 'not for runs' } })
})
afterAll(() => bench?.[Symbol.asyncDispose]())

const refusal = await sandboxRefusal(join(homedir(), '.cache'))
if (refusal === undefined) describe('a hostile configuration', hostile)
else it('needs a sandbox to be held', () => expect(refusal).not.toBe(''))

/** Of every process of this machine. */
async function commandLines(): Promise<string> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))
  return (await Promise.all(lines)).join('\n').replaceAll('\0', ' ')
}

function hostile(): void {
  it('reads its own folder, and neither the system, nor a home, nor another run, nor another process, by any function', async () => {
    const other = join(bench.folder, 'runs', 'other', 'work')
    await mkdir(other, { recursive: true })
    await writeFile(join(other, 'secret.txt'), 'of another run')
    const reads = {
      own: 'file("./own.txt")',
      passwd: 'file("/etc/passwd")',
      template: 'templatefile("/etc/shadow", {})',
      home: 'file(pathexpand("~/.kube/config"))',
      kubeconfig: `file(${JSON.stringify(bench.kubeconfig)})`,
      other: `file(${JSON.stringify(join(other, 'secret.txt'))})`,
      beside: 'file("../../other/work/secret.txt")',
      hash: `filesha256(${JSON.stringify(join(other, 'secret.txt'))})`,
      environ: `file("/proc/${process.pid}/environ")`,
      token: 'file("/var/run/secrets/kubernetes.io/serviceaccount/token")',
    }
    const outputs = Object.entries(reads).map(([name, read]) => `output "${name}" { value = try(${read}, "refused") }`)
    const others = `output "others" { value = length(fileset(${JSON.stringify(join(bench.folder, 'runs'))}, "other/**")) }`
    const inline = { 'main.tf': [...outputs, others].join('\n'), 'own.txt': 'mine' }
    await bench.run('reads', { command: 'apply', stack: 'reads', source: { inline } })
    const expected = Object.fromEntries(Object.keys(reads).map((name) => [name, name === 'own' ? 'mine' : 'refused']))
    expect((await bench.over('reads')).status?.outputs).toEqual({ ...expected, others: '0' })
  })

  it('is told so in the words of tofu, with file and line', async () => {
    const inline = { 'main.tf': '\n\noutput "x" {\n  value = file("/etc/passwd")\n}\n' }
    await bench.run('told', { stack: 'told', source: { inline } })
    const { status } = await bench.over('told')
    expect(status).toMatchObject({
      phase: 'Failed',
      error: expect.stringMatching(/main\.tf line 4[\s\S]*\/etc\/passwd/),
    })
  })

  it('finds in a provisioner no more than that: no environment of others, no process but its own, nothing that it may write', async () => {
    const steal = `
      for p in /etc/passwd /etc/shadow ${bench.kubeconfig} ${bench.folder}/controller-only /proc/${process.pid}/environ; do
        [ -r $p ] && echo "stolen: $p"
      done
      cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -E 'SKYCLUST|KUBE|SECRET_OF' && echo "stolen: environment"
      for p in /usr/bin/x /etc/x /proc/sys/kernel/core_pattern; do
        (echo x > $p) 2>/dev/null && echo "wrote: $p"
      done
      echo x > ${bench.folder}/written 2>/dev/null
      kill -s KILL ${process.pid} 2>/dev/null && echo "killed: ${process.pid}"
      unshare --user true 2>/dev/null && echo "gained a namespace"
      echo searched`
    const inline = {
      'main.tf': `resource "terraform_data" "thief" {\n  provisioner "local-exec" {\n    command = ${JSON.stringify(steal)}\n  }\n}\n`,
    }
    await writeFile(join(bench.folder, 'controller-only'), 'secret')
    await bench.run('thief', { command: 'apply', stack: 'thief', source: { inline } })
    expect((await bench.over('thief')).status?.phase).toBe('Completed')
    const output = await bench.output('thief', 'apply')
    expect(output).toContain('(local-exec): searched')
    expect(output).not.toMatch(/\(local-exec\): (stolen|wrote|killed|gained)/)
    expect(await readdir(bench.folder)).not.toContain('written')
  })

  it('has a token for its state alone: with it nobody reports a result, and it is not seen in the output', async () => {
    const command = 'echo "token $TF_HTTP_PASSWORD"; exec sleep 120'
    const inline = {
      'main.tf': `resource "terraform_data" "slow" {\n  provisioner "local-exec" {\n    command = ${JSON.stringify(command)}\n  }\n}\n`,
    }
    await bench.run('forger', { command: 'apply', stack: 'forger', source: { inline } })
    await expect.poll(() => bench.output('forger', 'apply'), { timeout: 60_000 }).toContain('token (redacted)')
    const { uid } = (await bench.until('forger', () => true)).metadata
    const leader = JSON.parse(await readFile(join(bench.folder, 'runs', uid, 'work', 'child.json'), 'utf8')).pid
    const environment = await readFile(`/proc/${leader}/environ`, 'utf8')
    const variable = (name: string) => new RegExp(`(?:^|\\0)${name}=([^\\0]*)`).exec(environment)?.[1] ?? ''
    const ask = (method: string, what: string, body?: string) =>
      fetch(variable('TF_HTTP_ADDRESS').replace(/state$/, what), {
        method,
        headers: { authorization: `Bearer ${variable('TF_HTTP_PASSWORD')}` },
        ...(body !== undefined && { body }),
      })
    const forged = { outcome: 'succeeded', error: '', reason: '', finishedAt: new Date().toISOString() }
    expect((await ask('POST', 'result', JSON.stringify(forged))).status).toBe(403)
    expect((await ask('GET', 'bundle')).status).toBe(403)
    expect((await ask('GET', 'state')).ok).toBe(true)
    await bench.patch('forger', { cancel: true })
    expect((await bench.over('forger')).status?.phase).toBe('Cancelled')
  })

  it('leaves no process behind when it is cancelled, or its time is up: not one in the background, nor in a session of its own', async () => {
    const mark = `sleep 7${process.pid}`
    const command = `setsid -f ${mark}; (${mark} &) ; echo up; exec sleep 120`
    const inline = {
      'main.tf': `resource "terraform_data" "daemons" {\n  provisioner "local-exec" {\n    command = ${JSON.stringify(command)}\n  }\n}\n`,
    }
    for (const [name, timeout] of Object.entries({ cancelled: '1h', late: '10s' })) {
      await bench.run(name, { command: 'apply', stack: name, source: { inline }, timeout })
    }
    await expect.poll(() => bench.output('cancelled', 'apply')).toContain('up')
    expect(await commandLines()).toContain(mark)
    await bench.patch('cancelled', { cancel: true })
    expect((await bench.over('cancelled')).status?.phase).toBe('Cancelled')
    expect(getCondition((await bench.over('late')).status?.conditions, 'Ready')?.reason).toBe('Timeout')
    await expect.poll(commandLines).not.toContain(mark)
  })

  it('whose runner is killed is Interrupted as any other: tofu saves the state in the sandbox, and the stack is free', async () => {
    const inline = {
      'main.tf':
        'resource "terraform_data" "one" {}\nresource "terraform_data" "slow" {\n  depends_on = [terraform_data.one]\n  provisioner "local-exec" {\n    command = "echo up; exec sleep 120"\n  }\n}\n',
    }
    await bench.run('lost', { command: 'apply', stack: 'lost', source: { inline } })
    await expect.poll(() => bench.output('lost', 'apply'), { timeout: 60_000 }).toContain('up')
    const { uid } = (await bench.until('lost', () => true)).metadata
    process.kill(JSON.parse(await readFile(join(bench.folder, 'runs', uid, 'apply.json'), 'utf8')).pid, 'SIGKILL')
    const run = await bench.over('lost')
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('Interrupted')
    expect((await bench.state(run))?.resources).toHaveLength(2)
    const head = await bench.tofuRuns.states.head(await bench.tofuRuns.stackOf(run))
    expect(head.holder ?? head.lock).toBeUndefined()
  })
}
