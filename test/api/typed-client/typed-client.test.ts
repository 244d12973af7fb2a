/**
 * A client made of `/openapi.json` by a generator that is not ours, compiled with all of TypeScript's strictness and used: so
 * the document is true in both directions, and good enough to program against.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, startInstallation } from '../../contract/installation.ts'

const run = promisify(execFile)
const programs = join(import.meta.dirname, '../../../node_modules/.bin')

/** A program as somebody would write it who has nothing but the client. */
const program = `
import * as api from './client.ts'

api.defaults.baseUrl = process.env.API_URL ?? ''
const account = { email: 'typed@example.com', password: 'correct horse', name: 'Typed' }

const registered = await api.postApiV1AuthRegister(account)
if (registered.status !== 201) throw new Error(registered.data.error.message)
const id: string = registered.data.data.id

const login = await api.postApiV1AuthLogin({ email: account.email, password: account.password })
if (login.status !== 200) throw new Error(login.data.error.code)
api.defaults.headers = { authorization: \`Bearer \${login.data.data.token}\` }

const made = await api.postApiV1Workspaces({ name: 'Typed' }, { idempotencyKey: 'a-key' })
if (made.status !== 201) throw new Error(made.data.error.message)
const listed = await api.getApiV1Workspaces({ limit: 10 })
if (listed.status !== 200) throw new Error(listed.data.error.message)
const names: string[] = listed.data.data.map((workspace) => workspace.name)

const refused = await api.postApiV1Vms({
  workspace_id: made.data.data.id,
  name: 'web-1',
  provider: 'sim',
  instance_type: 'small',
  region: 'sim-1',
  image_id: 'ubuntu',
})
const code = refused.status === 409 ? refused.data.error.code : 'not refused'
const gone = await api.getApiV1VmsById('00000000-0000-4000-8000-000000000000')

console.log(JSON.stringify({ same: id === login.data.data.user.id, names, code, gone: gone.status }))
`

/** What does not fit the document does not compile. */
const misuses = {
  'a misspelt field': `await api.postApiV1Workspaces({ nam: 'x' })`,
  'a field of the wrong type': `await api.postApiV1Workspaces({ name: 1 })`,
  'a provider there is none of': `await api.getApiV1Vms({ provider: 'azure' })`,
  'a missing field': `await api.postApiV1AuthLogin({ email: 'a@b.c' })`,
  'data of an answer that may be a refusal': `(await api.getApiV1VmsById('x')).data.data.public_ip`,
}

let installation: Installation
let folder: string
beforeAll(async () => {
  installation = await startInstallation({ env: { SKYCLUST_LOCALE: 'en' } })
  folder = await mkdtemp(join(import.meta.dirname, 'run-'))
  const document = await (await fetch(`${installation.url}/openapi.json`)).text()
  await writeFile(join(folder, 'openapi.json'), document)
  await run(join(programs, 'oazapfts'), [join(folder, 'openapi.json'), join(folder, 'client.ts')])
  const compilerOptions = { noUnusedLocals: false, exactOptionalPropertyTypes: false }
  const tsconfig = { extends: '../../../../tsconfig.json', compilerOptions, include: ['*.ts'], exclude: [] }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await installation[Symbol.asyncDispose]()
})

/** What the compiler has to say, if anything. */
async function compiled(source: string): Promise<string> {
  await writeFile(join(folder, 'program.ts'), source)
  const outcome = run(join(programs, 'tsc'), ['--noEmit', '--project', folder])
  return outcome.then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  )
}

describe('a client made of /openapi.json', () => {
  it('compiles, and does what the document says', async () => {
    expect(await compiled(program)).toBe('')

    const { stdout } = await run(process.execPath, [join(folder, 'program.ts')], {
      env: { ...process.env, API_URL: installation.url },
    })
    expect(JSON.parse(stdout)).toEqual({ same: true, names: ['Typed'], code: 'CONFLICT', gone: 404 })
  })

  it.each(Object.entries(misuses))('does not compile with %s', async (_, misuse) => {
    expect(await compiled(`import * as api from './client.ts'\n${misuse}\n`)).toMatch(/program\.ts\(2,\d+\): error TS/)
  })
})
