import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { requireNewEnough } from './new-enough.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'new-enough-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** A program that answers `--version` with this. */
async function program(answer: string): Promise<string> {
  const path = join(folder, answer.replaceAll(' ', '-'))
  await writeFile(path, `#!/bin/sh\necho '${answer}'\n`)
  await chmod(path, 0o755)
  return path
}

it('takes a kube-apiserver of a version that the chart takes as well', async () => {
  for (const version of ['v1.34.0', 'v1.36.3', 'v1.37.0-alpha.1'])
    await expect(requireNewEnough(await program(`Kubernetes ${version}`))).resolves.toBeUndefined()
})

it('refuses an older one by one line that names its version and the remedy', async () => {
  const old = await program('Kubernetes v1.33.4')
  await expect(requireNewEnough(old)).rejects.toThrow(
    /^\S+ is Kubernetes 1\.33\.4, and SkyClust needs 1\.34 or newer: unset KUBEBUILDER_ASSETS .*$/,
  )
  await expect(requireNewEnough(await program('something else'))).rejects.toThrow(
    /no kube-apiserver \(something else\)/,
  )
})
