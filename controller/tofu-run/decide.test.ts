import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Action, decide, type Execution, phases, type RunFacts, type World } from './decide.ts'
import type { PhaseResult } from './protocol.ts'

const digest = `sha256:${'a'.repeat(64)}`
const nowMs = 1_000_000_000

function run(rest: Partial<RunFacts> = {}): RunFacts {
  return {
    phase: 'Pending',
    command: 'apply',
    approval: 'Auto',
    maxAgeMs: 3_600_000,
    timeoutMs: 3_600_000,
    approvedPlan: '',
    cancel: false,
    deleting: false,
    paused: false,
    plan: undefined,
    phaseSinceMs: nowMs - 1_000,
    stoppingSinceMs: undefined,
    completedAtMs: undefined,
    ttlMs: 60_000,
    ...rest,
  }
}

function world(rest: Partial<World> = {}): World {
  const execution = { kind: 'absent' } as const
  return { nowMs, turn: { go: true }, execution, stateVersion: 3, stopGraceMs: 60_000, startGraceMs: 600_000, ...rest }
}

function result(outcome: PhaseResult['outcome'], error = ''): PhaseResult {
  return { outcome, error, reason: '', finishedAt: '2026-01-01T00:00:00Z' }
}

const running: Execution = { kind: 'running', begun: true }
const finished = (outcome: PhaseResult['outcome']): Execution => ({ kind: 'finished', result: result(outcome, 'why') })
const plan = { digest, atMs: nowMs - 60_000, stateVersion: 3 }
const awaiting = run({ phase: 'AwaitingApproval', approval: 'Manual', plan })

describe('a pending run', () => {
  it('starts planning when it is its turn, and says what it waits for when it is not', () => {
    expect(decide(run(), world())).toEqual({ do: 'start', phase: 'plan' })
    const turn = { go: false, reason: 'WaitingForStack', message: 'Waits for run one.' } as const
    expect(decide(run(), world({ turn }))).toEqual({ do: 'wait', reason: turn.reason, message: turn.message })
  })

  it('is cancelled at once, and forgotten at once when it is deleted', () => {
    expect(decide(run({ cancel: true }), world())).toMatchObject({ do: 'finish', as: 'Cancelled' })
    expect(decide(run({ deleting: true }), world())).toEqual({ do: 'forget' })
  })
})

describe('a run with a plan', () => {
  it('ends there when planning was all it was to do', () => {
    const action = decide(run({ phase: 'Planning', command: 'plan' }), world({ execution: finished('succeeded') }))
    expect(action).toMatchObject({ do: 'finish', as: 'Completed' })
  })

  it('goes on to apply by itself with approval Auto, and shows the plan with approval Manual', () => {
    const made = world({ execution: finished('succeeded') })
    expect(decide(run({ phase: 'Planning' }), made)).toMatchObject({ do: 'start', phase: 'apply' })
    expect(decide(run({ phase: 'Planning', approval: 'Manual' }), made)).toMatchObject({ do: 'showPlan' })
  })

  it('is not applied when it was cancelled while it was planned', () => {
    const action = decide(run({ phase: 'Planning', cancel: true }), world({ execution: finished('succeeded') }))
    expect(action).toMatchObject({ do: 'finish', as: 'Cancelled' })
  })

  it('waits for an approval that names it, until it is too old', () => {
    expect(decide(awaiting, world())).toMatchObject({
      do: 'wait',
      reason: 'AwaitingApproval',
      untilMs: plan.atMs + 3_600_000,
    })
    expect(decide({ ...awaiting, maxAgeMs: 60_000 }, world())).toMatchObject({ do: 'finish', reason: 'PlanExpired' })
    expect(decide({ ...awaiting, approvedPlan: digest, maxAgeMs: 60_000 }, world())).toMatchObject({
      reason: 'PlanExpired',
    })
  })

  it('is applied once it is approved and its turn has come', () => {
    const approved = { ...awaiting, approvedPlan: digest }
    expect(decide(approved, world())).toEqual({ do: 'start', phase: 'apply' })
    const turn = { go: false, reason: 'WaitingForSlot', message: '' } as const
    expect(decide(approved, world({ turn }))).toMatchObject({ do: 'wait', reason: 'WaitingForSlot' })
  })

  it('refuses an approval of another plan in words, and one of a plan that the state has left behind', () => {
    const other = `sha256:${'b'.repeat(64)}`
    const refused = decide({ ...awaiting, approvedPlan: other }, world())
    expect(refused).toMatchObject({ do: 'wait', reason: 'ApprovalRefused', message: expect.stringContaining(digest) })
    const outdated = decide({ ...awaiting, approvedPlan: digest }, world({ stateVersion: 4 }))
    expect(outdated).toMatchObject({ do: 'finish', as: 'Failed', reason: 'PlanOutdated' })
  })
})

