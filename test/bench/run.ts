/**
 * `make bench`: runs the benchmarks one after another, each in a process of its own so that none inherits
 * another's heap, then draws the plots. `make bench only=kube-informer,facade` runs some.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const notBenchmarks = new Set(['run.ts', 'report.ts', 'plot.ts'])
const folder = fileURLToPath(new URL('.', import.meta.url))
const wanted = process.argv[2]?.split(',').filter(Boolean) ?? []
const benchmarks = readdirSync(folder).filter((file) => /^[a-z-]+\.ts$/.test(file) && !notBenchmarks.has(file))

const unknown = wanted.filter((name) => !benchmarks.includes(`${name}.ts`))
if (unknown.length > 0) {
  console.error(
    `There is no benchmark ${unknown.join(', ')}; there are ${benchmarks.map((b) => b.slice(0, -3)).join(', ')}.`,
  )
  process.exit(2)
}

const failed: string[] = []
for (const file of benchmarks) {
  if (wanted.length > 0 && !wanted.includes(file.slice(0, -3))) continue
  const { status } = spawnSync(process.execPath, ['--expose-gc', `${folder}${file}`], { stdio: 'inherit' })
  if (status !== 0) failed.push(file)
}
const { status } = spawnSync(process.execPath, [`${folder}plot.ts`], { stdio: 'inherit' })
if (failed.length > 0) console.error(`Did not finish: ${failed.join(', ')}.`)
process.exit(failed.length > 0 ? 1 : (status ?? 1))
