/** tofu as a person calls it, and configurations that say of themselves when they were applied. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const twenty = 'resource "terraform_data" "twenty" {\n  count = 20\n  input = count.index\n}\n'

/** Writes a line to the journal when its apply begins, and one when it ends a little later. */
export function everyReplaced(journal: string, { name, stack }: { name: string; stack: string }): string {
  const command = `echo "+ ${stack}" >> ${journal}; sleep 0.2; echo "- ${stack}" >> ${journal}`
  return `resource "terraform_data" "one" {
  triggers_replace = ["${name}"]
  provisioner "local-exec" {
    command = ${JSON.stringify(command)}
  }
}
`
}

/** `tofu init`, `plan` and `apply` in a fresh folder below that one, with a local state. */
export async function bareRun(tofu: string, below: string, main: string): Promise<void> {
  const cwd = await mkdtemp(join(below, 'by-hand-'))
  const env = { PATH: process.env.PATH, HOME: cwd, CHECKPOINT_DISABLE: '1' }
  await writeFile(join(cwd, 'main.tf'), main)
  await run(tofu, ['init', '-input=false'], { cwd, env })
  await run(tofu, ['plan', '-input=false', '-out=plan'], { cwd, env })
  await run(tofu, ['apply', '-input=false', 'plan'], { cwd, env })
  await rm(cwd, { recursive: true })
}

/** What a journal tells: applies of one stack that overlapped, the most that worked at once, and how many there were. */
export function overlaps(journal: string): { overlapping: number; mostAtOnce: number; applied: number } {
  const under = new Map<string, number>()
  let overlapping = 0
  let atOnce = 0
  let mostAtOnce = 0
  let applied = 0
  for (const line of journal.split('\n').filter((one) => one !== '')) {
    const [sign, stack = ''] = line.split(' ')
    const change = sign === '+' ? 1 : -1
    const now = (under.get(stack) ?? 0) + change
    under.set(stack, now)
    atOnce += change
    if (now > 1) overlapping += 1
    if (change === 1) applied += 1
    mostAtOnce = Math.max(mostAtOnce, atOnce)
  }
  return { overlapping, mostAtOnce, applied }
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
