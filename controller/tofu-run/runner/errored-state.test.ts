import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { removeFolder } from '../remove-folder.ts'
import { erroredState } from './errored-state.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skyclust-errored-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const state = '{"version":4,"serial":3,"lineage":"abc","resources":[]}'

describe('the state that tofu left in a file', () => {
  it('is found, also where tofu ran in a folder of the repository', async () => {
    await mkdir(join(folder, 'stacks/one'), { recursive: true })
    await writeFile(join(folder, 'stacks/one/errored.tfstate'), state)
    expect(String(await erroredState(folder))).toBe(state)
  })

  it.each([
    ['nothing is there', async () => undefined],
    [
      'the disk was full before all of it was written',
      () => writeFile(join(folder, 'errored.tfstate'), state.slice(0, 20)),
    ],
    ['it is empty', () => writeFile(join(folder, 'errored.tfstate'), '')],
    ['it is no file', () => mkdir(join(folder, 'errored.tfstate'))],
  ])('is none when %s', async (_why, prepare) => {
    await prepare()
    expect(await erroredState(folder)).toBeUndefined()
  })

  it('is found beside folders that are too deep to be named', async () => {
    const half = join(...Array.from({ length: 15 }, () => 'x'.repeat(200)))
    for (const part of ['upper', 'lower']) await mkdir(join(folder, part, half), { recursive: true })
    await rename(join(folder, 'lower'), join(folder, 'upper', half, 'lower'))
    await mkdir(join(folder, 'zone'))
    await writeFile(join(folder, 'zone/errored.tfstate'), state)
    expect(String(await erroredState(folder))).toBe(state)
    await removeFolder(folder)
    expect(await erroredState(folder)).toBeUndefined()
  })

  it('is none when the folder is gone', async () => {
    expect(await erroredState(join(folder, 'nowhere'))).toBeUndefined()
  })
})
