/** States by hand: the operator's program against a real cluster, beside runs that use the same stacks. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { getCondition } from '../../kube/conditions.ts'
import { type Workbench, workbench } from './workbench.ts'

let bench: Workbench
beforeAll(async () => {
  bench = await workbench()
})
afterAll(() => bench?.[Symbol.asyncDispose]())

const program = join(import.meta.dirname, '../../controller/tofu-run/state/main.ts')

/** What it prints. */
async function byHand(stack: string, ...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env.PATH, KUBECONFIG: bench.cluster.kubeconfig, SKYCLUST_NAMESPACE: bench.installation }
  const place = ['--namespace', bench.namespace, '--stack', stack]
  return (await promisify(execFile)(process.execPath, [program, ...args, ...place], { env })).stdout
}

async function applied(name: string, stack: string, word: string): Promise<void> {
  const main = `resource "terraform_data" "one" {\n  input = ${JSON.stringify(word)}\n}\noutput "word" { value = terraform_data.one.output }\n`
  await bench.run(name, { command: 'apply', stack, source: { inline: { 'main.tf': main } } })
  expect((await bench.over(name)).status).toMatchObject({ phase: 'Completed', outputs: { word } })
}

const wordIn = (state: string) => JSON.parse(state).outputs.word.value

describe('the state of a stack', () => {
  it('is listed, exported in each of its versions, and restored: the next run goes on from there', async () => {
    await applied('first', 'kept', 'one')
    await applied('second', 'kept', 'two')
    const list = await byHand('kept', 'list')
    expect(list).toContain('stack held by: nobody')
    const [oldest] = /^ +(\d+) .* first$/m.exec(list)?.slice(1) ?? []
    expect(wordIn(await byHand('kept', 'export'))).toBe('two')
    expect(wordIn(await byHand('kept', 'export', '--version', String(oldest)))).toBe('one')
    expect(await byHand('kept', 'restore', '--version', String(oldest))).toContain('is the state of')
    expect(wordIn(await byHand('kept', 'export'))).toBe('one')
    await applied('third', 'kept', 'one')
    expect((await bench.until('third', () => true)).status?.plan).toMatchObject({ add: 0, change: 0, destroy: 0 })
  })

  it('that another tofu made is imported, and is what the next run plans against', async () => {
    await applied('elsewhere', 'theirs', 'brought')
    const file = join(bench.folder, 'terraform.tfstate')
    await writeFile(file, await byHand('theirs', 'export'))
    await byHand('ours', 'import', '--file', file)
    await applied('here', 'ours', 'brought')
    expect((await bench.until('here', () => true)).status?.plan).toMatchObject({ add: 0, change: 0, destroy: 0 })
  })

  it('is sealed with a new key after a rotation, and what the old one sealed stays readable, for runs as well', async () => {
    await applied('before', 'rotated', 'old')
    const file = join(bench.folder, 'rotated.tfstate')
    await writeFile(file, await byHand('rotated', 'export'))
    const printed = await byHand('rotated', 'rotate-key')
    const { states, stackOf } = bench.tofuRuns
    const stack = await stackOf(await bench.until('before', () => true))
    const keyOfNewest = async () => (await states.head(stack)).versions.at(-1)?.blob.keyId ?? ''
    const old = await keyOfNewest()
    expect(printed).not.toContain(old)
    await byHand('rotated', 'import', '--file', file)
    expect(printed).toContain(await keyOfNewest())
    expect(wordIn(await byHand('rotated', 'export', '--version', '1'))).toBe('old')
    await applied('after', 'rotated', 'old')
    expect((await bench.until('after', () => true)).status?.plan).toMatchObject({ add: 0, change: 0, destroy: 0 })
  })

  it('is not touched while a run has the stack, until the operator frees it by force; the run can write nothing then', async () => {
    const slow =
      'resource "terraform_data" "slow" {\n  provisioner "local-exec" {\n    command = "echo up; exec sleep 120"\n  }\n}\n'
    await bench.run('holds', { command: 'apply', stack: 'held', source: { inline: { 'main.tf': slow } } })
    await expect.poll(() => bench.output('holds', 'apply'), { timeout: 60_000 }).toContain('up')
    expect(await byHand('held', 'list')).toContain('stack held by: run holds, for its apply')
    const file = join(bench.folder, 'other.tfstate')
    await writeFile(file, JSON.stringify({ version: 4, serial: 1, lineage: 'other', outputs: {}, resources: [] }))
    await expect(byHand('held', 'import', '--file', file)).rejects.toThrow(
      /run holds holds the stack .*wait for it, or cancel it/,
    )
    expect(await byHand('held', 'release')).toContain('run holds does not have the stack any more')
    await byHand('held', 'import', '--file', file)
    const run = await bench.over('holds')
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('Interrupted')
    expect(run.status?.error).toMatch(/does not hold the stack[\s\S]*resources may exist that the state does not know/)
    expect(JSON.parse(await byHand('held', 'export'))).toMatchObject({ lineage: 'other' })
  })

  it('is asked for in words where a version or a file is missing', async () => {
    await expect(byHand('nothing', 'export')).rejects.toThrow('there is no state of')
    await expect(byHand('nothing', 'restore')).rejects.toThrow('--version N is missing')
    await expect(byHand('nothing', 'import')).rejects.toThrow('--file is missing')
  })
})
