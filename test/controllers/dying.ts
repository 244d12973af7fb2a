/**
 * For each write that a piece of work takes, before it leaves and after it took effect: a controller that dies there, in a
 * scope (a Workspace's name, a namespace) of its own. Then one that lives, for all that is left behind.
 */
import type { Controllers, Workbench } from './workbench.ts'

export interface Work {
  /** What the names of the scopes begin with. */
  readonly prefix: string
  begin(scope: string): Promise<unknown>
  /** Resolves once all is as it should be; throws when it does not come to that. */
  finished(scope: string): Promise<unknown>
}

export interface Deaths {
  /** The scopes in which one died. */
  readonly scopes: readonly string[]
  /** The one that lives; the caller stops it. */
  readonly survivor: Controllers
}

export async function dieAtEachWrite(bench: Workbench, { prefix, begin, finished }: Work): Promise<Deaths> {
  const scopes: string[] = []
  for (const when of ['before', 'after'] as const) {
    for (let atWrite = 1, died = true; died; atWrite++) {
      const scope = `${prefix}-${when}-${atWrite}`
      const mortal = await bench.start({ death: { atWrite, when }, only: scope })
      await begin(scope)
      died = await Promise.race([mortal.died.then(() => true), finished(scope).then(() => false)])
      await mortal.stop()
      if (died) scopes.push(scope)
    }
  }
  const survivor = await bench.start()
  await Promise.all(scopes.map(finished))
  return { scopes, survivor }
}
