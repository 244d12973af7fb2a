/** What an operator may do with states by hand; `main.ts` reads the command line. Each gives what is to be printed. */
import type { Keyring } from './keyring.ts'
import { newest, type StackHead } from './stack-head.ts'
import { parseState } from './state-meta.ts'
import type { Stack, StateStore } from './state-store.ts'

export function stateCommands(options: {
  readonly states: StateStore
  readonly keys: Keyring
  readonly now: () => number
  readonly newId: () => string
}) {
  const { states, keys, now, newId } = options

  /** Puts a state on top, with a serial above the newest, so that whoever has seen the newest notices. */
  async function put(stack: Stack, state: Uint8Array, writtenBy: string): Promise<string> {
    const parsed = parseState(state)
    if (parsed === undefined)
      throw new Error('this is not a state file of OpenTofu (version 4, with serial and lineage)')
    const claim = { run: `operator-${newId()}`, phase: 'apply' } as const
    const taken = await states.acquire(stack, { ...claim, name: writtenBy, since: new Date(now()).toISOString() })
    if ('refused' in taken) throw new Error(`${taken.message}; wait for it, or cancel it`)
    try {
      const serial = Math.max(parsed.serial, (newest(taken)?.serial ?? -1) + 1)
      const bytes = Buffer.from(JSON.stringify({ ...parsed.document, serial }, undefined, 2))
      const written = await states.write(stack, { claim, bytes, writtenBy, replaceLineage: true })
      if ('refused' in written) throw new Error(written.message)
      return `version ${written.version} (serial ${written.serial}) is the state of ${stack.namespace}/${stack.name}\n`
    } finally {
      await states.release(stack, claim.run)
    }
  }

  async function read(stack: Stack, version: number | undefined): Promise<Buffer> {
    const state = await states.read(stack, version)
    if (state !== undefined) return state
    const which = version === undefined ? 'no state' : `no version ${version}`
    throw new Error(`there is ${which} of ${stack.namespace}/${stack.name}`)
  }

  return {
    list: async (stack: Stack) => describe(await states.head(stack)),
    export: read,
    import: (stack: Stack, state: Uint8Array) => put(stack, state, 'import'),
    restore: async (stack: Stack, version: number) => put(stack, await read(stack, version), `restore of ${version}`),

    async release(stack: Stack): Promise<string> {
      const { holder } = await states.head(stack)
      if (holder === undefined) return 'nobody has the stack\n'
      await states.release(stack, holder.run)
      return `run ${holder.name} does not have the stack any more, and can write nothing\n`
    },

    async rotateKey(): Promise<string> {
      return `new states are sealed with key ${await keys.rotate()} within a minute\n`
    },
  }
}

function describe({ holder, lock, versions }: StackHead): string {
  const rows = versions.map(({ version, serial, at, writtenBy, blob }) =>
    [String(version).padStart(7), String(serial).padStart(7), at, String(blob.bytes).padStart(10), writtenBy].join(
      '  ',
    ),
  )
  const has = holder === undefined ? 'nobody' : `run ${holder.name}, for its ${holder.phase}, since ${holder.since}`
  const held = `stack held by: ${has}${lock === undefined ? '' : `; locked by tofu with ${lock.ID}`}`
  return `${[held, 'version  serial  written                        bytes  by', ...rows].join('\n')}\n`
}
