/** How the facade starts, refuses to start, and stops: as a process, against the real API server, without a controller. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../tools/free-port.ts'
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
    account: 'skyclust-api',
    namespace: INSTALLATION_NAMESPACE,
    directory,
  })
})
afterAll(() => rm(directory, { recursive: true, force: true }))

function start(env: Record<string, string>, args: readonly string[] = []): Program {
  const ports = { SKYCLUST_API_PORT: '0', SKYCLUST_METRICS_PORT: '0' }
  const audit = { SKYCLUST_AUDIT_LOG: join(directory, `${randomUUID()}.log`) }
  return startProgram({ main: 'api/main.ts', args, env: { KUBECONFIG: kubeconfig, ...ports, ...audit, ...env } })
}

/** What it said on its way out, and with which code. */
async function ending(program: Program): Promise<{ code: number | null; lines: readonly string[] }> {
  await using ended = program
  const { code } = await ended.exited
  return { code, lines: ended.lines.filter((line) => !line.startsWith('{')) }
}

async function urlOf(program: Program): Promise<string> {
  return String((await program.logged(({ msg }) => msg === 'listening', 60_000)).url)
}

const post = (url: string, body: object) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

const newcomer = () => ({ email: `${randomUUID()}@example.com`, password: 'correct horse battery', name: 'New' })

describe('the facade', () => {
  it('says with --help what can be set, and reads nothing else', async () => {
    const { code, lines } = await ending(start({ KUBECONFIG: '/nowhere' }, ['--help']))
    expect(code).toBe(0)
    for (const name of ['SKYCLUST_API_PORT', 'SKYCLUST_LOCALE', 'SKYCLUST_OIDC_', '--config']) {
      expect(lines.join('\n')).toContain(name)
    }
  })

  it.each([
    ['a wrong variable', { SKYCLUST_TOKEN_TTL: 'for ever' }, /^api: SKYCLUST_TOKEN_TTL/, 2],
    ['a kubeconfig that is not there', { KUBECONFIG: '/nowhere' }, /^api: KUBECONFIG: \/nowhere does not exist/, 1],
  ])('says in one line what is wrong: %s', async (_what, env, says, exitCode) => {
    const { code, lines } = await ending(start(env))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(says)
    expect(code).toBe(exitCode)
  })

  it('says in one line that the cluster does not answer', async () => {
    const path = join(directory, 'unreachable.kubeconfig')
    const cluster = { name: 'none', cluster: { server: 'https://127.0.0.1:1' } }
    const context = { name: 'none', context: { cluster: 'none' } }
    await writeFile(path, JSON.stringify({ clusters: [cluster], contexts: [context], 'current-context': 'none' }))

    const { code, lines } = await ending(start({ KUBECONFIG: path }))
    expect(code).toBe(1)
    expect(lines).toEqual([expect.stringMatching(/^api: the cluster at https:\/\/127\.0\.0\.1:1: no answer/)])
  })

  it.each(['SKYCLUST_API_PORT', 'SKYCLUST_METRICS_PORT'])(
    'says in one line that the port of %s is in use',
    async (name) => {
      const squatter = createServer()
      await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
      const { port } = squatter.address() as AddressInfo

      const { code, lines } = await ending(start({ [name]: String(port) }))
      squatter.close()
      expect(code).toBe(1)
      expect(lines).toEqual([
        `api: ${name}: port ${port} of 127.0.0.1 is in use: stop what listens there, or choose another (0: any that is free)`,
      ])
    },
  )

  it('is ready not before it answers', async () => {
    const [port, metrics] = [await freePort(), await freePort()]
    await using program = start({ SKYCLUST_API_PORT: String(port), SKYCLUST_METRICS_PORT: String(metrics) })
    const isReady = async () => (await fetch(`http://127.0.0.1:${metrics}/readyz`).catch(() => undefined))?.ok === true
    while (!(await isReady())) expect(program.lines.filter((line) => line.startsWith('api:'))).toEqual([])

    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200)
  })

  it('takes its settings from a YAML file, and the environment wins', async () => {
    const file = join(directory, 'settings.yaml')
    await writeFile(file, 'SKYCLUST_REGISTRATION: closed\nlocale: ko\n')
    await using program = start({ SKYCLUST_LOCALE: 'en' }, ['--config', file])
    const url = await urlOf(program)

    const answer = await post(`${url}/api/v1/auth/register`, newcomer())
    expect(answer.status).toBe(403)
    expect(((await answer.json()) as { error: { message: string } }).error.message).toMatch(/^[\x20-\x7e]+$/)

    await writeFile(file, 'SKYCLUST_REGISTRASION: closed\n')
    const { code, lines } = await ending(start({}, ['--config', file]))
    expect(code).toBe(2)
    expect(lines).toEqual([expect.stringContaining('SKYCLUST_REGISTRASION')])
  })

  it('without a controller registers, logs in and makes a workspace', async () => {
    await using program = start({ SKYCLUST_LOCALE: 'en' })
    const url = await urlOf(program)
    expect((await fetch(`${url}/health`)).status).toBe(200)
    const { name, ...login } = newcomer()
    expect((await post(`${url}/api/v1/auth/register`, { ...login, name })).status).toBe(201)
    const logged = (await (await post(`${url}/api/v1/auth/login`, login)).json()) as { data: { token: string } }
    const headers = { authorization: `Bearer ${logged.data.token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ name: `w${randomUUID().slice(0, 8)}` })

    const made = await fetch(`${url}/api/v1/workspaces`, { method: 'POST', headers, body })
    expect(made.status).toBe(201)
    const { data } = (await made.json()) as { data: { id: string } }
    const shown = await fetch(`${url}/api/v1/workspaces/${data.id}`, { headers })
    expect(shown.status).toBe(200)

    expect((await program.stop()).code).toBe(0)
  })
})
