import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pack, unpack } from './workspace-folder.ts'

let folder = ''
let from = ''
let into = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'workspace-'))
  from = join(folder, 'from')
  into = join(folder, 'into')
  for (const path of [join(from, 'modules', 'one'), into, join(folder, 'outside')])
    await mkdir(path, { recursive: true })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('the files of a plan', () => {
  it('are there again for its apply, with links and what may be executed', async () => {
    await writeFile(join(from, 'main.tf'), 'main')
    await writeFile(join(from, 'modules', 'one', 'script.sh'), 'script', { mode: 0o755 })
    await symlink('modules/one', join(from, 'link'))
    await unpack(into, await pack(from, ''))
    expect(await readFile(join(into, 'main.tf'), 'utf8')).toBe('main')
    expect(await readFile(join(into, 'link', 'script.sh'), 'utf8')).toBe('script')
    expect(await readlink(join(into, 'link'))).toBe('modules/one')
  })

  it('are never written through a link that leads out, nor to a path that does', async () => {
    const base64 = Buffer.from('bad').toString('base64')
    const link = { kind: 'link', path: 'out', target: join(folder, 'outside') } as const
    const through = { kind: 'file', path: 'out/file', executable: false, base64 } as const
    await expect(unpack(into, { folder: '', entries: [link, through] })).rejects.toThrow()
    const up = { ...through, path: '../outside/file' }
    await expect(unpack(into, { folder: '', entries: [up] })).rejects.toThrow('leads out')
    expect(await readdir(join(folder, 'outside'))).toEqual([])
  })
})
