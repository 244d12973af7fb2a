import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const vitest = join(root, 'node_modules/vitest/vitest.mjs')

/** Runs vitest for real on these files and answers with its exit code and the last line it printed. */
async function run(files: Record<string, string>): Promise<{ code: number; last: string | undefined }> {
  const directory = await mkdtemp(join(tmpdir(), 'skyclust-closing-line-'))
  try {
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
    const config = `
      import { closingLine } from '${root}/tools/closing-line.ts'
      export default { test: { include: ['*.ts'], exclude: ['vitest.config.ts'], reporters: ['default', closingLine()] } }`
    await writeFile(join(directory, 'vitest.config.ts'), config)
    return await new Promise((resolve) => {
      execFile(
        process.execPath,
        [vitest, 'run', '--root', directory],
        { env: { ...process.env, CI: 'true' } },
        (error, stdout) => resolve({ code: Number(error?.code ?? 0), last: stdout.trimEnd().split('\n').at(-1) }),
      )
    })
  } finally {
    await rm(directory, { recursive: true })
  }
}

const test = (body: string) => `import { expect, it } from 'vitest'\n${body}`

describe('the closing line', () => {
  it('counts what passed and what failed, a file that cannot be loaded too, and stands last', async () => {
    const files = {
      'one.ts': test(`it('a', () => {}); it('b', () => { expect(1).toBe(2) }); it.skip('c', () => {})`),
      'two.ts': `throw new Error('cannot be loaded')`,
    }
    expect(await run(files)).toEqual({ code: 1, last: '1 passed, 2 failed, 1 skipped' })
  })

  it('counts an error that no test caught', async () => {
    const files = { 'one.ts': test(`it('a', () => { queueMicrotask(() => { throw new Error('late') }) })`) }
    expect(await run(files)).toEqual({ code: 1, last: '1 passed, 1 failed' })
  })

  it('is short when all is well', async () => {
    expect(await run({ 'one.ts': test(`it('a', () => {})`) })).toEqual({ code: 0, last: '1 passed, 0 failed' })
  })
})
