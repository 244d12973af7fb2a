/**
 * The tests of a kind's CEL rules against the real API server: `describeRules({ kind, valid, fields, names, changes })`
 * makes one of each row, and one that fails when a rule of the kind has no row.
 */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { customResourceDefinition, maxNameLength } from '../../crds/custom-resource-definition.ts'
import type { Kind } from '../../crds/kind.ts'
import { type KubeClient, kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import type { KubeError } from '../../kube/kube-error.ts'
import type { Draft, KubeObject } from '../../kube/resource.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'

export interface RuleTests {
  readonly kind: Kind
  /** The spec of an object that is admitted. */
  readonly valid: object
  /** Specs, each on top of `valid`: one that is admitted and one that is not. A field that is `undefined` is left out. */
  readonly fields: readonly {
    readonly field: string
    readonly admits: object
    readonly refuses: object
    readonly says: string
  }[]
  readonly names: readonly { readonly admits: string; readonly refuses: string; readonly says: string }[]
  /** Changes of an object that has `from` on top of `valid`. */
  readonly changes: readonly {
    readonly from: object
    readonly admits: object
    readonly refuses: object
    readonly says: string
  }[]
}

export function describeRules({ kind, valid, fields, names, changes }: RuleTests): void {
  let client: KubeClient
  let namespace: string

  beforeAll(async () => {
    const cluster = await sharedCluster()
    const found = loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } })
    client = kubeClient({ cluster: found, fieldManager: 'crds-test' })
    namespace = await cluster.namespace('rules')
  })
  afterAll(() => client?.close())

  function draft(name: string, spec: object): Draft<KubeObject> {
    const metadata = kind.namespaced ? { namespace, name } : { name }
    return { metadata, spec: { ...valid, ...spec } } as Draft<KubeObject>
  }

  const tryCreate = (name: string, spec: object) =>
    answer(client.create(kind, draft(name, spec) as never, { dryRun: true }))

  async function tryChange(from: object, to: object): Promise<string> {
    const { metadata } = await client.create(kind, draft(`changed-${randomUUID()}`, from) as never)
    const said = await answer(client.patch(kind, metadata, { spec: to }, { kind: 'merge', dryRun: true }))
    await client.delete(kind, metadata)
    return said
  }

  describe(`a ${kind.kind}`, () => {
    it.each(fields)('has $field as $admits, not as $refuses', async ({ admits, refuses, says }) => {
      expect(await tryCreate('example', admits)).toBe('admitted')
      expect(await tryCreate('example', refuses)).toContain(says)
    })

    it.each(names)('may be called $admits, not $refuses', async ({ admits, refuses, says }) => {
      expect(await tryCreate(admits, {})).toBe('admitted')
      expect(await tryCreate(refuses, {})).toContain(says)
    })

    it('has a name of at most 63 characters', async () => {
      expect(await tryCreate('x'.repeat(maxNameLength), {})).toBe('admitted')
      expect(await tryCreate('x'.repeat(maxNameLength + 1), {})).toContain('metadata.name: Too long')
    })

    it.each(changes)('with $from may become $admits, not $refuses', async ({ from, admits, refuses, says }) => {
      expect(await tryChange(from, admits)).toBe('admitted')
      expect(await tryChange(from, refuses)).toContain(says)
    })

    it('has no rule that is not tested here', () => {
      const said = [...fields, ...names, ...changes].map(({ says }) => says)
      const untested = messagesIn(customResourceDefinition(kind)).filter(
        (message) => !said.some((words) => message.includes(words)),
      )
      expect(untested).toEqual([])
    })
  })
}

function answer(request: Promise<unknown>): Promise<string> {
  return request.then(
    () => 'admitted',
    (error: KubeError) => error.message,
  )
}

/** Of all rules anywhere in a definition. */
function messagesIn(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([key, value]) =>
    key === 'x-kubernetes-validations' ? value.map((rule: { message: string }) => rule.message) : messagesIn(value),
  )
}
