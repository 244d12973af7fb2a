/**
 * What a runner may ask of the controller, whoever carries the question: see `protocol.ts`. Every answer is decided against the head of the
 * stack, so that it does not matter which replica is asked, or whether it has just been started.
 */
import { createHash } from 'node:crypto'
import type { TofuRun } from '../../../crds/tofu-run.ts'
import type { ObjectKey } from '../../../kube/resource.ts'
import type { OutputStore } from '../output-store.ts'
import { type Bundle, type PhaseResult, phaseResult, type StopReason } from '../protocol.ts'
import { isFinished } from '../run-facts.ts'
import { InvalidInput, type RunInputs } from '../run-inputs.ts'
import type { Keyring } from '../state/keyring.ts'
import type { PlanStore } from '../state/plan-store.ts'
import type { ResultStore } from '../state/result-store.ts'
import { type Bearer, bearerOf, runToken } from '../state/run-token.ts'
import { fenced, type LockInfo, newest, parseLockInfo, type Refused, type RunPhase } from '../state/stack-head.ts'
import type { Stack, StateStore } from '../state/state-store.ts'

export interface DeskOptions {
  readonly keyring: Keyring
  readonly states: StateStore
  readonly plans: PlanStore
  readonly results: ResultStore
  readonly output: OutputStore
  readonly inputs: RunInputs
  /** The run as the cluster has it now; `undefined` when it is gone. */
  readonly findRun: (key: ObjectKey) => Promise<TofuRun | undefined>
  readonly stackOf: (run: TofuRun) => Promise<Stack>
  /** A result was stored, or a runner has begun. */
  readonly onReport: (run: TofuRun) => void
}

export interface Caller {
  readonly key: ObjectKey
  readonly uid: string
  readonly phase: RunPhase
  readonly token: string
}

/** An answer to a runner, or to tofu. */
export interface Answer {
  readonly status: number
  readonly body?: Uint8Array | string
  readonly type?: string
}

/** Whoever shows a token of a phase that is under way. */
export interface Visitor {
  readonly run: TofuRun
  readonly stack: Stack
  readonly phase: RunPhase
  readonly bearer: Bearer
  readonly token: string
}

export type RunDesk = ReturnType<typeof runDesk>

const done: Answer = { status: 200 }

