import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { crdFiles } from './yaml.ts'

const directory = join(import.meta.dirname, 'yaml')

it('has committed exactly what `make generate` writes', async () => {
  const generated = crdFiles()

  expect((await readdir(directory)).sort()).toEqual([...generated.keys()].sort())
  for (const [name, content] of generated) {
    expect(await readFile(join(directory, name), 'utf8'), `crds/yaml/${name}: run make generate`).toBe(content)
  }
})
