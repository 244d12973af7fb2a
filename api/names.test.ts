import { describe, expect, it } from 'vitest'
import { generatedName } from './names.ts'

describe('generatedName', () => {
  it.each([
    ['Team A', /^team-a-\w{6}$/],
    ['팀', /^workspace-\w{6}$/],
    ['42', /^workspace-\w{6}$/],
    ['Kubernetes', /^kubernetes-\w{6}$/],
    ['Kube', /^workspace-kube-\w{6}$/],
    ['kube-system', /^workspace-kube-system-\w{6}$/],
    [`kube ${'x'.repeat(128)}`, /^workspace-kube-x{35}-\w{6}$/],
  ])('of %j is one that Kubernetes leaves free', (title, name) => {
    expect(generatedName(title, 'workspace')).toMatch(name)
  })
})
