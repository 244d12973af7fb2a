import { describe, expect, it } from 'vitest'
import { type Aside, type ControllerOptions, runController } from './controller.ts'
import { workQueue } from './work-queue.ts'

/** A controller of keys `a/0`, `a/1`, …, each of whose reconciles `task` is; what is under way can be looked at. */
function running(
  task: (aside: Aside, signal: AbortSignal) => Promise<void>,
  options: Pick<ControllerOptions, 'concurrency' | 'maxAside'>,
) {
  const queue = workQueue()
  const stop = new AbortController()
  const started: string[] = []
  const finished: string[] = []
  const done = runController({
    name: 'test',
    queue,
    signal: stop.signal,
    async reconcile({ name }, signal, aside) {
      started.push(name)
      await task(aside, signal)
      finished.push(name)
      return undefined
    },
    ...options,
  })
  const add = (count: number) => {
    for (let index = 0; index < count; index++) queue.add(`a/${index}`)
  }
  return { add, done, queue, started, finished, stop: () => stop.abort() }
}

const quiet = () => new Promise((resolve) => setImmediate(resolve))

describe('runController', () => {
  it('has no more keys under way than its concurrency', async () => {
    const gate = Promise.withResolvers<void>()
    const { add, done, started, finished, stop } = running(() => gate.promise, { concurrency: 2, maxAside: 10 })

    add(5)
    await quiet()
    expect(started).toEqual(['0', '1'])

    gate.resolve()
    await quiet()
    expect(finished).toHaveLength(5)
    stop()
    await done
  })

  it('takes up other keys while some wait aside, so that a call that they share gathers them all', async () => {
    const gate = Promise.withResolvers<void>()
    const { add, done, started, finished, stop } = running((aside) => aside(() => gate.promise), {
      concurrency: 2,
      maxAside: 10,
    })

    add(9)
    await quiet()
    expect(started).toHaveLength(9)

    gate.resolve() // nobody else wants a place, and those who wait for keys keep none
    await quiet()
    expect(finished).toHaveLength(9)
    stop()
    await done
  })

  it('lets no more wait aside than it may, and no more come back at a time than there are places', async () => {
    const gate = Promise.withResolvers<void>()
    let active = 0
    let most = 0
    const { add, done, started, finished, stop } = running(
      async (aside) => {
        await aside(() => gate.promise)
        most = Math.max(most, ++active)
        await quiet()
        active--
      },
      { concurrency: 2, maxAside: 3 },
    )

    add(9)
    await quiet()
    expect(started).toHaveLength(5)

    gate.resolve()
    for (let turn = 0; turn < 50; turn++) await quiet()
    expect(finished).toHaveLength(9)
    expect(most).toBe(2)
    stop()
    await done
  })

  it('passes on how the task that was waited for aside failed', async () => {
    const errors: unknown[] = []
    const { add, done, stop } = running(
      async (aside) => {
        await aside(() => Promise.reject(new Error('refused'))).catch((error: unknown) => errors.push(error))
      },
      { concurrency: 1 },
    )

    add(1)
    await quiet()
    stop()
    await done
    expect(errors).toEqual([new Error('refused')])
  })

  it('takes up nothing more once it is stopped, and ends when what runs has ended, aside or not', async () => {
    const gate = Promise.withResolvers<void>()
    const { add, done, queue, started, finished, stop } = running(
      async (aside) => {
        await aside(() => gate.promise)
      },
      { concurrency: 1, maxAside: 1 },
    )

    add(4)
    await quiet()
    stop()
    gate.resolve()
    await done

    expect(started).toEqual(['0', '1'])
    expect(finished).toEqual(['0', '1'])
    expect(queue.working).toBe(0)
  })
})
