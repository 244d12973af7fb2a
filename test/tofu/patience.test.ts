/** A runner that the controller does not answer any more, until its patience is over: nothing that it did is lost, and nothing done twice. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TofuRun } from '../../crds/tofu-run.ts'
import { type Workbench, workbench } from './workbench.ts'

let bench: Workbench
beforeAll(async () => {
  const environment = { SKYCLUST_RUN_PATIENCE_MS: '3000' }
  bench = await workbench({ breakable: true, sandbox: false, environment }) // what was made is counted in a file outside
})
afterAll(() => bench?.[Symbol.asyncDispose]())

/** What the runner of an apply asks is not answered; a state that tofu uploads is taken, or refused. */
function silence(run: string, state: 'taken' | 'refused'): void {
  const asked = (path: string, what: RegExp) => path.includes(`/${run}/`) && what.test(path)
  const runners = bench.lines?.runners
  runners?.inject(({ path }) => asked(path, /\/apply\/(output\/\d+|progress|errored|result)$/), { answer: 503 })
  if (state === 'taken') return
  runners?.inject(({ method, path }) => method === 'POST' && asked(path, /\/apply\/state$/), { answer: 400 })
}

async function apply(name: string): Promise<TofuRun> {
  const text = `resource "terraform_data" "one" {
  input = "made"
  provisioner "local-exec" {
    command = "echo made >> ${join(bench.folder, name)}"
  }
}
output "one" { value = terraform_data.one.output }
`
  await bench.run(name, { command: 'apply', stack: name, source: { inline: { 'main.tf': text } } })
  const run = await bench.over(name)
  const head = await bench.tofuRuns.states.head(await bench.tofuRuns.stackOf(run))
  expect(head.holder ?? head.lock).toBeUndefined()
  expect(await readFile(join(bench.folder, name), 'utf8')).toBe('made\n')
  expect(await readdir(join(bench.folder, 'runs'))).not.toContain(run.metadata.uid)
  return run
}

describe('a runner that is not answered until its patience is over', () => {
  it('leaves its result where the controller finds it: what was applied is Completed', async () => {
    silence('unheard', 'taken')
    expect((await apply('unheard')).status).toMatchObject({ phase: 'Completed', outputs: { one: 'made' } })
  })

  it('leaves the state that it could not hand over as well: it is saved, and the run says what happened', async () => {
    silence('unsaved', 'refused')
    const run = await apply('unsaved')
    const words = [
      'could not be handed over: the controller has not been heard for',
      'Failed to save state',
      'The state that tofu could not upload was saved.',
    ]
    expect(run.status).toMatchObject({ phase: 'Failed', error: expect.stringMatching(words.join('[\\s\\S]*')) })
    expect((await bench.state(run))?.resources).toHaveLength(1)
  })
})