describe('a run that works', () => {
  it.each([
    ['succeeded', 'Completed', 'Applied'],
    ['failed', 'Failed', 'TofuFailed'],
    ['timedOut', 'Failed', 'Timeout'],
    ['interrupted', 'Failed', 'Interrupted'],
    ['cancelled', 'Cancelled', 'Cancelled'],
  ] as const)('that %s ends %s', (outcome, as, reason) => {
    const action = decide(run({ phase: 'Applying', plan }), world({ execution: finished(outcome) }))
    expect(action).toMatchObject({ do: 'finish', as, reason })
  })

  it('is Completed when the apply had succeeded before the cancel reached it', () => {
    const action = decide(run({ phase: 'Applying', plan, cancel: true }), world({ execution: finished('succeeded') }))
    expect(action).toMatchObject({ do: 'finish', as: 'Completed' })
  })

  it('is never started again when its runner is lost while applying, and says what may exist', () => {
    const lost: Execution = { kind: 'lost', begun: true, message: 'The node is gone.' }
    const action = decide(run({ phase: 'Applying', plan }), world({ execution: lost }))
    expect(action).toMatchObject({ do: 'recordLoss', phase: 'apply', reason: 'Interrupted' })
    expect(action).toMatchObject({ message: expect.stringContaining('resources may exist') })
  })

  it('is started where a crash came between the intention and the runner', () => {
    expect(decide(run({ phase: 'Applying', plan }), world())).toEqual({ do: 'start', phase: 'apply' })
  })

  it('is told to stop, and is ended without asking when it does not', () => {
    const cancelled = run({ phase: 'Applying', plan, cancel: true, stoppingSinceMs: nowMs - 1_000 })
    expect(decide(cancelled, world({ execution: running }))).toEqual({ do: 'watch', stopping: true })
    const stubborn = { ...cancelled, stoppingSinceMs: nowMs - 61_000 }
    expect(decide(stubborn, world({ execution: running }))).toMatchObject({ do: 'kill', phase: 'apply' })
  })

  it('is ended when neither it nor its runner kept the timeout', () => {
    const old = run({ phase: 'Planning', timeoutMs: 10_000, phaseSinceMs: nowMs - 80_000 })
    expect(decide(old, world({ execution: running }))).toMatchObject({ do: 'kill', phase: 'plan' })
  })

  it('does not wait for a runner that never begins', () => {
    const stuck: Execution = { kind: 'running', begun: false, message: 'The image cannot be pulled.' }
    const waiting = run({ phase: 'Planning', phaseSinceMs: nowMs - 700_000 })
    expect(decide(waiting, world({ execution: stuck }))).toMatchObject({ do: 'recordLoss', reason: 'NotStarted' })
    expect(decide({ ...waiting, cancel: true }, world({ execution: stuck }))).toMatchObject({ reason: 'Cancelled' })
  })

  it('is forgotten only when its runner is done', () => {
    const deleting = run({ phase: 'Applying', plan, deleting: true })
    expect(decide(deleting, world({ execution: running }))).toEqual({ do: 'watch', stopping: true })
    expect(decide(deleting, world({ execution: finished('cancelled') }))).toEqual({ do: 'forget' })
  })
})

