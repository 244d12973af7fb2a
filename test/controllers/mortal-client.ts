/**
 * A Kubernetes client whose process dies at its n-th write: right before the write leaves, or after it took effect and
 * before the answer is heard. From then on nothing that it is asked ever happens.
 */
import type { KubeClient } from '../../kube/client.ts'

export interface Death {
  /** From 1. */
  readonly atWrite: number
  readonly when: 'before' | 'after'
}

export interface MortalClient extends KubeClient {
  /** Resolves when it has died. */
  readonly died: Promise<void>
}

const writes = ['create', 'replace', 'patch', 'apply', 'delete'] as const

export function mortalClient(client: KubeClient, { atWrite, when }: Death): MortalClient {
  const death = Promise.withResolvers<void>()
  let dead = false
  let count = 0

  function die(): Promise<never> {
    dead = true
    death.resolve()
    return new Promise(() => undefined)
  }

  const alive =
    <Args extends unknown[], R>(call: (...args: Args) => Promise<R>) =>
    (...args: Args): Promise<R> =>
      dead ? new Promise(() => undefined) : call(...args)

  const counted = <Args extends unknown[], R>(call: (...args: Args) => Promise<R>) =>
    alive(async (...args: Args): Promise<R> => {
      count += 1
      if (count !== atWrite) return call(...args)
      if (when === 'before') return die()
      await call(...args).catch(() => undefined)
      return die()
    })

  return {
    ...client,
    get: alive(client.get),
    list: alive(client.list),
    ...Object.fromEntries(
      writes.map((verb) => [verb, counted(client[verb] as (...args: unknown[]) => Promise<unknown>)]),
    ),
    died: death.promise,
  }
}
