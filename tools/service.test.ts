import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isAlive } from './exclusive.ts'
import { ServiceStartError, service } from './service.ts'

let directory: string
let logFile: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skyclust-service-'))
  logFile = join(directory, 'service.log')
})
afterEach(() => rm(directory, { recursive: true }))

/** A shell script as a service that is ready when it has logged "ready". */
function scripted(script: string, readyWithinMs = 30_000) {
  return service({
    name: 'scripted',
    logFile,
    command: () => ({ command: 'sh', args: ['-c', script] }),
    ready: async () => (await readFile(logFile, 'utf8')).includes('ready'),
    readyWithinMs,
  })
}

describe('service', () => {
  it('is started once it is ready, and ended when it is stopped', async () => {
    const one = scripted('echo ready; exec sleep 1000')
    await one.start()
    const pid = one.pid() ?? 0
    expect(isAlive(pid)).toBe(true)

    await one.stop()

    expect(one.pid()).toBeUndefined()
    expect(await one.ended()).toEqual({ code: null, signal: 'SIGTERM' })
  })

  it('says the last words of a program that ends before it is ready', async () => {
    const failing = scripted('echo "the port is taken" >&2; exit 3').start()

    await expect(failing).rejects.toThrow(ServiceStartError)
    await expect(failing).rejects.toThrow(
      `scripted ended (exit code 3) before it was ready; log: ${logFile}\nthe port is taken`,
    )
  })

  it('gives up on a program that is never ready, and ends it', async () => {
    const silent = scripted('exec sleep 1000', 100)
    await expect(silent.start()).rejects.toThrow('scripted said nothing for 0.1 s before it was ready')
    expect(silent.pid()).toBeUndefined()
  })

  it('stops waiting with its signal, and ends the program', async () => {
    const slow = scripted('exec sleep 1000')
    await expect(slow.start(AbortSignal.timeout(50))).rejects.toThrow(/timeout/i)
    expect(slow.pid()).toBeUndefined()
  })

  it('can be started again, and appends to its log', async () => {
    const one = scripted('echo ready; exec sleep 1000')
    await one.start()
    const first = one.pid()
    await one.stop(0)
    await one.start()

    expect(one.pid()).not.toBe(first)
    await expect.poll(() => readFile(logFile, 'utf8')).toBe('ready\nready\n')
    await one.stop(0)
  })
})
