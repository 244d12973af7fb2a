import { describe, expect, it } from 'vitest'
import type { TofuRun } from '../../crds/tofu-run.ts'
import { factsOf } from './run-facts.ts'

const completedAt = '2026-01-02T03:04:05Z'

function finished(metadata: Partial<TofuRun['metadata']> = {}): TofuRun {
  return {
    apiVersion: 'skyclust.io/v1alpha1',
    kind: 'TofuRun',
    metadata: { name: 'net-1', uid: 'u', resourceVersion: '1', creationTimestamp: completedAt, ...metadata },
    spec: {
      command: 'destroy',
      approval: { mode: 'Auto', maxAge: '1h' },
      timeout: '1h',
      ttlSecondsAfterFinished: 604_800,
    },
    status: { phase: 'Completed', completedAt },
  } as unknown as TofuRun
}

describe('a finished run', () => {
  it('has as long as its spec says', () => {
    expect(factsOf(finished()).ttlMs).toBe(604_800_000)
    expect(factsOf(finished({ labels: { team: 'a' }, annotations: { 'example.com/by': 'hand' } })).ttlMs).toBe(
      604_800_000,
    )
  })

  it.each([
    ['Argo CD', { annotations: { 'argocd.argoproj.io/tracking-id': 'app:skyclust.io/TofuRun:team-a/net-1' } }],
    ['Argo CD that goes by a label', { labels: { 'app.kubernetes.io/instance': 'team-a' } }],
    ['Argo CD that goes by its own label', { labels: { 'argocd.argoproj.io/instance': 'team-a' } }],
    ['Flux', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'team-a' } }],
    ['Helm', { annotations: { 'meta.helm.sh/release-name': 'team-a' } }],
  ])('that %s keeps is not deleted: it would be made again, and run again', (_keeper, metadata) => {
    expect(factsOf(finished(metadata)).ttlMs).toBeUndefined()
  })
})
