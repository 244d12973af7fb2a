/**
 * Whatever ends the test runner, the control planes that it started end too.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { noneLeft, runningProcesses } from '../../tools/fixtures/running-processes.ts'

const root = join(import.meta.dirname, '../..')

/** A test that starts a cluster, says where, and never ends. */
const endless = `
import { writeFileSync } from 'node:fs'
import { it } from 'vitest'
import { startCluster } from '${root}/test/cluster/cluster.ts'
it('never ends', async () => {
  const cluster = await startCluster()
  writeFileSync('started', cluster.directory)
  await new Promise(() => {})
}, 1_000_000)
`

describe('a control plane', () => {
  it.each(['SIGKILL', 'SIGINT'] as const)('ends when the test runner gets %s', async (signal) => {
    const directory = await mkdtemp(join(tmpdir(), 'skyclust-lifetime-'))
    try {
      await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
      await writeFile(join(directory, 'endless.test.ts'), endless)
      const vitest = join(root, 'node_modules/vitest/vitest.mjs')
      const runner = spawn(process.execPath, [vitest, 'run', '--root', directory], { cwd: directory, stdio: 'ignore' })
      const started = join(directory, 'started')
      while (!existsSync(started)) await sleep(50)
      const clusterDirectory = await readFile(started, 'utf8')
      const belongs = ({ command }: { command: string }) =>
        command.includes(clusterDirectory) || command.includes(directory)
      expect(runningProcesses().filter(belongs).length).toBeGreaterThan(2)

      runner.kill(signal)

      await noneLeft(belongs)
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
