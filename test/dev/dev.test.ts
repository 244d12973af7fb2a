/**
 * `make dev` from a fresh clone, as contract/operations.md promises it: up, used, killed in parts, ended, and found again the next day.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kubectlFor } from '../../tools/kubectl.ts'
import { workshop } from '../../tools/workshop.ts'
import { type Clone, freshClone, type MakeDev, readEnvironment } from './make-dev.ts'

const UP_MS = 10 * 60_000 // the first one installs npm packages

let clone: Clone
let kubectlProgram: string
beforeAll(async () => {
  clone = await freshClone()
  kubectlProgram = await workshop({ environment: process.env, home: process.env.HOME ?? '' }).obtain('kubectl')
}, UP_MS)
afterAll(() => clone[Symbol.asyncDispose]())

const kubectl = (...args: string[]) => kubectlFor(kubectlProgram, join(clone.directory, '.dev/kubeconfig'))('', ...args)

/** The commands that it prints to be pasted: its last two lines. */
function commandsToPaste(dev: MakeDev): string[] {
  return dev.output().trimEnd().split('\n').slice(-2)
}

const paste = (command: string) => promisify(execFile)('sh', ['-c', command])

async function nothingLeft(): Promise<void> {
  while (clone.running().length > 0) await sleep(50)
}

describe('make dev', () => {
  it(
    'is up from a fresh clone, does what its last lines say, stops with Ctrl-C, and finds everything again',
    async () => {
      await using dev = clone.makeDev()
      const env = await dev.up()

      expect(Object.keys(env)).toEqual([
        'API_URL',
        'KUBECONFIG',
        'ADMIN_EMAIL',
        'ADMIN_PASSWORD',
        'CONTROLLER_PID',
        'API_PID',
        'SIM_URL',
      ])
      const [apply = '', curl = ''] = commandsToPaste(dev)
      expect(apply).toMatch(/kubectl .*apply -f/)
      await paste(apply)
      await kubectl('wait', '--for=condition=Ready', 'vms', '--all', '--all-namespaces', '--timeout=90s')
      expect(JSON.parse((await paste(curl)).stdout)).toMatchObject({
        success: true,
        data: { token: expect.any(String), user: { email: env.ADMIN_EMAIL } },
      })
      const uids = () => kubectl('get', 'vms', '--all-namespaces', '--output=jsonpath={.items[*].metadata.uid}')
      const instances = async () =>
        (await fetch(`${readEnvironment(join(clone.directory, '.dev')).SIM_URL}/instances`)).json()
      const before = { uids: await uids(), instances: await instances() }
      expect(before.uids).not.toBe('')

      dev.controlC()
      await dev.exited
      await nothingLeft()

      await using again = clone.makeDev()
      const envAgain = await again.up()
      expect({ uids: await uids(), instances: await instances() }).toEqual(before)
      const { CONTROLLER_PID: _, API_PID: __, ...lasting } = env
      expect(envAgain).toMatchObject(lasting)
      expect(JSON.parse((await paste(curl)).stdout)).toMatchObject({ success: true })
      again.kill('SIGTERM')
      await again.exited
      await nothingLeft()
    },
    UP_MS,
  )

  it(
    'starts again what crashed and says its new pid, the controller with its own Lease, refuses a second of its kind, and leaves nothing when killed itself',
    async () => {
      await using dev = clone.makeDev()
      const env = await dev.up()

      const lease = () => kubectl('get', 'lease', 'skyclust-controller', '-n', 'skyclust-system', '-o', 'json')
      const since = async () => JSON.parse(await lease()).spec.acquireTime
      const log = join(clone.directory, '.dev/logs/controller.log')
      const leads = (pid = '') => new RegExp(`"pid":${pid},.*"leading"`).test(readFileSync(log, 'utf8'))
      while (!leads(env.CONTROLLER_PID)) await sleep(50)
      const ledSince = await since()

      process.kill(Number(env.API_PID), 'SIGKILL')
      process.kill(Number(env.CONTROLLER_PID), 'SIGKILL')
      const renewed = () => {
        const now = readEnvironment(join(clone.directory, '.dev'))
        return [now.API_PID, now.CONTROLLER_PID].every(
          (pid) => pid !== '' && pid !== env.API_PID && pid !== env.CONTROLLER_PID,
        )
      }
      while (!/^controller runs again/m.test(dev.output()) || !/^api runs again/m.test(dev.output())) await sleep(50)
      while (!renewed()) await sleep(50)
      expect(dev.output()).toContain('controller ended (signal SIGKILL); starting it again')
      expect((await fetch(`${env.API_URL}/health`)).status).toBe(200)
      while (!leads(readEnvironment(join(clone.directory, '.dev')).CONTROLLER_PID)) await sleep(50)
      expect(await since()).toBe(ledSince) // it has taken up its own Lease, and not waited until that ran out

      await using second = clone.makeDev()
      expect((await second.exited).code).not.toBe(0)
      expect(second.output()).toMatch(/^make dev runs here already, as process \d+: stop that one first$/m)

      const { pid } = JSON.parse(readFileSync(join(clone.directory, '.dev.lock'), 'utf8'))
      process.kill(pid, 'SIGKILL')
      await dev.exited
      await nothingLeft()
    },
    UP_MS,
  )

  it(
    'says in one line which port it cannot have',
    async () => {
      await using server = await listening()
      await using dev = clone.makeDev({ SKYCLUST_API_PORT: String(server.port) })

      expect((await dev.exited).code).not.toBe(0)
      expect(dev.output()).toMatch(new RegExp(`^port ${server.port} is in use: `, 'm'))
      await nothingLeft()
    },
    UP_MS,
  )
})

async function listening() {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  }
}
