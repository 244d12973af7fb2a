import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../kube/resource.ts'
import { declaredElsewhere, requireUndeclared } from './field-owners.ts'

const powerState = ['spec', 'powerState']

function writtenBy(...managedFields: object[]): KubeObject {
  const metadata = { name: 'web-1', uid: 'u', resourceVersion: '1', creationTimestamp: '', managedFields }
  return { apiVersion: 'skyclust.io/v1alpha1', kind: 'VM', metadata }
}

function entry(manager: string, operation: 'Apply' | 'Update', subresource?: string) {
  return { manager, operation, subresource, fieldsV1: { 'f:spec': { 'f:powerState': {} } } }
}

describe('declaredElsewhere', () => {
  it('names whoever applied the field from somewhere', () => {
    expect(declaredElsewhere(writtenBy(entry('argocd-controller', 'Apply')), powerState)).toBe('argocd-controller')
    expect(declaredElsewhere(writtenBy(entry('pipeline', 'Apply')), powerState)).toBe('pipeline')
  })

  it('knows that Argo CD applies by plain writes too', () => {
    expect(declaredElsewhere(writtenBy(entry('argocd-controller', 'Update')), powerState)).toBe('argocd-controller')
  })

  it('counts of a client-side apply what it named, and not what the schema filled in', () => {
    const applied = (spec: object) => {
      const object = writtenBy(entry('argocd-controller', 'Update'), {
        manager: 'argocd-controller',
        operation: 'Update',
        fieldsV1: { 'f:spec': { 'f:members': { 'k:{"user":"bob"}': {}, 'k:{"user":"carol"}': {} } } },
      })
      const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ spec }) }
      return { ...object, metadata: { ...object.metadata, annotations } }
    }
    expect(declaredElsewhere(applied({ powerState: 'Running' }), powerState)).toBe('argocd-controller')
    expect(declaredElsewhere(applied({ image: 'ami-1' }), powerState)).toBeUndefined()

    const members = applied({ members: [{ user: 'bob', role: 'admin' }] })
    expect(declaredElsewhere(members, ['spec', 'members', 'k:{"user":"bob"}'])).toBe('argocd-controller')
    expect(declaredElsewhere(members, ['spec', 'members', 'k:{"user":"carol"}'])).toBeUndefined()
  })

  it('believes managedFields where the annotation of the last apply says nothing that can be read', () => {
    const object = writtenBy(entry('argocd-controller', 'Update'))
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': 'none' }
    expect(declaredElsewhere({ ...object, metadata: { ...object.metadata, annotations } }, powerState)).toBe(
      'argocd-controller',
    )
  })

  it('takes no offence at the facade itself, a person with kubectl, or a status', () => {
    const object = writtenBy(
      entry('skyclust-api', 'Update'),
      entry('skyclust-api', 'Apply'),
      entry('kubectl-edit', 'Update'),
      entry('argocd-controller', 'Apply', 'status'),
    )
    expect(declaredElsewhere(object, powerState)).toBeUndefined()
  })

  it('is about that field alone, down to an entry of a list', () => {
    const fieldsV1 = { 'f:spec': { 'f:members': { 'k:{"user":"bob"}': { '.': {}, 'f:role': {} } } } }
    const object = writtenBy({ manager: 'pipeline', operation: 'Apply', fieldsV1 })

    expect(declaredElsewhere(object, ['spec', 'members', 'k:{"user":"bob"}'])).toBe('pipeline')
    expect(declaredElsewhere(object, ['spec', 'members', 'k:{"user":"carol"}'])).toBeUndefined()
    expect(declaredElsewhere(object, ['spec', 'description'])).toBeUndefined()
    expect(declaredElsewhere(object, powerState)).toBeUndefined()
  })

  it('refuses with a conflict that names the field and its manager', () => {
    expect(() => requireUndeclared(writtenBy(entry('argocd-controller', 'Apply')), powerState)).toThrow(
      'The field spec.powerState is managed by argocd-controller: change it there.',
    )
  })
})
