/**
 * What Argo CD (by the Lua that the chart ships, in a real Lua) and kstatus readers make of an object, over every status that a controller
 * can write: the statuses are made by the controllers' own functions.
 */
import { describe, expect, it } from 'vitest'
import { pausedConditions } from '../../controller/pause.ts'
import { conditionsOf, type Readiness, type Reported } from '../../controller/report.ts'
import { nextStatus } from '../../controller/tofu-run/run-status.ts'
import { givenVM } from '../../controller/vm/given.ts'
import { statusOf, type Verdict } from '../../controller/vm/verdict.ts'
import { kinds } from '../../crds/kinds.ts'
import { annotations } from '../../crds/names.ts'
import { type TofuRun, tofuRunPhases } from '../../crds/tofu-run.ts'
import { chart, documentsOf, helmFor, named, root } from '../chart/helm.ts'
import { matrix } from '../chart/matrix.ts'
import { argoHealth, healthScript } from './argo-health.ts'
import { type Judged, kstatus } from './kstatus.ts'

const now = new Date('2026-01-02T03:04:05Z')
const at = now.getTime()

const phases: readonly Verdict['phase'][] = ['settled', 'progressing', 'stalled', 'blind']
const expectedOfVM = { settled: 'Healthy', progressing: 'Progressing', stalled: 'Degraded', blind: 'Degraded' } as const
const kstatusOfVM = { settled: 'Current', progressing: 'InProgress', stalled: 'Failed', blind: 'Failed' } as const

describe('a VM', () => {
  const histories = [undefined, ...phases].flatMap((before) => phases.map((phase) => [before, phase] as const))
  const drifts = [undefined, { reason: 'InstanceType', message: 'It is another type.' }]

  it.each(histories)('that was %s and is %s is told as what it is', async (before, phase) => {
    for (const drift of drifts) {
      const fresh = givenVM()
      const verdict = (of: Verdict['phase']): Verdict => ({
        phase: of,
        reason: 'Reason',
        message: 'Words.',
        ...(drift && { drift }),
      })
      const earlier = before ? { ...fresh, status: statusOf(fresh, verdict(before), undefined, at) } : fresh
      const vm = { ...earlier, status: statusOf(earlier, verdict(phase), undefined, at) }
      expect(await argoHealth(vm)).toEqual({ status: expectedOfVM[phase], message: 'Reason: Words.' })
      expect(kstatus(vm)).toBe(kstatusOfVM[phase])

      const paused = { ...vm, status: { ...vm.status, conditions: pausedConditions(vm, now) } }
      expect((await argoHealth(paused)).status).toBe('Suspended')

      const changed = { ...vm, metadata: { ...vm.metadata, generation: 2 } }
      expect((await argoHealth(changed)).status).toBe('Progressing')
      expect(kstatus(changed)).toBe('InProgress')

      const deleted = { ...vm, metadata: { ...vm.metadata, deletionTimestamp: '2026-01-02T03:04:05Z' } }
      expect(kstatus(deleted)).toBe('Terminating')
    }
  })

  it('that nobody has seen yet is on its way', async () => {
    expect((await argoHealth(givenVM())).status).toBe('Progressing')
  })
})

describe('a Workspace, a Credential and a User', () => {
  const expected = {
    ready: ['Healthy', 'Current'],
    progressing: ['Progressing', 'InProgress'],
    stalled: ['Degraded', 'Failed'],
  } as const
  const passing = [
    {},
    { InUse: { reason: 'InUse', message: 'VM web-1.' } },
    { Drifted: { reason: 'Edited', message: 'Roles.' } },
  ]
  const readinesses = Object.keys(expected) as Readiness['phase'][]
  const histories = [undefined, ...readinesses].flatMap((before) =>
    readinesses.map((phase) => [before, phase] as const),
  )

  it.each(histories)('that was %s and is %s is told as what it is', async (before, phase) => {
    for (const extra of passing) {
      const metadata = {
        name: 'x',
        uid: 'u',
        resourceVersion: '1',
        generation: 3,
        creationTimestamp: now.toISOString(),
      }
      const fresh = { apiVersion: 'skyclust.io/v1alpha1', kind: 'Credential', metadata }
      const say = (object: Reported, of: Readiness['phase']) => ({
        ...object,
        status: {
          observedGeneration: 3,
          conditions: conditionsOf(
            object,
            { readiness: { phase: of, reason: 'Reason', message: 'Words.' }, passing: extra },
            now,
          ),
        },
      })
      const object = say(before ? say(fresh, before) : fresh, phase)
      expect([(await argoHealth(object)).status, kstatus(object)]).toEqual(expected[phase])
      const paused = { ...object, metadata: { ...metadata, annotations: { [annotations.paused]: 'true' } } }
      expect((await argoHealth(paused)).status).toBe('Suspended')
    }
  })
})

