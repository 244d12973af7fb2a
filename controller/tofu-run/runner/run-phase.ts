/**
 * One phase of one run, from the first word to the controller to the last: fetch the sources, `tofu init`, then `plan` or `apply`.
 *
 * Guarantees: exactly one result, however it ends; whatever state tofu could not upload is handed over before; the plan that is
 * applied has the digest that was asked for; nothing that is printed or reported holds a secret of the bundle.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  type Bundle,
  bundle as bundleSchema,
  type PhaseResult,
  type PlanSummary,
  progressAnswer,
  workspaceArchive,
} from '../protocol.ts'
import { digestOf } from '../state/blob-store.ts'
import { type ControllerLink, LinkRefused } from './controller-link.ts'
import { bounded } from './diagnostics.ts'
import { erroredState } from './errored-state.ts'
import { checkOut } from './git-source.ts'
import { type ChildEnd, runChild } from './guarded-child.ts'
import { limitsWatch } from './limits-watch.ts'
import { outputPump } from './output-pump.ts'
import { failed, failureOf, type Outcome, type StopCause, stoppedWords } from './phase-words.ts'
import { summarisePlan } from './plan-summary.ts'
import { redactor } from './redact.ts'
import { RunFailure } from './run-failure.ts'
import type { Sandbox } from './sandbox.ts'
import { stateDumpCatcher } from './state-dump.ts'
import { pack, takeOverBackend, unpack, within, writeFiles } from './workspace-folder.ts'

export interface PhaseWorld {
  readonly link: ControllerLink
  /** Tells this runner from any other that may have been started for the same phase. */
  readonly runnerId: string
  /** Empty, and nobody else's. */
  readonly workFolder: string
  /** The tofu program. */
  readonly tofu: string
  /** In which tofu runs, if the executor gives none of its own. */
  readonly sandbox: Sandbox | undefined
  /** How many processes and threads there may be together, if the user that we are is the run's own. */
  readonly processes: number | undefined
  /** Where `init` keeps providers for other runs; nothing else may write there. */
  readonly pluginCache: string | undefined
  /** What every program gets: PATH, the plugin cache, the CLI configuration, where the state is. */
  readonly environment: Readonly<Record<string, string>>
  readonly beatEveryMs: number
  /** Told the pid of each tofu that is started. */
  readonly onProgram: (pid: number) => void
  readonly now: () => Date
  /** Aborted with a `StopReason` when the runner itself is to end. */
  readonly interrupted: AbortSignal
}

/** @throws LinkRefused when this runner may not do this phase, or not any more. */
export async function runPhase(world: PhaseWorld): Promise<PhaseResult> {
  const { link } = world
  await link.send('POST', 'begin', JSON.stringify({ runner: world.runnerId }))
  const bundle = bundleSchema.parse(JSON.parse(String(await link.get('bundle'))))

  const stop = new AbortController()
  const kill = new AbortController()
  const stopWith = (cause: StopCause) => stop.abort(cause)
  const timer = setTimeout(() => stopWith('timedOut'), bundle.timeoutMs)
  const onInterrupt = () => stopWith('interrupted')
  world.interrupted.addEventListener('abort', onInterrupt)
  if (world.interrupted.aborted) onInterrupt()

  let refused: LinkRefused | undefined
  const pump = outputPump({
    redactor: redactor(bundle.secrets),
    everyMs: world.beatEveryMs,
    async sendPiece(index, text, patient) {
      await link.send('PUT', `output/${index}`, text, patient ? {} : { patienceMs: 0 })
    },
    async beat() {
      try {
        const answer = await link.send('POST', 'progress', '', { patienceMs: 0 })
        const asked = progressAnswer.parse(JSON.parse(String(answer))).stop
        if (asked !== undefined) stopWith(asked)
      } catch (error) {
        if (!(error instanceof LinkRefused)) throw error
        refused = error // somebody else holds the stack: nothing that we do can count any more
        stopWith('interrupted')
      }
    },
  })

  const watch = limitsWatch({
    limits: bundle.limits,
    folder: world.workFolder,
    pid: process.pid,
    everyMs: world.beatEveryMs,
    onExceeded: stopWith,
    onFarBeyond: () => kill.abort(),
  })
  const ends: Ends = { stop: stop.signal, kill: kill.signal, look: () => watch.look().catch(() => undefined) }
  const work = phaseWork(world, bundle, ends, (text) => pump.write(text))
  const clean = (text: string) => {
    const once = redactor(bundle.secrets)
    return once.push(text) + once.end()
  }
  try {
    const result = await work.run().catch((error: unknown) => failed(error, stop.signal))
    const { rescuedState, unsaved = '' } = await work.rescueState()
    await pump.close()
    if (refused !== undefined) throw refused
    return {
      ...result,
      error: bounded(clean(`${unsaved}${result.error}`)),
      ...(rescuedState && { rescuedState }),
      finishedAt: world.now().toISOString(),
    }
  } finally {
    pump.cease()
    watch.end()
    clearTimeout(timer)
    world.interrupted.removeEventListener('abort', onInterrupt)
  }
}

