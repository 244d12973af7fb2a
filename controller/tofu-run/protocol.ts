/**
 * What the runner and the controller say to each other. The runner is one program for both executors: it works in a
 * directory of its own, knows nothing of Kubernetes, and speaks HTTP with a token that is good for one phase of one run. tofu has a token of
 * its own, which opens the state and nothing else.
 *
 *     POST begin       may I? Once for each phase; carries the id that this runner gave itself
 *     GET  bundle      everything the phase needs: sources, variables, credentials, limits
 *     GET  plan        the stored plan file (apply)           PUT plan       the plan file (plan)
 *     GET  workspace   the files the plan was made from       PUT workspace  the same (plan)
 *     PUT  output/N    the N-th piece of output, whole; repeating it is harmless
 *     POST progress    I am alive; the answer says whether to stop
 *     PUT  errored     a state that tofu could not upload
 *     POST result      how it ended; the first one counts
 *     GET/POST/LOCK/UNLOCK state   OpenTofu's own `http` backend
 */
import { z } from 'zod'
import { runPhases } from './state/stack-head.ts'

/** A path inside the configuration, with `/`: no way up, no absolute path, nothing hidden from a reader. */
export const sourcePath = z
  .string()
  .min(1)
  .max(250)
  .regex(/^(?!\/)(?!.*(^|\/)\.\.?(\/|$))[^\0\\]+$/, 'is a relative path without . and ..')

export const gitSource = z.object({
  url: z.string(),
  /** A branch, a tag or a commit; "" is the remote's default branch. */
  ref: z.string(),
  /** Folder of the configuration within the repository; "" is its root. */
  path: z.string(),
  login: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('password'), username: z.string(), password: z.string() }),
      z.object({ kind: z.literal('sshKey'), privateKey: z.string(), knownHosts: z.string() }),
    ])
    .optional(),
})
export type GitSource = z.infer<typeof gitSource>

/** What one phase of a run may use, all its processes and files together. */
export const runLimits = z.object({
  cpuTimeMs: z.number().int().positive(),
  memoryBytes: z.number().int().positive(),
  diskBytes: z.number().int().positive(),
})
export type RunLimits = z.infer<typeof runLimits>

/** Processes and threads of a run together, where they can be counted apart from those of others: in a sandbox, and in a Job. */
export const mostProcesses = 1024

/** What a controller means that names none; the defaults of its settings. */
export const usualLimits: RunLimits = { cpuTimeMs: 3_600_000, memoryBytes: 2 * 2 ** 30, diskBytes: 4 * 2 ** 30 }

export const bundle = z.object({
  phase: z.enum(runPhases),
  destroy: z.boolean(),
  source: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('files'), files: z.record(z.string(), z.string()) }),
    z.object({ kind: z.literal('git'), git: gitSource }),
    /** Of an apply: the files come with the plan. */
    z.object({ kind: z.literal('planned') }),
  ]),
  /** Variables and credentials, as the environment of tofu. */
  environment: z.record(z.string(), z.string()),
  /** Written beside the configuration, out of its sight, readable by this user alone; the value is the file's content. */
  secretFiles: z.record(z.string(), z.object({ variable: z.string(), content: z.string() })),
  /** With which tofu reads and writes the state of its phase. */
  stateToken: z.string(),
  /** What must not be seen in the output. */
  secrets: z.array(z.string()),
  /** Digest of the plan to apply. */
  planDigest: z.string().optional(),
  timeoutMs: z.number().int().positive(),
  limits: runLimits.default(usualLimits),
  /** How long tofu has after the first SIGINT, and after the second. */
  firstGraceMs: z.number().int().nonnegative(),
  secondGraceMs: z.number().int().nonnegative(),
})
export type Bundle = z.infer<typeof bundle>

/** `interrupted`: the runner itself was told to end, by a node that drains or a controller that stops. */
export const stopReasons = ['cancelled', 'timedOut', 'interrupted'] as const
export type StopReason = (typeof stopReasons)[number]

export const progressAnswer = z.object({ stop: z.enum(stopReasons).optional() })

/** The files that a plan was made from, with what `init` added to them but for the providers. */
export const workspaceArchive = z.object({
  /** Where in it tofu runs. */
  folder: z.string(),
  entries: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('file'), path: z.string(), executable: z.boolean(), base64: z.string() }),
      z.object({ kind: z.literal('link'), path: z.string(), target: z.string() }),
    ]),
  ),
})
export type WorkspaceArchive = z.infer<typeof workspaceArchive>

export const plannedChange = z.object({ address: z.string(), actions: z.array(z.string()) })
export type PlannedChange = z.infer<typeof plannedChange>

export const planSummary = z.object({
  digest: z.string(),
  add: z.number().int(),
  change: z.number().int(),
  destroy: z.number().int(),
  /** Bounded; `changesLeftOut` says how many more there are. */
  changes: z.array(plannedChange),
  changesLeftOut: z.number().int(),
  /** Of a git source. */
  commit: z.string().optional(),
})
export type PlanSummary = z.infer<typeof planSummary>

export const phaseOutcomes = ['succeeded', 'failed', ...stopReasons] as const

export const phaseResult = z.object({
  outcome: z.enum(phaseOutcomes),
  /** tofu's own diagnostics, or ours; "" when it succeeded. */
  error: z.string(),
  /** A word for the condition; see `phaseFailures`. */
  reason: z.string(),
  plan: planSummary.optional(),
  /** Whether a state was saved that tofu itself could not upload. */
  rescuedState: z.boolean().optional(),
  finishedAt: z.string(),
})
export type PhaseResult = z.infer<typeof phaseResult>

/** Longest text of `error`, in characters. */
export const maxErrorLength = 4096
/** Changes named one by one in the status. */
export const maxListedChanges = 100
/** Largest piece of output, in bytes, and how many pieces one phase may have: the first ones and the last ones are kept. */
export const outputPieceBytes = 128 * 1024
export const outputFirstPieces = 8
export const outputLastPieces = 24
/** All files of a configuration together, in bytes. */
export const maxSourceBytes = 16 * 1024 * 1024
