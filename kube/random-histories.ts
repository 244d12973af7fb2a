/**
 * Random histories of a model API server, faults included, for property tests.
 */
import fc from 'fast-check'
import { KubeError } from './kube-error.ts'
import type { ManualClock } from './manual-clock.ts'
import type { ModelApiServer, Thing } from './model-api-server.ts'

type Write = { readonly do: 'put' | 'remove'; readonly name: string; readonly color: string }

export type Step =
  | Write
  | { readonly do: 'wait'; readonly ms: number }
  /** One turn of the event loop, so that what follows comes in the middle of something. */
  | { readonly do: 'turn' }
  | { readonly do: 'bookmark' | 'compact' | 'end' | 'cut' | 'refuse' }
  /** Nobody watches while this happens, and the history of it is gone before anybody does again. */
  | { readonly do: 'outage'; readonly meanwhile: readonly Write[] }

const write: fc.Arbitrary<Write> = fc.record({
  do: fc.constantFrom('put' as const, 'put' as const, 'remove' as const),
  name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  color: fc.constantFrom('red', 'blue'),
})

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 9, arbitrary: write },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 500, 2_000, 60_000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('bookmark', 'compact', 'end', 'cut', 'refuse') }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('outage' as const), meanwhile: fc.array(write, { maxLength: 6 }) }),
  },
)

export const histories = fc.array(step, { maxLength: 50 })

/** @param written told of every object that was created or changed */
export async function play(
  history: readonly Step[],
  { server, clock, written }: { server: ModelApiServer; clock: ManualClock; written?: (thing: Thing) => void },
): Promise<void> {
  const cut = new KubeError('cut', { status: 0, reason: 'ConnectionFailed' })
  function doWrite({ do: what, name, color }: Write): void {
    if (what === 'remove') server.remove(name)
    else written?.(server.put(name, { color }))
  }
  for (const one of history) {
    switch (one.do) {
      case 'put':
      case 'remove':
        doWrite(one)
        break
      case 'wait':
        await clock.advanceAsync(one.ms)
        break
      case 'turn':
        await new Promise((resolve) => setImmediate(resolve))
        break
      case 'bookmark':
        server.bookmark()
        break
      case 'compact':
        server.compact()
        break
      case 'end':
        server.endWatches()
        break
      case 'cut':
        server.endWatches(cut)
        break
      case 'refuse':
        server.refuse(2)
        break
      case 'outage':
        server.endWatches(cut)
        await clock.advanceAsync(0)
        for (const meanwhile of one.meanwhile) doWrite(meanwhile)
        server.compact()
    }
  }
  // Healthy again, for longer than any backoff.
  await clock.advanceAsync(120_000)
  await clock.advanceAsync(120_000)
}
