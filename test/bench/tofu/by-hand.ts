/** tofu as a person calls it, and configurations that say of themselves when they were applied. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const twenty = 'resource "terraform_data" "twenty" {\n  count = 20\n  input = count.index\n}\n'

/** Prints when its apply begins, and when it ends a little later: nanoseconds since 1970. */
export function everyReplaced(name: string): string {
  return `resource "terraform_data" "one" {
  triggers_replace = ["${name}"]
  provisioner "local-exec" {
    command = "echo began $(date +%s%N); sleep 0.2; echo ended $(date +%s%N)"
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

/** When an apply was under way, as {@link everyReplaced} printed it. */
export interface Span {
  readonly stack: string
  readonly began: bigint
  readonly ended: bigint
}

/** @throws Error when the output does not say it, once each */
export function spanIn(output: string, stack: string): Span {
  const [began, ended] = ['began', 'ended'].map((word) => output.match(new RegExp(`: ${word} (\\d+)$`, 'gm')) ?? [])
  if (began?.length !== 1 || ended?.length !== 1) throw new Error(`an apply of ${stack} was not done once: ${output}`)
  const time = (line: string | undefined) => BigInt(line?.split(' ').at(-1) ?? 0)
  return { stack, began: time(began[0]), ended: time(ended[0]) }
}

/** Applies of one stack that overlapped, and the most that were under way at once. */
export function overlaps(spans: readonly Span[]): { overlapping: number; mostAtOnce: number } {
  const under = (at: bigint) => spans.filter(({ began, ended }) => began <= at && at < ended)
  const sharing = spans.map((span) => under(span.began))
  const overlapping = sharing.filter(
    (running, index) => running.filter(({ stack }) => stack === spans[index]?.stack).length > 1,
  )
  return { overlapping: overlapping.length, mostAtOnce: Math.max(...sharing.map((running) => running.length)) }
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
