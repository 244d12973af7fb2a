/** What holds of every kind alike, as the real API server serves it: names, columns, and rules that the largest object can afford. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Kind } from '../../crds/kind.ts'
import { kinds } from '../../crds/kinds.ts'
import { tofuRunKind } from '../../crds/tofu-run.ts'
import { vmKind } from '../../crds/vm.ts'
import { workspaceKind } from '../../crds/workspace.ts'
import { type KubeClient, kubeClient } from '../../kube/client.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { collectionPath } from '../../kube/resource.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'

let cluster: Cluster
let client: KubeClient
let namespace: string

beforeAll(async () => {
  cluster = await sharedCluster()
  client = kubeClient({
    cluster: loadCluster({ environment: { KUBECONFIG: cluster.kubeconfig } }),
    fieldManager: 'crds-test',
  })
  namespace = await cluster.namespace('all-kinds')
})
afterAll(() => client?.close())

interface Table {
  readonly columnDefinitions: readonly {
    readonly name: string
    readonly description: string
    readonly priority: number
  }[]
}

describe.each(kinds.map((kind) => ({ kind, name: kind.kind })))('a $name', ({ kind }) => {
  it('has its rules tested, each with an object that is refused (describe-rules.ts sees to that)', () => {
    const file = `${kind.kind.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}.test.ts`
    expect(existsSync(join(import.meta.dirname, file)), file).toBe(true)
  })

  it('is listed with its columns, each with a sentence', async () => {
    const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }
    const { body } = await client.raw(`${collectionPath(kind)}?limit=1`, { headers })
    const [name, ...columns] = (JSON.parse(body) as Table).columnDefinitions

    expect(name?.name).toBe('Name')
    expect(columns.map((column) => [column.name, column.priority])).toEqual(
      kind.definition.columns.map((column) => [column.name, column.priority ?? 0]),
    )
    for (const { description } of columns) expect(description).toMatch(/^[A-Za-z].*\.$/)
  })

  it('answers to its singular, its plural and its short names', async () => {
    const { singular, plural, shortNames = [] } = kind.definition
    const { body } = await client.raw(`/apis/${kind.group}/${kind.version}`)
    const served = JSON.parse(body).resources.find((resource: { name: string }) => resource.name === plural)

    expect(served).toMatchObject({ kind: kind.kind, singularName: singular, namespaced: kind.namespaced })
    expect(served.shortNames ?? []).toEqual(shortNames)
    expect(served.categories ?? []).toEqual(kind.definition.categories ?? [])
  })
})

it('no two kinds share a name', () => {
  const names = kinds.flatMap(({ definition: { singular, plural, shortNames = [] } }) => [
    singular,
    plural,
    ...shortNames,
  ])
  expect(new Set(names).size).toBe(names.length)
})

/** Numbered texts of a given length, all different. */
const texts = (count: number, length: number) =>
  Array.from({ length: count }, (_, index) => `a${index}`.padEnd(length, 'x'))
const record = (keys: readonly string[], value: string) => Object.fromEntries(keys.map((key) => [key, value]))

const largest: readonly { readonly kind: Kind; readonly spec: object }[] = [
  {
    kind: vmKind,
    spec: {
      provider: 'aws',
      credentialRef: { name: 'a'.repeat(253) },
      instanceType: 't'.repeat(64),
      image: 'a'.repeat(512),
      tags: record(texts(40, 128), 'v'.repeat(256)),
    },
  },
  {
    kind: tofuRunKind,
    spec: {
      command: 'apply',
      source: { inline: record(texts(64, 250), '# '.padEnd(10_000, 'x')) },
      variables: record(texts(100, 128), 'v'.repeat(4_096)),
      credentialRefs: texts(8, 253).map((name) => ({ name })),
      variablesFrom: texts(10, 253).map((name) => ({ secretRef: { name } })),
    },
  },
  {
    kind: workspaceKind,
    spec: {
      owner: 'a'.repeat(253),
      members: texts(500, 253).map((user) => ({ user, role: 'member' })),
      groups: texts(100, 256).map((group) => ({ group, role: 'viewer' })),
    },
  },
]

describe('the largest object that the schema admits', () => {
  it.each(largest)('of the kind $kind.kind costs its rules less than their budget', async ({ kind, spec }) => {
    const metadata = kind.namespaced ? { namespace, name: 'largest' } : { name: 'largest' }
    const made = await client.create(kind, { metadata, spec } as never, { dryRun: true })
    expect(made.metadata.name).toBe('largest')
  })
})
