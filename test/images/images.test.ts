/**
 * The images, as far as they go without Docker: what the Dockerfile copies is put into a folder of its own, with the packages that it installs, and the programs
 * start from there. Whoever imports something that is not copied, or needs a package of development, fails here.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { NODE_VERSION, OPENTOFU_VERSION } from '../../tools/versions.ts'
import { documentsOf, helmFor, named, render, root } from '../chart/helm.ts'

const run = promisify(execFile)
let directory: string
let dockerfile: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skyclust-image-'))
  dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8')
  const packages = join(directory, 'dependencies')
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) await cp(join(root, file), join(packages, file))
  const [, args = ''] = /npm (ci .*?) &&/.exec(dockerfile) ?? []
  await run('npm', [...args.split(' '), '--prefer-offline'], { cwd: packages })
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** What a stage copies, laid out as in its image. */
async function layOut(stage: string): Promise<string> {
  const [, text = ''] =
    new RegExp(`^FROM \\S+ AS ${stage}$([\\s\\S]*?)(?=^FROM |$(?![\\s\\S]))`, 'm').exec(dockerfile) ?? []
  const image = join(directory, stage)
  for (const [, from, source = '', target = ''] of text.matchAll(
    /^COPY (?:--chmod=\d+ )?(?:--from=(\S+) )?(\S+) (\S+)$/gm,
  )) {
    if (from === 'tofu' || target.startsWith('/')) continue
    const origin =
      from === 'dependencies' ? join(directory, 'dependencies', source.replace('/app/', '')) : join(root, source)
    const isFolder = (await stat(origin)).isDirectory()
    if (from === 'dependencies') {
      await mkdir(dirname(join(image, target)), { recursive: true })
      await symlink(origin, join(image, target)) // what it holds resolves from where it really is
      continue
    }
    await cp(origin, isFolder ? join(image, target) : join(image, target, source), { recursive: true })
  }
  return image
}

/** With nothing of this checkout in reach. */
const start = (image: string, ...args: string[]) =>
  run(process.execPath, args, { cwd: image, env: {} }).catch((error: { stdout: string; stderr: string }) => error)

describe('the image skyclust', () => {
  it('holds all that the controller and the facade need, and no package of development', async () => {
    const image = await layOut('skyclust')
    for (const main of ['controller/main.ts', 'api/main.ts']) {
      expect((await start(image, main, '--help')).stdout).toContain('SKYCLUST_NAMESPACE')
      // Beyond the settings: everything is imported, and then there is no cluster.
      expect((await start(image, main)).stderr).toMatch(/^(controller|api): /)
    }
    const packages = await readdir(join(image, 'node_modules'))
    expect(packages.filter((name) => /^(vitest|typescript|node-linux)/.test(name))).toEqual([])
  })
})

describe('the image tofu-runner', () => {
  it('holds all that the runner needs', async () => {
    const image = await layOut('tofu-runner')
    expect((await start(image, 'controller/tofu-run/runner/main.ts')).stderr).toContain('SKYCLUST_RUN_URL must be set')
  })
})

describe('the Dockerfile', () => {
  it('takes Node and OpenTofu at the versions that are tested, and runs nothing as root', async () => {
    expect(dockerfile).toContain(`ARG NODE_VERSION=${NODE_VERSION}`)
    expect(dockerfile).toContain(`ARG TOFU_VERSION=${OPENTOFU_VERSION}`)
    expect(dockerfile.match(/^USER 65532:65532$/gm)).toHaveLength(2)
  })

  it('starts what the chart asks for', async () => {
    const manifests = await render(
      await helmFor(directory),
      parse(await readFile(join(root, 'tools/kind/values.yaml'), 'utf8')),
    )
    for (const name of ['skyclust-controller', 'skyclust-api']) {
      const [container] = named(manifests, 'Deployment', name).spec.template.spec.containers
      expect(container.image).toBe('skyclust:dev')
      expect((await stat(join(root, container.args[0]))).isFile()).toBe(true)
    }
    expect(documentsOf(await readFile(join(root, 'tools/kind/moto.yaml'), 'utf8'))).toHaveLength(3)
  })
})
