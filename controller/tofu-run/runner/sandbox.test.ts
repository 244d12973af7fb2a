/** On a machine whose kernel gives no sandbox, what is left to be seen is that it says so. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { hasSandbox } from '../process-isolation.ts'
import { usualLimits } from '../protocol.ts'
import { runChild } from './guarded-child.ts'
import { openSandbox, type Sandbox, sandboxRefusal } from './sandbox.ts'

const refusal = await sandboxRefusal(join(tmpdir(), 'skyclust-probe'))
const soon = { timeout: 20_000, interval: 20 }

let folder = ''
let sandbox: Sandbox
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sandboxed-'))
  for (const name of ['config', 'other', 'tools', 'tmp']) await mkdir(join(folder, name))
  await writeFile(join(folder, 'other', 'secret'), 'of another run')
  await writeFile(join(folder, 'tools', 'word'), 'a tool')
  sandbox = await openSandbox({
    folder: join(folder, 'sandbox'),
    readable: [join(folder, 'tools'), join(folder, 'not-there')],
    writable: [join(folder, 'config')],
    temporary: join(folder, 'tmp'),
  })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const environment = { PATH: process.env.PATH ?? '/usr/bin:/bin' }

interface Rest {
  readonly stop?: AbortSignal
  readonly graceMs?: number
  readonly writable?: string[]
}
const shell = (script: string, rest?: Rest) => run('/bin/sh', ['-c', script], rest)

function run(program: string, args: readonly string[], rest: Rest = {}) {
  let output = ''
  const { stop = new AbortController().signal, graceMs = 60_000, writable = [] } = rest
  const ended = runChild({
    program,
    args,
    cwd: join(folder, 'config'),
    environment,
    outputFolder: join(folder, 'output'),
    onOutput: (text) => {
      output += text
    },
    stop,
    limits: usualLimits,
    firstGraceMs: graceMs,
    secondGraceMs: graceMs,
    sandbox,
    writable,
  })
  return ended.then((end) => ({ ...end, output }))
}

async function appears(name: string): Promise<void> {
  await vi.waitFor(() => readFile(join(folder, 'config', name)), soon)
}

if (refusal === undefined) describe('a program in the sandbox', { timeout: 60_000 }, inSandbox)

function inSandbox(): void {
  it('writes into its own folder and into a /tmp of its own, and gives its exit code', async () => {
    const end = await shell('pwd; echo made > made; echo x > /tmp/x; exit 3')
    expect(end).toEqual({ code: 3, stopped: 0, output: `${join(folder, 'config')}\n` })
    expect(await readFile(join(folder, 'config', 'made'), 'utf8')).toBe('made\n')
    expect(await readFile(join(folder, 'tmp', 'x'), 'utf8')).toBe('x\n')
  })

  it.each(['/etc/passwd', '/etc/shadow', '/etc/ssl/private', '/sys/kernel', '/dev/zero', '../other/secret'])(
    'does not see %s',
    async (path) => {
      expect(await shell(`[ -e ${path} ] && echo seen; exit 0`)).toMatchObject({ code: 0, output: '' })
    },
  )

  it('sees no process but its own', async () => {
    const end = await shell('set -- /proc/[0-9]*; echo $#; tr "\\0" " " < /proc/1/cmdline')
    expect(Number(end.output.split('\n')[0])).toBeLessThanOrEqual(3)
    expect(end.output).not.toContain(process.execPath)
  })

  it('reads what it was given, and can write nothing of it nor of the system', async () => {
    const tools = join(folder, 'tools')
    const end = await shell(
      `cat ${tools}/word; for p in ${tools}/word /usr/x /x /proc/sys/kernel/core_pattern; do (echo bad > $p) 2>/dev/null && echo wrote $p; done; exit 0`,
    )
    expect(end.output).toBe('a tool')
    expect((await shell(`echo new > ${tools}/word`, { writable: [tools] })).code).toBe(0)
    expect(await readFile(join(tools, 'word'), 'utf8')).toBe('new\n')
  })

  it('finds the machine’s own /tmp where that may be written', async () => {
    const [config, left] = [join(folder, 'config'), join(tmpdir(), `left-${process.pid}`)]
    const options = { folder: join(folder, 'sandbox'), readable: [], temporary: join(folder, 'tmp') }
    sandbox = await openSandbox({ ...options, writable: ['/tmp', config] })
    expect((await shell(`echo left > ${left}; echo made > made; [ -e /etc/passwd ]`)).code).toBe(1)
    expect(await readFile(left, 'utf8')).toBe('left\n')
    expect(await readFile(join(config, 'made'), 'utf8')).toBe('made\n')
    await rm(left)
  })

  it('may write where something else is mounted below', async () => {
    const [config, mounted] = [join(folder, 'config'), join(folder, 'config', 'mounted')]
    await mkdir(mounted)
    const script = `echo made > ${mounted}/made; cat ${mounted}/made`
    const inside = await sandbox.enclose({ program: '/bin/sh', args: ['-c', script], cwd: config })
    const outer = [
      '--user',
      '--map-root-user',
      '--mount',
      '/bin/sh',
      '-c',
      'mount -t tmpfs none "$1"; shift; exec "$@"',
    ]
    const { stdout } = await promisify(execFile)('unshare', [...outer, 'sh', mounted, ...inside])
    expect(stdout).toBe('made\n')
  })

  it('has no capability, gains none, and makes no namespace to gain any in', async () => {
    const end = await shell(
      'grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status; unshare --user true || echo refused',
    )
    expect(end.output).toMatch(/^CapEff:\s0+\nCapBnd:\s0+\nNoNewPrivs:\s1\n/)
    expect(end.output).toContain('refused')
  })

  it('leaves no process behind, not even one in a session of its own', async () => {
    const mark = `sleep 6${process.pid}`
    expect((await shell(`setsid ${mark} & setsid -f ${mark}; exit 0`)).code).toBe(0)
    await vi.waitFor(async () => expect(await commandLines()).not.toContain(mark), soon)
  })

  it('gets one SIGINT, alone, and finishes', async () => {
    const stop = new AbortController()
    const script =
      "sh -c 'trap \"echo child was hit\" INT; : > child; sleep 0.6; echo child done' & trap 'echo saving; wait; exit 7' INT; while [ ! -e child ]; do sleep 0.05; done; : > ready; wait"
    const ended = shell(script, { stop: stop.signal })
    await appears('ready')
    stop.abort()
    expect(await ended).toEqual({ code: 7, stopped: 1, output: 'saving\nchild done\n' })
  })

  it('is stopped also when it is told before it has begun', async () => {
    const stop = new AbortController()
    stop.abort()
    expect(await run('sleep', ['600'], { stop: stop.signal })).toMatchObject({ code: undefined, stopped: 1 })
  })

  it('that does not listen is killed after both graces', async () => {
    const stop = new AbortController()
    const ended = shell("trap 'echo hit' INT; : > ready; while :; do sleep 0.05; done", {
      stop: stop.signal,
      graceMs: 300,
    })
    await appears('ready')
    stop.abort()
    const end = await ended
    expect(end).toMatchObject({ code: undefined, stopped: 3 })
    expect(end.output.match(/hit/g)).toHaveLength(2)
  })

  it('that is killed by the kernel is seen as killed', async () => {
    expect(await shell('kill -s KILL $$')).toMatchObject({ code: undefined, stopped: 0 })
  })

  it('is stopped politely when the runner itself is killed', async () => {
    const script = "trap 'echo saved > saved; exit 0' INT; : > ready; while :; do sleep 0.05; done"
    const program = `
      import { runChild } from ${JSON.stringify(join(import.meta.dirname, 'guarded-child.ts'))}
      import { openSandbox } from ${JSON.stringify(join(import.meta.dirname, 'sandbox.ts'))}
      const folder = ${JSON.stringify(folder)}
      const sandbox = await openSandbox({ folder: folder + '/sandbox', readable: [], writable: [folder + '/config'], temporary: folder + '/tmp' })
      await runChild({ program: '/bin/sh', args: ['-c', ${JSON.stringify(script)}], cwd: folder + '/config', sandbox,
        environment: process.env, outputFolder: folder + '/output', onOutput() {}, stop: new AbortController().signal, limits: { memoryBytes: 2 ** 31, diskBytes: 2 ** 32 }, firstGraceMs: 60000, secondGraceMs: 0 })`
    const runner = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' })
    await appears('ready')
    runner.kill('SIGKILL')
    await once(runner, 'exit')
    await appears('saved')
  })
}

describe('a machine that gives no sandbox', () => {
  it('is said to give none, once, and does not start where one is required', async () => {
    const lines: unknown[] = []
    const log = {
      info: (line: unknown) => void lines.push(line),
      warn: (line: unknown) => void lines.push(line),
    } as never
    const off = await hasSandbox({ wanted: 'off', folder, log })
    expect(off).toBe(false)
    expect(lines).toEqual([{ why: 'SKYCLUST_TOFU_SANDBOX is off' }])
    const required = hasSandbox({ wanted: 'required', folder, log })
    if (refusal === undefined) expect(await required).toBe(true)
    else await expect(required).rejects.toThrow(refusal)
  })
})

/** Of every process of this machine. */
async function commandLines(): Promise<string> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))
  return (await Promise.all(lines)).join('\n').replaceAll('\0', ' ')
}
