/** docs/rest.md, read as a newcomer reads it: every command is pasted into one shell, in order. */
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { rest } from '../contract/rest.ts'

const run = promisify(execFile)

/** As much of jq as the guide uses: `jq -r .data.id`. A machine that runs the tests need not have it. */
const jq = `#!/usr/bin/env node
const { data } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
process.stdout.write(String(data[process.argv[3].split('.').at(-1)]))
`

/** Answers on lines of their own; and a stream, which does not end by itself, ends after two seconds. */
const curl = `curl() {
  case " $* " in
    *" -N "*) command curl --max-time 2 "$@" || true ;;
    *) command curl "$@" ;;
  esac
  echo
}`

let installation: Installation
let folder: string
beforeAll(async () => {
  installation = await startInstallation()
  folder = await mkdtemp(join(tmpdir(), 'guide-'))
  await writeFile(join(folder, 'jq'), jq)
  await chmod(join(folder, 'jq'), 0o755)
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await installation?.[Symbol.asyncDispose]()
})

describe('docs/rest.md', () => {
  it('works when it is pasted into a shell', { timeout: 180_000 }, async () => {
    const lee = { email: 'lee@example.com', password: '12345678', name: 'Lee' }
    await rest(installation.url).post('/api/v1/auth/register', { body: lee })
    const guide = await readFile(join(import.meta.dirname, '../../docs/rest.md'), 'utf8')
    const blocks = [...guide.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block)
    const script = [curl, ...blocks].join('\n').replace(/^export API=.*$/m, `export API=${installation.url}/api/v1`)

    const { stdout } = await run('bash', ['--norc', '-e', '-c', script], {
      env: { PATH: `${folder}:${process.env.PATH}`, HOME: folder },
    })
    const answers = stdout.split('\n').filter((line) => line.startsWith('{'))

    expect(blocks.length).toBeGreaterThan(8)
    expect(answers.length).toBeGreaterThan(15)
    for (const answer of answers) expect(JSON.parse(answer)).toMatchObject({ success: true })
    expect(stdout).toContain('event: ready')
  })
})
