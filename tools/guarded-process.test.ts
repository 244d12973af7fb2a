import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isAlive } from './exclusive.ts'
import { noneLeft } from './fixtures/running-processes.ts'
import { startGuarded } from './guarded-process.ts'

describe('startGuarded', () => {
  it('is the program itself: its pid, its output, its exit code', async () => {
    const child = startGuarded({ command: 'sh', args: ['-c', 'echo $$; exit 7'] })
    const [output] = await once(child.stdout ?? process.stdin, 'data')

    expect(Number(output)).toBe(child.pid)
    expect(await child.exited).toEqual({ code: 7, signal: null })
    expect(child.kill('SIGTERM')).toBe(false)
  })

  it('leaves no guard behind when the program has ended', async () => {
    const child = startGuarded({ command: 'true' })
    await child.exited
    await noneLeft(({ group }) => group === child.pid)
  })

  it('ends what the program left running', async () => {
    const child = startGuarded({ command: 'sh', args: ['-c', 'sleep 1000 & echo $!'] })
    const [output] = await once(child.stdout ?? process.stdin, 'data')
    await child.exited
    await noneLeft(({ pid }) => pid === Number(output))
  })

  it('ends the program and its children when this process is killed with SIGKILL, though they ignore SIGTERM', async () => {
    const parent = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/parent.ts'), '1'])
    const [output] = await once(parent.stdout, 'data')
    const [child, grandchild] = JSON.parse(String(output)) as [number, number]
    expect([child, grandchild].map(isAlive)).toEqual([true, true])

    parent.kill('SIGKILL')

    await noneLeft(({ pid, group }) => pid === grandchild || group === child)
  })

  it('stops with SIGTERM, and with SIGKILL when that is not heeded in time', async () => {
    const heeding = startGuarded({ command: 'sleep', args: ['1000'] })
    expect(await heeding.stop(60_000)).toEqual({ code: null, signal: 'SIGTERM' })

    const stubborn = startGuarded({
      command: 'sh',
      args: ['-c', `trap '' TERM; echo ready; while :; do sleep 1; done`],
    })
    await once(stubborn.stdout ?? process.stdin, 'data')
    expect(await stubborn.stop(50)).toEqual({ code: null, signal: 'SIGKILL' })
  })
})
