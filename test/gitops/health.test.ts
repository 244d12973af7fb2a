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
      expect((await argoHealth(deleted)).status).toBe('Progressing')
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

  it('that is being deleted says who still needs it', async () => {
    const metadata = { name: 'x', generation: 1, deletionTimestamp: now.toISOString() }
    const inUse = { type: 'InUse', status: 'True', reason: 'InUse', message: 'VM web-1 needs it.' }
    const object = { metadata, status: { observedGeneration: 1, conditions: [inUse] } }
    expect(await argoHealth(object)).toEqual({ status: 'Progressing', message: 'InUse: VM web-1 needs it.' })
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
  it('has the check for every kind that people apply', async () => {
    const helm = await helmFor(root)
    const rendered = documentsOf(await helm(['template', 'skyclust', chart], matrix.everything))
    const { data } = named(rendered, 'ConfigMap', 'skyclust-argocd-health')
    const applied = kinds.map(({ kind }) => kind).filter((kind) => !['Session', 'CostEstimate'].includes(kind))
    expect(Object.keys(data).sort()).toEqual(
      applied.map((kind) => `resource.customizations.health.skyclust.io_${kind}`).sort(),
    )
    for (const text of Object.values(data)) expect(String(text).trim()).toBe((await healthScript()).trim())
  })
})