describe('a TofuRun', () => {
  const run = {
    apiVersion: 'skyclust.io/v1alpha1',
    kind: 'TofuRun',
    metadata: { name: 'net', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: now.toISOString() },
    spec: {},
  } as unknown as TofuRun
  const expected = {
    Pending: ['Progressing', 'InProgress'],
    Planning: ['Progressing', 'InProgress'],
    AwaitingApproval: ['Suspended', 'InProgress'],
    Applying: ['Progressing', 'InProgress'],
    Completed: ['Healthy', 'Current'],
    Failed: ['Degraded', 'Failed'],
    Cancelled: ['Degraded', 'Failed'],
  } as const

  it.each(tofuRunPhases)('in phase %s is told as what it is', async (phase) => {
    for (const stopping of [false, true]) {
      const status = nextStatus(run, { phase, reason: 'Reason', message: 'Words.', stopping }, now)
      const object = { ...run, status }
      expect([(await argoHealth(object)).status, kstatus(object as Judged)]).toEqual(expected[phase])
    }
  })

  it('that is paused is suspended', async () => {
    const status = nextStatus(run, { phase: 'Pending', reason: 'Paused', message: 'Words.' }, now)
    expect((await argoHealth({ ...run, status })).status).toBe('Suspended')
  })
})

describe('the snippet for argocd-cm', () => {
  it('has the check for every kind that people apply, and one for Applications, without which no wave waits for them', async () => {
    const helm = await helmFor(root)
    const rendered = documentsOf(await helm(['template', 'skyclust', chart], matrix.everything))
    const { data } = named(rendered, 'ConfigMap', 'skyclust-argocd-health')
    const applied = kinds.map(({ kind }) => kind).filter((kind) => !['Session', 'CostEstimate'].includes(kind))
    const checks = new Map(Object.entries<string>(data))
    const ofKind = (kind: string) => `resource.customizations.health.${kind}`
    const application = ofKind('argoproj.io_Application')
    expect([...checks.keys()].sort()).toEqual(
      [application, ...applied.map((kind) => ofKind(`skyclust.io_${kind}`))].sort(),
    )
    const scripts = { ours: await healthScript(), application: await healthScript('application.lua') }
    for (const [name, text] of checks) {
      expect(text.trim()).toBe((name === application ? scripts.application : scripts.ours).trim())
    }
  })

  it('takes an Application for as well as it says itself, and for on its way until all that it brings is there', async () => {
    const judged = async (status?: object) =>
      (await argoHealth({ ...(status && { status }) }, 'application.lua')).status
    const health = { status: 'Healthy' }
    const synced = { kind: 'ConfigMap', name: 'there', status: 'Synced' }
    const missing = { kind: 'Deployment', name: 'not-yet-there', status: 'OutOfSync' }
    const unwanted = { kind: 'VM', name: 'no-longer-wanted', status: 'OutOfSync', requiresPruning: true }

    expect(await judged()).toBe('Progressing')
    expect(await judged({ health })).toBe('Progressing')
    expect(await judged({ health, sync: { status: 'Unknown' } })).toBe('Progressing')
    expect(await judged({ health, sync: { status: 'OutOfSync' }, resources: [synced, missing] })).toBe('Progressing')
    expect(await judged({ health, sync: { status: 'OutOfSync' }, resources: [synced, unwanted] })).toBe('Healthy')
    expect(await judged({ health, sync: { status: 'Synced' }, resources: [synced] })).toBe('Healthy')

    const degraded = { status: 'Degraded', message: 'VM web-1' }
    expect(await argoHealth({ status: { health: degraded } }, 'application.lua')).toEqual(degraded)
  })
})
