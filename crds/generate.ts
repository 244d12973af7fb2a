/** `node crds/generate.ts` (`make generate`): writes the CRD of each kind into crds/yaml/, and removes what is none. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crdFiles } from './yaml.ts'

const directory = join(import.meta.dirname, 'yaml')
const files = crdFiles()
await mkdir(directory, { recursive: true })
for (const name of await readdir(directory)) if (!files.has(name)) await rm(join(directory, name))
for (const [name, content] of files) await writeFile(join(directory, name), content)
console.log(`${files.size} files in ${directory}`)
