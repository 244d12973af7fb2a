import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RunCommand } from './command.ts'
import { type ObtainOptions, programObtainer, sourcesOf } from './obtain-program.ts'
import { progress } from './progress.ts'

const platform = { os: 'linux', arch: 'amd64' }

let home: string
let said: string[]
let ran: string[]
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'skyclust-obtain-'))
  said = []
  ran = []
})
afterEach(() => rm(home, { recursive: true }))

/** A Go that "builds" by writing what it was asked to build. */
const goThatBuilds: RunCommand = async (command, args) => {
  ran.push([command, ...args].join(' '))
  if (command !== 'go') throw new Error(`${command} is not here`)
  if (args[0] === 'env') return 'go1.99.0\n'
  const to = args[args.indexOf('-o') + 1]
  if (args[0] === 'build' && to !== undefined) await writeFile(to, `built ${args.at(-1)}`)
  return ''
}

const noNetwork = async (): Promise<Response> => {
  throw new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND') })
}

/** A release host that has these files, and their checksums. */
function releases(files: Record<string, string>): ObtainOptions['fetch'] {
  return async (url) => {
    const name = new URL(url).pathname
    const file = files[name.replace(/\.sha256$/, '')]
    if (file === undefined) return new Response('', { status: 404 })
    return new Response(name.endsWith('.sha256') ? createHash('sha256').update(file).digest('hex') : file)
  }
}

function obtainer(environment: NodeJS.ProcessEnv, other: Partial<ObtainOptions> = {}) {
  return programObtainer({
    sources: sourcesOf(environment, home),
    platform,
    modulesDirectory: join(home, 'modules'),
    progress: progress({ write: (line) => said.push(line) }),
    fetch: noNetwork,
    run: goThatBuilds,
    ...other,
  })
}

async function executable(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, 'a program')
  await chmod(path, 0o755)
  return path
}

const cachedKubectl = () => join(home, '.cache/skyclust/kubernetes/v1.36.3/linux-amd64/kubectl')

describe('programObtainer', () => {
  it('takes from KUBEBUILDER_ASSETS what is there, and the rest from the next source', async () => {
    const assets = join(home, 'assets')
    const etcd = await executable(join(assets, 'etcd'))
    const kubectl = await executable(cachedKubectl())
    const obtain = obtainer({ KUBEBUILDER_ASSETS: assets })

    expect(await obtain('etcd')).toBe(etcd)
    expect(await obtain('kubectl')).toBe(kubectl)
    expect(ran).toEqual([])
  })

  it('prefers the cache to a download, and honours XDG_CACHE_HOME', async () => {
    const kubectl = await executable(join(home, 'elsewhere/skyclust/kubernetes/v1.36.3/linux-amd64/kubectl'))
    expect(await obtainer({ XDG_CACHE_HOME: join(home, 'elsewhere') })('kubectl')).toBe(kubectl)
  })

  it('downloads the official release, keeps it in the cache, and does not ask again', async () => {
    const fetch = releases({ '/v1.36.3/bin/linux/amd64/kubectl': 'the release' })

    const kubectl = await obtainer({}, { fetch })('kubectl')

    expect(kubectl).toBe(cachedKubectl())
    expect(await readFile(kubectl, 'utf8')).toBe('the release')
    expect(await obtainer({})('kubectl')).toBe(kubectl)
    expect(ran).toEqual([])
  })

  it('builds where no release can be downloaded, says why in one line, and leaves nothing else in the cache', async () => {
    const kubectl = await obtainer({})('kubectl')

    expect(await readFile(kubectl, 'utf8')).toBe('built k8s.io/kubernetes/cmd/kubectl')
    expect(await readdir(dirname(kubectl))).toEqual(['kubectl'])
    expect(said).toEqual([expect.stringMatching(/^kubectl 1\.36\.3: no release, building instead \(.*ENOTFOUND\)$/)])
  })

  it('builds what is pinned, static, and stamped with the version', async () => {
    await obtainer({})('kube-apiserver')

    const build = ran.find((command) => command.startsWith('go build'))
    expect(build).toContain('-mod=readonly')
    expect(build).toContain('-trimpath')
    expect(build).toContain('-X k8s.io/component-base/version.gitVersion=v1.36.3')
  })

  it('does not believe a download whose checksum differs', async () => {
    const fetch: ObtainOptions['fetch'] = async (url) =>
      new Response(url.endsWith('.sha256') ? 'f'.repeat(64) : 'something else')

    const kubectl = await obtainer({}, { fetch })('kubectl')

    expect(await readFile(kubectl, 'utf8')).toBe('built k8s.io/kubernetes/cmd/kubectl')
    expect(said[0]).toContain('not used')
  })

  it('tries a host that cannot be reached once, not once for each program', async () => {
    const asked: string[] = []
    const fetch = (url: string) => {
      asked.push(new URL(url).host)
      return noNetwork()
    }
    const obtain = obtainer({}, { fetch })

    await obtain('kube-apiserver')
    await obtain('kube-controller-manager')
    await obtain('kubectl')

    expect(asked).toEqual(['dl.k8s.io'])
  })

  it('leaves nothing of a build that failed, and builds again when asked again', async () => {
    const failing: RunCommand = async (command, args, options) => {
      const printed = await goThatBuilds(command, args, options)
      if (args[0] === 'build') throw new Error('go build: exit code 1')
      return printed
    }
    await expect(obtainer({}, { run: failing })('kubectl')).rejects.toThrow('go build: exit code 1')
    expect(await readdir(dirname(cachedKubectl()))).toEqual([])

    expect(await obtainer({})('kubectl')).toBe(cachedKubectl())
  })

  it('clears away what a killed process left half', async () => {
    await executable(`${cachedKubectl()}.partial-gone/kubectl`)
    await obtainer({})('kubectl')
    expect(await readdir(dirname(cachedKubectl()))).toEqual(['kubectl'])
  })

  it('takes OpenTofu from SKYCLUST_TOFU, then from the PATH', async () => {
    const named = await executable(join(home, 'named/tofu'))
    const installed = await executable(join(home, 'bin/tofu'))
    const environment = { PATH: `/nowhere:${dirname(installed)}` }

    expect(await obtainer({ ...environment, SKYCLUST_TOFU: named })('tofu')).toBe(named)
    expect(await obtainer(environment)('tofu')).toBe(installed)
  })

  it('names the variable that leads nowhere', async () => {
    await expect(obtainer({ SKYCLUST_TOFU: '/no/tofu' })('tofu')).rejects.toThrow(
      'SKYCLUST_TOFU=/no/tofu is no executable file',
    )
    await expect(obtainer({ KUBEBUILDER_ASSETS: '/no/folder' })('etcd')).rejects.toThrow(
      'KUBEBUILDER_ASSETS=/no/folder does not exist',
    )
  })
})
