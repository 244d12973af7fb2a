import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../free-port.ts'
import { portClaims } from './port-claims.ts'
import { choosePorts } from './ports.ts'
import { type DevState, devState } from './state.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skyclust-dev-'))
})
afterEach(() => rm(directory, { recursive: true }))

/** Heeds the others of its test. */
function stateIn(folder: string): Promise<DevState> {
  return devState(folder, portClaims(join(directory, 'claims')))
}

async function listenOn(port: number) {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())) }
}

describe('devState', () => {
  it('gives a server the port it had last time, and another while that is taken', async () => {
    const today = await stateIn(directory)
    const port = await today.port('sim')
    await today.releasePorts()
    const tomorrow = await stateIn(directory)
    expect(await tomorrow.port('sim')).toBe(port)
    await tomorrow.releasePorts()

    await using _other = await listenOn(port)
    expect(await (await stateIn(directory)).port('sim')).not.toBe(port)
  })

  it('gives no port that another make dev has chosen, though nothing listens there yet', async () => {
    const wanted = await freePort()
    const [one, other] = [await stateIn(join(directory, 'one')), await stateIn(join(directory, 'other'))]
    expect(await one.port('api', wanted)).toBe(wanted)
    expect(await other.port('api', wanted)).not.toBe(wanted)

    const third = await stateIn(join(directory, 'third'))
    await expect(choosePorts(third, { SKYCLUST_API_PORT: String(wanted) })).rejects.toThrow(
      /is in use.*SKYCLUST_API_PORT/,
    )
    await one.releasePorts()
    await other.releasePorts()
    expect((await choosePorts(third, { SKYCLUST_API_PORT: String(wanted) })).api).toBe(wanted)
  })

  it('never gives one port to two servers', async () => {
    const state = await stateIn(directory)
    const wanted = await freePort()
    expect(await state.port('api', wanted)).toBe(wanted)
    expect(await state.port('sim', wanted)).not.toBe(wanted)
  })

  it('makes up an administrator once, or takes the one that is named', async () => {
    const made = await (await stateIn(directory)).administrator({})
    expect(made.password.length).toBeGreaterThanOrEqual(20)
    expect(await (await stateIn(directory)).administrator({})).toEqual(made)

    const named = { SKYCLUST_ADMIN_EMAIL: 'me@example.com', SKYCLUST_ADMIN_PASSWORD: 'correct horse' }
    const other = await stateIn(join(directory, 'other'))
    expect(await other.administrator(named)).toEqual({ email: 'me@example.com', password: 'correct horse' })
  })

  it('publishes KEY=value lines that only the owner reads, and withdraws them', async () => {
    const state = await stateIn(directory)
    const environment = {
      API_URL: 'http://127.0.0.1:8080',
      KUBECONFIG: '/x/.dev/kubeconfig',
      ADMIN_EMAIL: 'admin@example.com',
      ADMIN_PASSWORD: 'secret',
      CONTROLLER_PID: '1',
      API_PID: '2',
      SIM_URL: 'http://127.0.0.1:9',
    }
    await state.publish(environment)

    const file = join(directory, 'env')
    expect(await readFile(file, 'utf8')).toBe(
      Object.entries(environment)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    )
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await state.withdraw()
    await expect(stat(file)).rejects.toThrow('ENOENT')
  })
})

describe('choosePorts', () => {
  it('takes SKYCLUST_API_PORT at its word, or says in one line why not', async () => {
    const state = await stateIn(directory)
    const port = await freePort()
    expect((await choosePorts(state, { SKYCLUST_API_PORT: String(port) })).api).toBe(port)

    await using _other = await listenOn(port)
    await expect(choosePorts(state, { SKYCLUST_API_PORT: String(port) })).rejects.toThrow(`port ${port} is in use`)
    await expect(choosePorts(state, { SKYCLUST_API_PORT: 'http' })).rejects.toThrow(
      'SKYCLUST_API_PORT is "http"; it is a port from 0 to 65535',
    )
  })

  it('gives four different ports', async () => {
    const ports = await choosePorts(await stateIn(directory), {})
    expect(new Set(Object.values(ports)).size).toBe(4)
  })
})