describe('a finished run', () => {
  it('rests until its time is over and is then deleted', () => {
    const done = run({ phase: 'Completed', completedAtMs: nowMs - 10_000 })
    expect(decide(done, world())).toMatchObject({ do: 'wait', untilMs: nowMs + 50_000 })
    expect(decide({ ...done, ttlMs: 10_000 }, world())).toEqual({ do: 'expire' })
    expect(decide({ ...done, ttlMs: undefined }, world())).toEqual({ do: 'wait', reason: '', message: '' })
  })
})

describe('every run in every world', () => {
  const anyRun = fc.record({
    phase: fc.constantFrom(...phases),
    command: fc.constantFrom('plan', 'apply', 'destroy'),
    approval: fc.constantFrom('Auto', 'Manual'),
    approvedPlan: fc.constantFrom('', digest, `sha256:${'b'.repeat(64)}`),
    cancel: fc.boolean(),
    deleting: fc.boolean(),
    paused: fc.boolean(),
    plan: fc.constantFrom(undefined, plan),
    stoppingSinceMs: fc.constantFrom(undefined, nowMs - 10, nowMs - 100_000),
    completedAtMs: fc.constantFrom(undefined, nowMs - 10, nowMs - 100_000),
    maxAgeMs: fc.constantFrom(1, 3_600_000),
  })
  const anyExecution = fc.constantFrom<Execution>(
    { kind: 'absent' },
    running,
    { kind: 'running', begun: false },
    { kind: 'lost', begun: true, message: '' },
    { kind: 'lost', begun: false, message: '' },
    ...(['succeeded', 'failed', 'cancelled', 'timedOut', 'interrupted'] as const).map(finished),
  )
  const anyWorld = fc.record({ execution: anyExecution, go: fc.boolean(), stateVersion: fc.constantFrom(3, 4) })

  function holds(property: (run: RunFacts, world: World, action: Action) => boolean): void {
    fc.assert(
      fc.property(anyRun, anyWorld, (shape, { execution, go, stateVersion }) => {
        const turn = go ? { go } : ({ go, reason: 'WaitingForStack', message: '' } as const)
        const facts = run(shape as Partial<RunFacts>)
        const surroundings = world({ execution, turn, stateVersion })
        return property(facts, surroundings, decide(facts, surroundings))
      }),
      { numRuns: 3_000 },
    )
  }

  it('starts nothing that is paused, deleted, cancelled or finished', () => {
    holds((facts, _world, action) => {
      const over = ['Completed', 'Failed', 'Cancelled'].includes(facts.phase)
      return action.do !== 'start' || !(facts.paused || facts.deleting || facts.cancel || over)
    })
  })

  it('starts no apply whose runner began, left a result, or was lost', () => {
    holds((facts, { execution }, action) => {
      const applying = action.do === 'start' && action.phase === 'apply' && facts.phase === 'Applying'
      return !applying || execution.kind === 'absent'
    })
  })

  it('applies a plan that needs approval only when the approval names it, it is young, and the state is as it was', () => {
    holds((facts, surroundings, action) => {
      const fromApproval = action.do === 'start' && facts.phase === 'AwaitingApproval'
      const young = facts.plan !== undefined && surroundings.nowMs < facts.plan.atMs + facts.maxAgeMs
      const fits = facts.approvedPlan === facts.plan?.digest && surroundings.stateVersion === facts.plan?.stateVersion
      return !fromApproval || (young && fits && surroundings.turn.go)
    })
  })

  it('never forgets or finishes a run whose runner is at work', () => {
    holds((facts, { execution }, action) => {
      const atWork = ['Planning', 'Applying'].includes(facts.phase) && execution.kind === 'running' && execution.begun
      return !atWork || ['watch', 'kill', 'wait'].includes(action.do)
    })
  })

  it('applies nothing for a plan command', () => {
    holds((facts, _world, action) => {
      const applies = action.do === 'start' && action.phase === 'apply' && facts.phase === 'Planning'
      return !applies || facts.command !== 'plan'
    })
  })
})
