/** Where a release can be downloaded: `node tools/obtain.ts` as a process of its own, against hosts that serve well, badly, or not to the end. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeExit, startGuarded } from '../../tools/guarded-process.ts'
import { platformOf } from '../../tools/platform.ts'
import { ETCD_VERSION, KUBERNETES_VERSION } from '../../tools/versions.ts'
import { type ReleaseHost, releaseHost } from './release-host.ts'

const { os, arch } = platformOf(process.platform, process.arch)
const RELEASE = Buffer.from(`#!/bin/sh\n${'# padding\n'.repeat(10_000)}echo the release\n`)
const HALF = RELEASE.subarray(0, RELEASE.length / 2)

let directory: string
let host: ReleaseHost
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skyclust-release-'))
  host = await releaseHost(directory)
  await goThatBuilds()
})
afterEach(async () => {
  await host[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

const kubectl = () => join(directory, 'cache/skyclust/kubernetes', `v${KUBERNETES_VERSION}`, `${os}-${arch}`, 'kubectl')
const beside = async (file: string) => (await readdir(dirname(file))).sort()
const run = (program: string) => execFileSync(program, { encoding: 'utf8' }).trim()

/** A real build takes minutes, and is what every machine without a release does. */
async function goThatBuilds(): Promise<void> {
  const go = join(directory, 'bin/go')
  await mkdir(dirname(go))
  await writeFile(
    go,
    `#!/bin/sh
case $1 in
  env) echo go1.99.0 ;;
  build) while [ $# -gt 1 ]; do [ "$1" = -o ] && to=$2; shift; done; printf '#!/bin/sh\\necho built\\n' >"$to" ;;
esac
`,
  )
  await chmod(go, 0o755)
}

/** `node tools/obtain.ts …`, with an empty cache of its own and nothing of this machine's. */
function obtain(...programs: string[]) {
  const child = startGuarded({
    command: process.execPath,
    args: [join(import.meta.dirname, '../../tools/obtain.ts'), ...programs],
    env: {
      PATH: `${join(directory, 'bin')}:${process.env.PATH}`,
      HOME: directory,
      XDG_CACHE_HOME: join(directory, 'cache'),
      ...host.environment,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk
    })
  }
  return {
    pid: child.pid,
    kill: child.kill,
    exited: child.exited,
    output: () => output,
    async done() {
      const exit = await child.exited
      if (exit.code !== 0) throw new Error(`${describeExit(exit)}: ${output}`)
    },
    says: (words: string) => expect.poll(() => output, { timeout: 60_000 }).toContain(words),
    [Symbol.asyncDispose]: async () => void (await child.stop(0)),
  }
}

describe('a release', () => {
  it('is downloaded, verified, kept, and not asked for again', async () => {
    host.publish('kubectl', RELEASE, 'kubectl.sha256')
    await using first = obtain('kubectl')
    await first.done()
    expect(run(kubectl())).toBe('the release')
    expect(first.output()).toContain(`kubectl=${kubectl()}`)

    await using again = obtain('kubectl')
    await again.done()
    expect(host.asked).toEqual(['kubectl.sha256', 'kubectl'])
    expect(await beside(kubectl())).toEqual(['kubectl'])
  })

  it('that is an archive is unpacked', async () => {
    const name = `etcd-v${ETCD_VERSION}-${os}-${arch}`
    await mkdir(join(directory, name))
    await writeFile(join(directory, name, 'etcd'), RELEASE)
    execFileSync('tar', ['-czf', `${name}.tar.gz`, name], { cwd: directory })
    host.publish(`${name}.tar.gz`, await readFile(join(directory, `${name}.tar.gz`)), 'SHA256SUMS')

    await using process = obtain('etcd')
    await process.done()
    const etcd = join(directory, 'cache/skyclust/etcd', `v${ETCD_VERSION}`, `${os}-${arch}`, 'etcd')
    expect(run(etcd)).toBe('the release')
    expect(await beside(etcd)).toEqual(['etcd'])
  })
})

describe('the program is built instead', () => {
  const cases: readonly { readonly when: string; readonly says: string; readonly arrange: () => void }[] = [
    {
      when: 'the checksum is another',
      says: 'not used',
      arrange: () => host.answer('kubectl.sha256', (response) => void response.end('f'.repeat(64))),
    },
    {
      when: 'the download is cut off in the middle',
      says: '/kubectl: ',
      arrange: () =>
        host.answer('kubectl', (response) => {
          response.writeHead(200, { 'content-length': RELEASE.length })
          response.write(HALF, () => response.destroy())
        }),
    },
    {
      when: 'there is no such release',
      says: '/kubectl: HTTP 404',
      arrange: () => host.answer('kubectl', (response) => void response.writeHead(404).end()),
    },
    {
      when: 'there is no checksum',
      says: '/kubectl.sha256: HTTP 404',
      arrange: () => host.answer('kubectl.sha256', (response) => void response.writeHead(404).end()),
    },
  ]

  it.each(cases)('when $when, and nothing of the download is left', async ({ says, arrange }) => {
    host.publish('kubectl', RELEASE, 'kubectl.sha256')
    arrange()
    await using process = obtain('kubectl')
    await process.done()

    expect(process.output()).toContain('no release, building instead')
    expect(process.output()).toContain(says)
    expect(run(kubectl())).toBe('built')
    expect(await beside(kubectl())).toEqual(['kubectl'])
  })
})

describe('processes that ask for the same', () => {
  it('download once when they ask at once', async () => {
    host.publish('kubectl', RELEASE, 'kubectl.sha256')
    const asked = Promise.withResolvers<void>()
    host.answer('kubectl', (response) => {
      let sent = 0 // byte by byte, since a download that stands still is given up
      const timer = setInterval(() => response.write(RELEASE.subarray(sent, ++sent)), 100)
      asked.promise.then(() => {
        clearInterval(timer)
        response.end(RELEASE.subarray(sent))
      })
    })
    await using first = obtain('kubectl')
    await expect.poll(() => host.asked, { timeout: 60_000 }).toContain('kubectl')
    await using second = obtain('kubectl')
    await second.says(`process ${first.pid} is obtaining it; waiting`)
    asked.resolve()
    await Promise.all([first.done(), second.done()])

    expect(host.asked).toEqual(['kubectl.sha256', 'kubectl'])
    expect([first, second].every(({ output }) => output().includes(`kubectl=${kubectl()}`))).toBe(true)
    expect(run(kubectl())).toBe('the release')
  })

  it.each(['SIGKILL', 'SIGINT'] as const)(
    'find nothing half when one was ended by %s in the middle',
    async (signal) => {
      host.publish('kubectl', RELEASE, 'kubectl.sha256')
      const half = Promise.withResolvers<void>()
      host.answer('kubectl', (response) => {
        response.writeHead(200, { 'content-length': RELEASE.length })
        response.write(HALF, () => half.resolve())
      })
      await using first = obtain('kubectl')
      await half.promise
      first.kill(signal)
      await first.exited
      expect(existsSync(kubectl())).toBe(false)

      host.publish('kubectl', RELEASE, 'kubectl.sha256')
      await using second = obtain('kubectl')
      await second.done()
      expect(run(kubectl())).toBe('the release')
      expect(await beside(kubectl())).toEqual(['kubectl'])
    },
  )
})
