import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { blobStore } from './blob-store.ts'
import { faultySecrets } from './faulty-secrets.ts'
import { keyring } from './keyring.ts'
import { stateCommands } from './state-commands.ts'
import { stateStore } from './state-store.ts'

const stack = { namespace: 'team-a', namespaceUid: '6f3c', name: 'default' }
const holder = { run: 'uid-1', phase: 'apply', name: 'net-1', since: '2026-01-01T00:00:00Z' } as const

function desk() {
  const now = () => Date.parse('2026-01-01T00:00:00Z')
  const secrets = faultySecrets(now)
  const keys = keyring({ secrets, randomBytes, now })
  const states = stateStore({
    secrets,
    blobs: blobStore({ secrets, keyring: keys, randomBytes, now }),
    now,
    keepVersions: 10,
  })
  let ids = 0
  return { states, commands: stateCommands({ states, keys, now, newId: () => String(ids++) }) }
}

const state = (serial: number, lineage: string) =>
  Buffer.from(JSON.stringify({ version: 4, serial, lineage, resources: [] }))

describe('states by hand', () => {
  it('imports a state of another lineage on top of what is there, and exports it', async () => {
    const { commands } = desk()
    await commands.import(stack, state(3, 'A'))
    await commands.import(stack, state(1, 'B'))
    const exported = JSON.parse(String(await commands.export(stack, undefined)))
    expect(exported).toMatchObject({ lineage: 'B', serial: 4 })
    expect(await commands.list(stack)).toContain('stack held by: nobody')
  })

  it('restores an older version as a new one', async () => {
    const { commands } = desk()
    await commands.import(stack, state(1, 'A'))
    await commands.import(stack, state(5, 'A'))
    await commands.restore(stack, 1)
    expect(JSON.parse(String(await commands.export(stack, undefined)))).toMatchObject({ serial: 6 })
    expect(JSON.parse(String(await commands.export(stack, 2)))).toMatchObject({ serial: 5 })
  })

  it('refuses to write while a run has the stack, and what is no state', async () => {
    const { commands, states } = desk()
    await expect(commands.import(stack, Buffer.from('{}'))).rejects.toThrow('state file')
    await states.acquire(stack, holder)
    await expect(commands.import(stack, state(1, 'A'))).rejects.toThrow('net-1')
  })

  it('frees a stack so that whoever had it can write nothing', async () => {
    const { commands, states } = desk()
    await states.acquire(stack, holder)
    expect(await commands.release(stack)).toContain('net-1')
    const late = await states.write(stack, { claim: holder, bytes: state(1, 'A'), writtenBy: 'net-1' })
    expect(late).toMatchObject({ refused: 'notHolder' })
  })

  it('says that a version is not there', async () => {
    const { commands } = desk()
    await expect(commands.export(stack, 7)).rejects.toThrow('no version 7')
  })
})
