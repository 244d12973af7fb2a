/** What goes into a run: sources, variables, credentials; and that no secret comes out. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { getCondition } from '../../kube/conditions.ts'
import { type GitServer, gitServer } from './git-server.ts'
import { type Workbench, workbench } from './workbench.ts'

let bench: Workbench
let git: GitServer
let tools = ''

/** Stands for the network and for the sshd behind it: lets in who has the key and knows the host, and runs what is asked for here. */
const ssh = `#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    -i) key=$2; shift 2 ;;
    -F) shift 2 ;;
    -o) case $2 in UserKnownHostsFile=*) hosts=\${2#*=} ;; StrictHostKeyChecking=*) strict=\${2#*=} ;; esac; shift 2 ;;
    *) break ;;
  esac
done
grep -q the-right-key "$key" && grep -q "$(echo $1 | cut -d@ -f2)" "$hosts" && [ "$strict" = yes ] || {
  echo "$1: Permission denied (publickey)." >&2
  exit 255
}
shift
exec sh -c "$*"
`
beforeAll(async () => {
  tools = await mkdtemp(join(tmpdir(), 'skyclust-tools-'))
  await writeFile(join(tools, 'ssh'), ssh, { mode: 0o755 })
  bench = await workbench({ provider: true, environment: { PATH: `${tools}:${process.env.PATH}` } })
  await mkdir(join(bench.folder, 'git'))
  git = await gitServer(join(bench.folder, 'git'), 'git-password-1')
})
afterAll(async () => {
  await git?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
  await rm(tools, { recursive: true, force: true })
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

  it('is fetched over ssh with the key of its Secret, from a host that the Secret knows, at a commit', async () => {
    const known = { known_hosts: 'git.example ssh-ed25519 AAAA' }
    await apply(
      secret('git-key', { 'ssh-privatekey': 'the-right-key', ...known }),
      secret('git-other-key', { 'ssh-privatekey': 'another-key', ...known }),
    )
    const ref = await git.commit({ 'stacks/ssh/main.tf': main, 'stacks/ssh/word.txt': 'by ssh' })
    const url = `git@git.example:${join(bench.folder, 'git/work/.git')}`
    const sourceWith = (name: string) => ({ git: { url, ref, path: 'stacks/ssh', secretRef: { name } } })
    await bench.run('ssh', { command: 'apply', stack: 'ssh', source: sourceWith('git-key') })
    await bench.run('ssh-other', { stack: 'ssh-other', source: sourceWith('git-other-key') })
    expect((await bench.over('ssh')).status).toMatchObject({ phase: 'Completed', outputs: { word: 'by ssh' } })
    expect((await bench.over('ssh-other')).status?.error).toContain('Permission denied (publickey)')
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