/** What ends the phase before its time. */
interface Ends {
  /** Aborted with a `StopCause`. */
  readonly stop: AbortSignal
  readonly kill: AbortSignal
  /** Whether a limit is exceeded, which aborts `stop` then. */
  readonly look: () => Promise<void>
}

function phaseWork(world: PhaseWorld, bundle: Bundle, { stop, kill, look }: Ends, print: (text: string) => void) {
  const { link, workFolder } = world
  const root = join(workFolder, 'config')
  const secretsFolder = join(workFolder, 'secrets')
  const planFile = join(workFolder, 'plan', 'plan.tfplan')
  const dumps = { stdout: stateDumpCatcher(), stderr: stateDumpCatcher() }
  const environment: Record<string, string> = {
    ...world.environment,
    TF_HTTP_PASSWORD: bundle.stateToken,
    ...bundle.environment,
  }
  let folder = root

  async function tofu(args: readonly string[], options: { readonly silent?: boolean } = {}) {
    let output = ''
    let data = ''
    /** What is asked for as data, not for people: it is neither shown nor mixed with warnings. */
    const isData = (stream: 'stdout' | 'stderr') => options.silent === true && stream === 'stdout'
    function take(stream: 'stdout' | 'stderr', text: string): void {
      if (isData(stream)) {
        data += text
        return
      }
      output += text
      print(text)
    }
    const end: ChildEnd = await runChild({
      program: world.tofu,
      args,
      cwd: folder,
      environment,
      outputFolder: join(workFolder, 'output'),
      onStart: world.onProgram,
      onOutput(text, stream) {
        take(stream, isData(stream) ? text : dumps[stream].push(text))
      },
      stop,
      kill,
      limits: bundle.limits,
      firstGraceMs: bundle.firstGraceMs,
      secondGraceMs: bundle.secondGraceMs,
      sandbox: world.sandbox,
      processes: world.processes,
      writable: args[0] === 'init' && world.pluginCache !== undefined ? [world.pluginCache] : [],
    })
    for (const stream of ['stdout', 'stderr'] as const) if (!isData(stream)) take(stream, dumps[stream].end())
    return { ...end, output, data }
  }

  /** What ended a program that did not succeed: that it was stopped, or had no room, or itself. */
  async function failure(stopped: { end?: ChildEnd; output?: string }, itself: unknown): Promise<unknown> {
    await look()
    return stop.aborted ? new Error(stoppedWords({ bundle, cause: stop.reason, ...stopped })) : itself
  }

  /** Gives what was asked for as data. @throws RunFailure with tofu's diagnostics; what was stopped is worded by {@link stoppedWords}. */
  async function mustSucceed(args: readonly string[], options: { readonly silent?: boolean } = {}): Promise<string> {
    const { output, data, ...end } = await tofu(args, options)
    if (end.code === 0) return data
    throw await failure({ end, output }, failureOf({ bundle, tofu: world.tofu, code: end.code, output }))
  }

  async function prepare(): Promise<string | undefined> {
    for (const path of [root, secretsFolder, dirname(planFile), environment.HOME, environment.TMPDIR]) {
      if (path !== undefined) await mkdir(path, { recursive: true, mode: 0o700 })
    }
    for (const [name, { variable, content }] of Object.entries(bundle.secretFiles)) {
      environment[variable] = within(secretsFolder, name)
      await writeFile(within(secretsFolder, name), content, { mode: 0o600 })
    }
    return fetchSource()
  }

  const init = () => mustSucceed(['init', '-input=false', '-no-color'])

  /** Gives the commit of a git source. */
  async function fetchSource(): Promise<string | undefined> {
    const { source } = bundle
    switch (source.kind) {
      case 'files':
        await writeFiles(root, source.files)
        await takeOverBackend(folder)
        return undefined
      case 'git': {
        const onOutput = print
        const outputFolder = join(workFolder, 'output')
        const { commit } = await checkOut({
          git: source.git,
          into: root,
          secretsFolder,
          outputFolder,
          environment,
          onOutput,
          stop,
          kill,
          limits: bundle.limits,
        }).catch(async (error: unknown) => {
          throw await failure({}, error)
        })
        folder = within(root, source.git.path)
        await takeOverBackend(folder)
        return commit
      }
      case 'planned': {
        const archive = workspaceArchive.parse(JSON.parse(String(await link.get('workspace'))))
        await unpack(root, archive)
        folder = within(root, archive.folder)
        return undefined
      }
    }
  }

  async function plan(commit: string | undefined): Promise<PlanSummary> {
    const destroy = bundle.destroy ? ['-destroy'] : []
    await mustSucceed(['plan', '-input=false', '-no-color', ...destroy, `-out=${planFile}`])
    const file = await readFile(planFile)
    const source = bundle.source.kind === 'git' ? bundle.source.git.path : ''
    const workspace = JSON.stringify(await pack(root, source))
    const [summary] = await allSettled([
      showPlan(),
      link.send('PUT', 'workspace', workspace),
      link.send('PUT', 'plan', file),
    ])
    return { digest: digestOf(file), ...summary, ...(commit === undefined ? {} : { commit }) }
  }

  /** Sends what the plan does to each resource, and gives the short of it. */
  async function showPlan() {
    const { document, ...counts } = summarisePlan(await mustSucceed(['show', '-json', planFile], { silent: true }))
    await link.send('PUT', 'changes', redactAll(document))
    return counts
  }

  function redactAll(text: string): string {
    const once = redactor(bundle.secrets)
    return once.push(text) + once.end()
  }

  async function apply(): Promise<void> {
    const [file] = await allSettled([link.get('plan'), init()])
    if (digestOf(file) !== bundle.planDigest) {
      throw new RunFailure('PlanDamaged', 'the stored plan is not the one that was shown; nothing was applied')
    }
    await writeFile(planFile, file, { mode: 0o600 })
    await mustSucceed(['apply', '-input=false', '-no-color', planFile])
  }

  return {
    async run(): Promise<Outcome> {
      const commit = await prepare()
      if (bundle.phase === 'apply') {
        await apply()
        return { outcome: 'succeeded', reason: '', error: '' }
      }
      await init()
      return { outcome: 'succeeded', reason: '', error: '', plan: await plan(commit) }
    },

    /** What tofu wrote to `errored.tfstate`, or printed because not even that was possible. */
    async rescueState(): Promise<{ rescuedState: boolean; unsaved?: string }> {
      if (bundle.phase !== 'apply') return { rescuedState: false }
      const state = (await erroredState(root)) ?? dumps.stderr.caught() ?? dumps.stdout.caught()
      if (state === undefined) return { rescuedState: false }
      try {
        await link.send('PUT', 'errored', state)
        return { rescuedState: true }
      } catch (error) {
        if (error instanceof LinkRefused) throw error
        const { message } = error as Error
        return {
          rescuedState: false,
          unsaved: `The state, which tofu could not upload, could not be handed over: ${message}.\n\n`,
        }
      }
    },
  }
}

/** As `Promise.all`, but nothing of it is under way any more when one has failed. */
async function allSettled<T extends readonly Promise<unknown>[]>(work: readonly [...T]): Promise<AllOf<T>> {
  await Promise.allSettled(work)
  return Promise.all(work) as Promise<AllOf<T>>
}
type AllOf<T extends readonly Promise<unknown>[]> = { -readonly [K in keyof T]: Awaited<T[K]> }
