import { describe, expect, it, vi } from 'vitest'
import type { Exit } from '../guarded-process.ts'
import type { Service } from '../service.ts'
import { supervise } from './supervise.ts'

/** A service that ends when the test says so. */
function endingService(onStart: (start: number) => void = () => undefined) {
  let starts = 0
  let end = Promise.withResolvers<Exit>()
  const service: Service = {
    name: 'controller',
    logFile: '.dev/logs/controller.log',
    pid: () => 100 + starts,
    async start() {
      starts += 1
      onStart(starts)
      end = Promise.withResolvers<Exit>()
    },
    stop: async () => undefined,
    ended: () => end.promise,
  }
  return { service, crash: () => end.resolve({ code: 1, signal: null }), starts: () => starts }
}

function supervised(onStart?: (start: number) => void) {
  const stopping = new AbortController()
  const said: string[] = []
  const onRestart = vi.fn(async () => undefined)
  const { service, crash, starts } = endingService(onStart)
  const slept: number[] = []
  const done = supervise({
    service,
    signal: stopping.signal,
    say: (line) => said.push(line),
    onRestart,
    now: () => 0,
    sleep: async (ms) => void slept.push(ms),
  })
  return { crash, starts, said, slept, onRestart, done, stop: () => stopping.abort() }
}

describe('supervise', () => {
  it('starts again what has ended, says so, and tells of the new pid', async () => {
    const { crash, said, onRestart, stop, done } = supervised()

    crash()
    await vi.waitFor(() => expect(onRestart).toHaveBeenCalledOnce())

    expect(said).toEqual([
      'controller ended (exit code 1); starting it again in 0.5 s; its log: .dev/logs/controller.log',
      'controller runs again, pid 101',
    ])
    stop()
    await done
  })

  it('tries again when the start itself fails, after a longer while each time', async () => {
    const { crash, said, slept, onRestart, stop, done } = supervised((start) => {
      if (start < 4) throw new Error('controller ended (exit code 1) before it was ready')
    })

    crash()
    await vi.waitFor(() => expect(onRestart).toHaveBeenCalledOnce())

    expect(slept).toEqual([500, 1_000, 2_000, 4_000])
    expect(said.filter((line) => line.endsWith('before it was ready'))).toHaveLength(3)
    stop()
    await done
  })

  it('ends with its signal, and starts nothing any more', async () => {
    const { crash, starts, stop, done } = supervised()
    stop()
    await done
    crash()
    expect(starts()).toBe(0)
  })
})
