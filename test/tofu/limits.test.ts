/** Runs that use more than they may, side by side: each is stopped in words that name the limit, and leaves nothing behind. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { getCondition } from '../../kube/conditions.ts'
import { type Workbench, workbench } from './workbench.ts'

const megabyte = 2 ** 20
const limits = { cpuTimeMs: 6_000, memoryBytes: 512 * megabyte, diskBytes: 64 * megabyte }

let bench: Workbench
beforeAll(async () => {
  bench = await workbench({ limits })
  await Promise.all([
    apply(
      'many-files',
      made('for i in $(seq 20); do head -c 4000000 /dev/urandom > $TMPDIR/f$i; done; exec sleep 120'),
    ),
    apply('one-file', made('exec cat /dev/urandom > large')),
    apply(
      'memory',
      made(`truncate -s 60M holes; ${twice('(cat holes holes holes holes holes; exec sleep 120) | tail -n 1')}`),
    ),
    apply('processor', made(twice('while :; do :; done'))),
  ])
})
afterAll(() => bench?.[Symbol.asyncDispose]())

/** One resource is there before the other one asks too much. */
const made = (command: string) => `resource "terraform_data" "one" {}
resource "terraform_data" "greedy" {
  depends_on = [terraform_data.one]
  provisioner "local-exec" {
    command = ${JSON.stringify(command)}
  }
}
`

function twice(command: string): string {
  return `(${command}) & ${command}`
}

function apply(stack: string, text: string) {
  return bench.run(stack, { command: 'apply', stack, source: { inline: { 'main.tf': text } } })
}

async function endOf(name: string) {
  const run = await bench.over(name, 280_000)
  const head = await bench.tofuRuns.states.head(await bench.tofuRuns.stackOf(run))
  expect(head.holder ?? head.lock).toBeUndefined()
  expect(await readdir(join(bench.folder, 'runs'))).not.toContain(run.metadata.uid)
  const { phase, error } = run.status ?? {}
  return { phase, error, reason: getCondition(run.status?.conditions, 'Ready')?.reason, state: await bench.state(run) }
}

describe('a run that takes too much', () => {
  it('disk, in many files, is stopped: what was made is in the state, and nothing of it stays on the disk', async () => {
    expect(await endOf('many-files')).toMatchObject({
      phase: 'Failed',
      reason: 'DiskLimitExceeded',
      error: expect.stringMatching(/64 MiB of disk .*SKYCLUST_TOFU_DISK.*saved the state/),
      state: { resources: [expect.anything(), expect.anything()] },
    })
  })

  it('disk, in one file, is told so beside what tofu says of it', async () => {
    expect(await endOf('one-file')).toMatchObject({
      phase: 'Failed',
      reason: 'DiskLimitExceeded',
      error: expect.stringMatching(/64 MiB of disk [\s\S]*Error: /),
      state: { resources: [expect.anything(), expect.anything()] },
    })
  })

  it('memory, in several processes, is stopped', async () => {
    expect(await endOf('memory')).toMatchObject({
      phase: 'Failed',
      reason: 'MemoryLimitExceeded',
      error: expect.stringMatching(/512 MiB of memory .*SKYCLUST_TOFU_MEMORY/),
      state: { resources: [expect.anything(), expect.anything()] },
    })
  })

  it('CPU time, in several processes, is stopped', async () => {
    expect(await endOf('processor')).toMatchObject({
      phase: 'Failed',
      reason: 'CPULimitExceeded',
      error: expect.stringMatching(/6 s of CPU time .*SKYCLUST_TOFU_CPU_TIME.*saved the state/),
      state: { resources: [expect.anything(), expect.anything()] },
    })
  })
})
