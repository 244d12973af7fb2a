/** What goes into a run: sources, variables, credentials; and that no secret comes out. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import type { TofuRun } from '../../crds/tofu-run.ts'
import { getCondition } from '../../kube/conditions.ts'
import { type GitServer, gitServer } from './git-server.ts'
import { type GitSshServer, gitSshServer } from './git-ssh-server.ts'
import { type Workbench, workbench } from './workbench.ts'

let bench: Workbench
let git: GitServer
let ssh: GitSshServer

beforeAll(async () => {
  bench = await workbench({ provider: true, environment: { SKYCLUST_TOFU_READABLE: process.execPath } })
  await mkdir(join(bench.folder, 'git'))
  git = await gitServer(join(bench.folder, 'git'), 'git-password-1')
  ssh = await gitSshServer()
})
afterAll(async () => {
  await git?.[Symbol.asyncDispose]()
  await ssh?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
})

async function apply(...objects: object[]): Promise<void> {
  const named = objects.map((object) => ({
    ...object,
    metadata: { namespace: bench.namespace, ...(object as { metadata: object }).metadata },
  }))
  await bench.cluster.kubectlWith(named.map((object) => stringify(object)).join('---\n'), 'apply', '-f', '-')
}
const secret = (name: string, stringData: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData,
})

describe('a git source', () => {
  const main =
    'variable "word" { default = "none" }\nresource "terraform_data" "g" {\n  input = file("word.txt")\n}\noutput "word" { value = terraform_data.g.output }\n'

  it('is fetched with the login of its Secret, at a ref and a path, and what is applied is the commit that was planned', async () => {
    await apply(secret('git-login', { username: 'git', password: 'git-password-1' }))
    const planned = await git.commit({ 'stacks/one/main.tf': main, 'stacks/one/word.txt': 'before' })
    const source = { git: { url: git.url, ref: 'main', path: 'stacks/one', secretRef: { name: 'git-login' } } }
    await bench.run('git', { command: 'apply', stack: 'git', source, approval: { mode: 'Manual' } })
    const waiting = await bench.until('git', ({ status }) => status?.phase === 'AwaitingApproval')
    expect(waiting.status?.plan?.commit).toBe(planned)
    await git.commit({ 'stacks/one/word.txt': 'after' })
    await bench.patch('git', { approvedPlan: waiting.status?.plan?.digest })
    const run = await bench.over('git')
    expect(run.status).toMatchObject({ phase: 'Completed', outputs: { word: 'before' } })
    expect(await bench.output('git')).not.toContain('git-password-1')
  })

  describe('over ssh', () => {
    let ref = ''
    beforeAll(async () => {
      ref = await git.commit({
        'stacks/ssh/main.tf': `${main}output "left" { value = fileexists("../../../secrets/git-key") }\n`,
        'stacks/ssh/word.txt': 'by ssh',
      })
    })

    async function fetched(name: string, stringData: Record<string, string> | undefined): Promise<TofuRun> {
      if (stringData !== undefined) await apply(secret(name, stringData))
      const url = ssh.url(join(bench.folder, 'git/work/.git'))
      const login = stringData === undefined ? {} : { secretRef: { name } }
      await bench.run(name, {
        command: 'apply',
        stack: name,
        source: { git: { url, ref, path: 'stacks/ssh', ...login } },
      })
      return bench.over(name)
    }

    it.each([
      ['from a host that the Secret knows', 'ssh-known', { known_hosts: 'true' }],
      ['from the first host that answers, where the Secret knows none', 'ssh-first', {}],
    ] as const)(
      'is fetched with the key of its Secret %s, and the key is gone before the configuration is read',
      async (_what, name, hosts) => {
        const known = 'known_hosts' in hosts ? { known_hosts: ssh.knownHost('true') } : {}
        const run = await fetched(name, { 'ssh-privatekey': ssh.key('right'), ...known })
        expect(run.status).toMatchObject({ phase: 'Completed', outputs: { word: 'by ssh', left: 'false' } })
      },
    )

    it('is Failed in the words of ssh with another key', async () => {
      const run = await fetched('ssh-wrong-key', {
        'ssh-privatekey': ssh.key('wrong'),
        known_hosts: ssh.knownHost('true'),
      })
      expect(run.status).toMatchObject({
        phase: 'Failed',
        error: expect.stringContaining('Permission denied (publickey)'),
      })
      expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('SourceUnavailable')
    })

    it('is Failed where the host shows another key than the Secret knows, and nothing is fetched', async () => {
      const run = await fetched('ssh-wrong-host', {
        'ssh-privatekey': ssh.key('right'),
        known_hosts: ssh.knownHost('false'),
      })
      expect(run.status).toMatchObject({
        phase: 'Failed',
        error: expect.stringContaining('Host key verification failed'),
      })
    })

    it('is Failed in the words of ssh where the run names no key', async () => {
      const run = await fetched('ssh-no-secret', undefined)
      expect(run.status).toMatchObject({
        phase: 'Failed',
        error: expect.stringContaining('Permission denied (publickey)'),
      })
    })
  })

  it('of five megabytes is planned as any other', async () => {
    await apply(secret('git-login', { username: 'git', password: 'git-password-1' }))
    await git.commit({
      'big/main.tf': `locals {\n  blob = "${'x'.repeat(5_000_000)}"\n}\noutput "n" { value = length(local.blob) }\n`,
    })
    const source = { git: { url: git.url, path: 'big', secretRef: { name: 'git-login' } } }
    await bench.run('big', { command: 'apply', stack: 'big', source })
    expect((await bench.over('big')).status).toMatchObject({ phase: 'Completed', outputs: { n: '5000000' } })
  })

  it.each([
    ['a ref that is gone', { ref: 'no-such-branch' }, /no-such-branch/],
    ['a path that is not there', { path: 'nowhere' }, /not a folder/],
  ])('with %s is Failed in the words of git or ours', async (what, rest, words) => {
    const name = `git-${what.split(' ')[1]}`
    const source = { git: { url: git.url, secretRef: { name: 'git-login' }, ...rest } }
    await bench.run(name, { stack: name, source })
    expect((await bench.over(name)).status).toMatchObject({ phase: 'Failed', error: expect.stringMatching(words) })
  })

  it('with submodules is refused', async () => {
    await git.commit({ '.gitmodules': '[submodule "x"]\n\tpath = x\n\turl = ../x\n' })
    await bench.run('git-sub', {
      stack: 'sub',
      source: { git: { url: git.url, path: 'stacks/one', secretRef: { name: 'git-login' } } },
    })
    expect((await bench.over('git-sub')).status?.error).toContain('submodules')
  })
})

describe('a ConfigMap', () => {
  it('is a source, each key a file', async () => {
    await apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'config' },
      data: { 'main.tf': 'output "x" { value = "from a map" }\n' },
    })
    await bench.run('map', { command: 'apply', stack: 'map', source: { configMapRef: { name: 'config' } } })
    expect((await bench.over('map')).status?.outputs).toEqual({ x: 'from a map' })
  })
})

describe('a provider', () => {
  const waits = 'resource "time_sleep" "wait" {\n  create_duration = "1s"\n}\n'

  it('comes from the folder that the operator named, without a registry', async () => {
    const main = `terraform {\n  required_providers {\n    time = { source = "hashicorp/time" }\n  }\n}\n${waits}`
    await bench.run('time', { command: 'apply', stack: 'time', source: { inline: { 'main.tf': main } } })
    expect((await bench.over('time')).status?.phase).toBe('Completed')
    expect(await bench.output('time')).toContain('Installing hashicorp/time')
    expect(await bench.output('time', 'apply')).toContain('time_sleep.wait: Creation complete after 1s')
  })
})

describe('variables and credentials', () => {
  const prints = (command: string) => ({
    'main.tf': `variable "count_of" { type = number }\nvariable "password" { type = string }\nresource "terraform_data" "p" {\n  count = var.count_of\n  provisioner "local-exec" {\n    command = ${JSON.stringify(command)}\n  }\n}\n`,
  })

  it('reach tofu, and nothing secret of them reaches the output, in whatever form it is printed', async () => {
    await apply(
      secret('vars', { password: 'correct-horse-battery' }),
      secret('aws-key', { access_key: 'AKIAEXAMPLE', secret_key: 'aws/secret+key/EXAMPLE' }),
      {
        apiVersion: 'skyclust.io/v1alpha1',
        kind: 'Credential',
        metadata: { name: 'aws-main' },
        spec: { provider: 'aws', secretRef: { name: 'aws-key' }, region: 'eu-west-1' },
      },
    )
    const command =
      'echo $TF_VAR_password $AWS_ACCESS_KEY_ID; echo $AWS_SECRET_ACCESS_KEY | base64; echo region $AWS_REGION; env | grep -c KUBE || true'
    await bench.run('print', {
      command: 'apply',
      stack: 'print',
      source: { inline: prints(command) },
      variables: { count_of: '1' },
      variablesFrom: [{ secretRef: { name: 'vars' } }],
      credentialRefs: [{ name: 'aws-main' }],
    })
    expect((await bench.over('print')).status?.phase).toBe('Completed')
    const output = await bench.output('print', 'apply')
    expect(output).toContain('region eu-west-1')
    expect(output).toContain('(redacted)')
    expect(output).not.toContain('correct-horse')
    expect(output).not.toContain('AKIAEXAMPLE')
    expect(output).not.toContain(Buffer.from('aws/secret+key/EXAMPLE').toString('base64').slice(0, 20))
  })

  it('of Google reach its provider as it looks for them: the key as JSON, project and region, and nothing of the key is printed', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const key = {
      type: 'service_account',
      project_id: 'of-the-key',
      private_key_id: 'a1b2c3d4e5',
      private_key: pem,
      client_email: 'run@of-the-key.iam.gserviceaccount.com',
    }
    await apply(secret('gcp-key', { service_account_key: JSON.stringify(key) }), {
      apiVersion: 'skyclust.io/v1alpha1',
      kind: 'Credential',
      metadata: { name: 'gcp-main' },
      spec: {
        provider: 'gcp',
        secretRef: { name: 'gcp-key' },
        region: 'europe-west1',
        gcp: { projectID: 'of-the-spec' },
      },
    })
    // What the provider does with it: it takes the content itself when that is no path of a file.
    const command = `${process.execPath} -e 'const k = JSON.parse(process.env.GOOGLE_CREDENTIALS)
const signed = require("crypto").sign("sha256", "x", k.private_key).length
console.log("signs with", signed, "bytes for", process.env.GOOGLE_PROJECT, "in", process.env.GOOGLE_REGION)
console.log(k.private_key, process.env.GOOGLE_CREDENTIALS)'`
    await bench.run('gcp', {
      command: 'apply',
      stack: 'gcp',
      source: { inline: prints(command) },
      variables: { count_of: '1', password: 'none' },
      credentialRefs: [{ name: 'gcp-main' }],
    })
    expect((await bench.over('gcp')).status).toMatchObject({ phase: 'Completed' })
    const output = await bench.output('gcp', 'apply')
    expect(output).toContain('signs with 256 bytes for of-the-spec in europe-west1')
    expect(output).not.toContain('a1b2c3d4e5')
    for (const line of pem.trim().split('\n').slice(1, -1)) expect(output).not.toContain(line)
  })

  it.each([
    ['of a Credential', 'aws-key'],
    ['that is a token of a service account', 'sa-token'],
  ])('are not read from a Secret %s', async (_what, name) => {
    if (name === 'sa-token') {
      await apply({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name, annotations: { 'kubernetes.io/service-account.name': 'default' } },
        type: 'kubernetes.io/service-account-token',
      })
    }
    await bench.run(`steal-${name}`, { stack: `steal-${name}`, variablesFrom: [{ secretRef: { name } }] })
    const run = await bench.over(`steal-${name}`)
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('InvalidSpec')
    expect(run.status?.error).toContain('serves something else')
  })

  it('that come a moment after the run are waited for', async () => {
    await bench.run('early', {
      command: 'apply',
      stack: 'early',
      source: { inline: { 'main.tf': 'variable "a" {}\noutput "a" { value = nonsensitive(var.a) }\n' } },
      variablesFrom: [{ secretRef: { name: 'late' } }],
    })
    await bench.until('early', ({ status }) => getCondition(status?.conditions, 'Ready')?.reason === 'InputMissing')
    await apply(secret('late', { a: 'came' }))
    expect((await bench.over('early')).status?.phase).toBe('Completed')
  })
})

describe('what no run can use', () => {
  const word = { source: { inline: { 'main.tf': 'variable "word" {}\noutput "word" { value = var.word }\n' } } }
  const from = (name: string) => ({ ...word, variablesFrom: [{ secretRef: { name } }] })
  const bytes = (...values: number[]) => Buffer.from(values).toString('base64')

  beforeAll(async () => {
    const binaryData = { 'main.tf': bytes(0x72, 0xe9, 0x0a), 'logo.png': bytes(0x89, 0x50) }
    await apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'latin' }, binaryData })
    await apply(secret('long-secret', { word: 'long-secret-value'.repeat(10_000) }))
    await apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'bytes' }, data: { word: bytes(0, 1, 0xff) } })
  })

  it.each([
    [
      'files that are no text',
      { source: { configMapRef: { name: 'latin' } } },
      /configMapRef: "logo.png", "main.tf" of ConfigMap latin is no UTF-8/,
    ],
    [
      'a file in the place of a folder',
      { source: { inline: { 'main.tf': '', a: '', 'a/b/c.tf': '' } } },
      /spec.source.inline: "a" is a file, and the folder of "a\/b\/c.tf"/,
    ],
    [
      'a name that no file can have',
      { source: { inline: { [`${'é'.repeat(200)}.tf`]: '' } } },
      /spec.source.inline: "é+.tf" is longer than the 255 bytes/,
    ],
    [
      'a variable that is too long',
      from('long-secret'),
      /^spec.variablesFrom\[0\].secretRef: the value of the key word of Secret long-secret has more than 120 KiB/,
    ],
    [
      'a variable that is no text',
      from('bytes'),
      /^spec.variablesFrom\[0\].secretRef: the value of the key word of Secret bytes is no UTF-8 text/,
    ],
    [
      'a variable with a null character',
      { ...word, variables: { word: 'a\0b' } },
      /^spec.variables: the value of word is no UTF-8 text/,
    ],
  ])('is %s: it is told with the field, and nothing of the value', async (what, spec, words) => {
    const name = what.replaceAll(' ', '-')
    await bench.run(name, { stack: 'unusable', ...spec })
    const { status } = await bench.over(name)
    expect(getCondition(status?.conditions, 'Ready')?.reason).toBe('InvalidSpec')
    expect(status?.error).toMatch(words)
    expect(status?.error).not.toContain('long-secret-value')
  })
})

describe('what admission refuses', () => {
  it.each([
    ['two sources', { source: { inline: { 'main.tf': '' }, configMapRef: { name: 'x' } } }, 'exactly one of'],
    ['no source', { source: {} }, 'exactly one of'],
    ['a path that leads up', { source: { inline: { '../x.tf': '' } } }, 'relative'],
    ['a stack that is no label', { stack: 'A_B' }, 'spec.stack'],
    ['a digest that is none', { approvedPlan: 'yes' }, 'spec.approvedPlan'],
    ['a duration that is none', { timeout: 'soon' }, 'spec.timeout'],
    ['a timeout that is too long', { timeout: '25h' }, 'at most 24h'],
    ['a git URL that runs a program', { source: { git: { url: 'ext::sh -c whoami' } } }, 'spec.source.git.url'],
    [
      'a git ref that is an option',
      { source: { git: { url: 'https://x/y', ref: '--upload-pack=x' } } },
      'spec.source.git.ref',
    ],
    ['a variable that is no name', { variables: { '1x': 'y' } }, 'spec.variables'],
    ['a file that is too long', { source: { inline: { 'main.tf': 'x'.repeat(5_000_000) } } }, 'oo l'],
  ])('is %s, with the field and what would be right', async (_what, spec, words) => {
    await expect(bench.run('refused', spec)).rejects.toThrow(words)
  })

  it('is a change of anything but the approval, the cancel and the time to live', async () => {
    await bench.run('fixed', { stack: 'fixed' })
    await bench.over('fixed')
    for (const change of [
      { command: 'apply' },
      { stack: 'x' },
      { timeout: '2h' },
      { variables: { a: 'b' } },
      { approval: { mode: 'Manual' } },
    ]) {
      await expect(bench.patch('fixed', change)).rejects.toThrow('create a new run')
    }
    await bench.patch('fixed', {
      ttlSecondsAfterFinished: 1000,
      cancel: true,
      approvedPlan: `sha256:${'0'.repeat(64)}`,
    })
    await expect(bench.patch('fixed', { cancel: false })).rejects.toThrow('cannot be taken back')
  })
})