export function runDesk(options: DeskOptions) {
  const { keyring, states, plans, results, output, inputs, findRun, stackOf, onReport } = options
  const claimOf = ({ run, phase }: Visitor) => ({ run: run.metadata.uid, phase })
  const ownerOf = ({ run }: Visitor) => ({
    namespace: run.metadata.namespace ?? '',
    name: run.metadata.name,
    uid: run.metadata.uid,
  })

  /** Refuses who does not hold the stack for this phase. */
  async function whileHolding(visitor: Visitor, act: () => Promise<Answer>): Promise<Answer> {
    const refused = fenced(await states.head(visitor.stack), claimOf(visitor))
    return refused === undefined ? act() : refusal(refused)
  }

  return {
    /** `undefined`: a bad token, or a run that is gone. Both look the same from outside. */
    async admit({ key, uid, phase, token }: Caller): Promise<Visitor | undefined> {
      const bearer = bearerOf(await keyring.tokenKey(), { uid, phase }, token)
      if (bearer === undefined) return undefined
      const run = await findRun(key)
      if (run === undefined || run.metadata.uid !== uid) return undefined
      return { run, stack: await stackOf(run), phase, bearer, token }
    },

    async begin(visitor: Visitor, runner: string): Promise<Answer> {
      if ((await results.find(visitor.run.metadata.uid, visitor.phase)) !== undefined) {
        return { status: 409, body: `the ${visitor.phase} of this run is over` }
      }
      const head = await states.begin(visitor.stack, claimOf(visitor), runner)
      if ('refused' in head) return refusal(head)
      onReport(visitor.run)
      return done
    },

    bundle: (visitor: Visitor) =>
      whileHolding(visitor, async () => {
        try {
          const { run, phase, token } = visitor
          const given = await inputs.bundle(run, phase)
          const stateToken = runToken(await keyring.tokenKey(), { uid: run.metadata.uid, phase }, 'tofu')
          return json({ ...given, stateToken, secrets: [...given.secrets, stateToken, token] } satisfies Bundle)
        } catch (error) {
          if (!(error instanceof InvalidInput)) throw error
          return { status: 422, body: error.message }
        }
      }),

    /** Whoever does not hold the stack any more learns it here, and stops. */
    progress: (visitor: Visitor) =>
      whileHolding(visitor, async () => {
        const { spec, metadata } = visitor.run
        const stop = spec.cancel || metadata.deletionTimestamp !== undefined
        return json(stop ? { stop: 'cancelled' satisfies StopReason } : {})
      }),

    async putOutput(visitor: Visitor, index: number, text: string): Promise<Answer> {
      if (isFinished(visitor.run)) return { status: 410, body: 'the run is over' }
      await output.putPiece(ownerOf(visitor), visitor.phase, index, text)
      return done
    },

    putChanges: (visitor: Visitor, document: string) =>
      whileHolding(visitor, async () => {
        await output.putChanges(ownerOf(visitor), document)
        return done
      }),

    putPart: (visitor: Visitor, part: 'plan' | 'workspace', bytes: Uint8Array) =>
      whileHolding(visitor, async () => {
        if (visitor.phase !== 'plan') return { status: 403, body: 'only the plan phase makes a plan' }
        await plans.put(visitor.run.metadata.uid, part, bytes)
        return done
      }),

    getPart: (visitor: Visitor, part: 'plan' | 'workspace') =>
      whileHolding(visitor, async () => {
        const body = await plans.get(visitor.run.metadata.uid, part)
        return body === undefined ? { status: 404, body: `there is no ${part} of this run` } : bytes(body)
      }),

    async result(visitor: Visitor, text: string): Promise<Answer> {
      const given: PhaseResult = phaseResult.parse(JSON.parse(text))
      return whileHolding(visitor, async () => {
        const stateVersion = newest(await states.head(visitor.stack))?.version ?? 0
        await results.record(visitor.run.metadata.uid, visitor.phase, { result: given, stateVersion })
        onReport(visitor.run)
        return done
      })
    },

    getState: (visitor: Visitor) =>
      whileHolding(visitor, async () => {
        const state = await states.read(visitor.stack)
        return state === undefined ? { status: 204 } : { ...bytes(state), type: 'application/json' }
      }),

    async putState(
      visitor: Visitor,
      state: Uint8Array,
      lockId: string | undefined,
      md5: string | undefined,
    ): Promise<Answer> {
      if (md5 !== undefined && createHash('md5').update(state).digest('base64') !== md5) {
        return { status: 400, body: 'what arrived is not what was sent (Content-MD5)' }
      }
      const lock = lockId === undefined ? {} : { lockId }
      const writtenBy = visitor.run.metadata.name
      const written = await states.write(visitor.stack, { claim: claimOf(visitor), ...lock, bytes: state, writtenBy })
      return 'refused' in written ? refusal(written) : done
    },

    /** A state that tofu could not upload: it goes in under whatever lock this run's tofu left. */
    async putErrored(visitor: Visitor, state: Uint8Array): Promise<Answer> {
      const lockId = (await states.head(visitor.stack)).lock?.ID
      return this.putState(visitor, state, lockId, undefined)
    },

    async lock(visitor: Visitor, body: string): Promise<Answer> {
      const info = parseLockInfo(body)
      if (info === undefined) return { status: 400, body: 'a lock needs an ID' }
      const head = await states.lock(visitor.stack, claimOf(visitor), info)
      return 'refused' in head ? lockRefusal(head, (await states.head(visitor.stack)).lock) : done
    },

    async unlock(visitor: Visitor, body: string): Promise<Answer> {
      const info = parseLockInfo(body)
      if (info === undefined) return { status: 400, body: 'an unlock needs the ID of the lock' }
      const head = await states.unlock(visitor.stack, claimOf(visitor), info.ID)
      return 'refused' in head ? lockRefusal(head, (await states.head(visitor.stack)).lock) : done
    },
  }
}

function json(value: unknown): Answer {
  return { status: 200, body: JSON.stringify(value), type: 'application/json' }
}

function bytes(body: Uint8Array): Answer {
  return { status: 200, body, type: 'application/octet-stream' }
}

function refusal({ refused, message }: Refused): Answer {
  return { status: refused === 'locked' ? 423 : 409, body: message }
}

/** tofu prints the lock that stands in its way, and wants it in its own form. */
function lockRefusal({ message }: Refused, lock: LockInfo | undefined): Answer {
  return { status: 423, body: JSON.stringify(lock ?? { ID: 'skyclust', Who: message, Operation: '', Info: message }) }
}
