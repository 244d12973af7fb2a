/** How the controller starts, refuses to start, and stops: as a process, against the real API server. */

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from '../cluster/cluster.ts'
import { processKubeconfig } from '../cluster/process-account.ts'
import { type Program, startProgram } from '../cluster/program.ts'
import { INSTALLATION_NAMESPACE, sharedCluster } from '../cluster/shared-cluster.ts'

let cluster: Cluster
let directory = ''
let kubeconfig = ''

beforeAll(async () => {
  cluster = await sharedCluster()
  directory = await mkdtemp(join(tmpdir(), 'skyclust-start-'))
  kubeconfig = await processKubeconfig(cluster, {
    account: 'skyclust-controller',
    namespace: INSTALLATION_NAMESPACE,
    directory,
  })
})
afterAll(() => rm(directory, { recursive: true, force: true }))

function start(env: Record<string, string>): Program {
  return startProgram({
    main: 'controller/main.ts',
    env: { KUBECONFIG: kubeconfig, SKYCLUST_METRICS_PORT: '0', SKYCLUST_PROVIDERS: 'aws', ...env },
  })
}

/** What it said on its way out, and with which code. */
async function refusal(env: Record<string, string>): Promise<{ code: number | null; lines: readonly string[] }> {
  await using program = start(env)
  const { code } = await program.exited
  return { code, lines: program.lines.filter((line) => !line.startsWith('{')) }
}

describe('the controller', () => {
  it('says in one line which setting is wrong', async () => {
    const { code, lines } = await refusal({ SKYCLUST_SYNC_INTERVAL: 'often' })
    expect(code).toBe(2)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('SKYCLUST_SYNC_INTERVAL')
  })

  it('says in one line that the cluster does not answer', async () => {
    const { code, lines } = await refusal({ KUBECONFIG: await unreachable() })
    expect(code).toBe(1)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^controller: the cluster at https:\/\/127\.0\.0\.1:1: no answer/)
  })

  it('says in one line that its port is in use', async () => {
    const squatter = createServer()
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
    const { port } = squatter.address() as AddressInfo
    const { code, lines } = await refusal({ SKYCLUST_METRICS_PORT: String(port) })
    squatter.close()
    expect(code).toBe(1)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain(`SKYCLUST_METRICS_PORT: port ${port} of 127.0.0.1 is in use`)
  })

  it('leads, is ready, and gives its lease back on SIGTERM, so that the next one need not wait', async () => {
    await using program = start({})
    await program.logged(({ msg }) => msg === 'leading', 30_000)
    const { metrics } = await program.logged(({ msg }) => msg === 'listening')
    await expect.poll(async () => (await fetch(`${metrics}/readyz`)).status, { timeout: 30_000 }).toBe(200)
    expect(await (await fetch(`${metrics}/metrics`)).text()).toContain('leader_election_master_status{name="0"} 1')

    expect(await program.stop()).toMatchObject({ code: 0, signal: null })

    const lease = ['lease', 'skyclust-controller', `--namespace=${INSTALLATION_NAMESPACE}`]
    expect(await cluster.kubectl('get', ...lease, '--output=jsonpath={.spec.holderIdentity}')).toBe('')
  })

  it('ends with an error when somebody else has taken its lease', async () => {
    await using program = start({})
    await program.logged(({ msg }) => msg === 'leading', 30_000)
    const usurped = { spec: { holderIdentity: 'usurper', leaseDurationSeconds: 1 } }
    await cluster.kubectl(
      ...['patch', 'lease', 'skyclust-controller', `--namespace=${INSTALLATION_NAMESPACE}`],
      ...['--type=merge', `--patch=${JSON.stringify(usurped)}`],
    )
    expect((await program.exited).code).toBe(1)
    expect(program.records.some(({ msg }) => msg === 'deposed')).toBe(true)
  })
})

/** A kubeconfig that leads nowhere. */
async function unreachable(): Promise<string> {
  const path = join(directory, 'unreachable.kubeconfig')
  await cluster.kubectl('config', 'set-cluster', 'none', '--server=https://127.0.0.1:1', `--kubeconfig=${path}`)
  await cluster.kubectl('config', 'set-context', 'none', '--cluster=none', `--kubeconfig=${path}`)
  await cluster.kubectl('config', 'use-context', 'none', `--kubeconfig=${path}`)
  return path
}
