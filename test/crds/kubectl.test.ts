/** What a person at a terminal sees of the kinds: the contract's own manifests, explain, columns, short names, wait. */
import { beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { customResourceDefinition } from '../../crds/custom-resource-definition.ts'
import { kinds } from '../../crds/kinds.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'
import { contractExamples } from './contract-examples.ts'

let cluster: Cluster
let namespace: string

beforeAll(async () => {
  cluster = await sharedCluster()
  namespace = await cluster.namespace('kubectl')
})

/** A VM that is admitted, but for what `spec` changes of it. */
function vm(name: string, spec: object = {}): string {
  return stringify({
    apiVersion: 'skyclust.io/v1alpha1',
    kind: 'VM',
    metadata: { namespace, name },
    spec: { ...validSpec, ...spec },
  })
}

const validSpec = { provider: 'aws', credentialRef: { name: 'aws' }, instanceType: 't3.micro', image: 'ami-1' }

describe('the contract', () => {
  it.each(Object.entries(contractExamples))('has a manifest of a %s that is admitted as it stands', async (_, yaml) => {
    const object = parse(yaml)
    const here = object.metadata.namespace ? { ...object, metadata: { ...object.metadata, namespace } } : object

    const answer = await cluster.kubectlWith(stringify(here), 'apply', '--server-side', '--dry-run=server', '-f', '-')
    expect(answer).toMatch(/serverside-applied/)
  })
})

describe('kubectl explain', () => {
  it.each(kinds.map((kind) => kind.plural))('has a sentence for every field of %s', async (plural) => {
    const kind = kinds.find((one) => one.plural === plural)
    const properties = kind && schemaOf(customResourceDefinition(kind)).properties
    for (const [path, description] of fields(properties?.spec, `${plural}.spec`)) {
      expect(description, path).toMatch(/^[A-Za-z][\s\S]*\.$/)
    }
    for (const [path, description] of fields(properties?.status, `${plural}.status`)) {
      expect(description, path).toMatch(/^[A-Za-z][\s\S]*\.$/)
    }

    const explained = await cluster.kubectl('explain', `${plural}.spec`)
    for (const field of Object.keys(properties?.spec?.properties ?? {})) expect(explained).toContain(field)
    expect(explained).not.toContain('<no description>')
  })
})

describe('kubectl get', () => {
  it('knows the short names, the singular, and a category for what is in a workspace', async () => {
    const resources = await cluster.kubectl('api-resources', '--api-group=skyclust.io', '--no-headers', '-o', 'wide')
    expect(resources).toMatch(/^workspaces +ws +skyclust.io\/v1alpha1 +false +Workspace/m)
    expect(resources).toMatch(/^credentials +cred +skyclust.io\/v1alpha1 +true +Credential .*skyclust$/m)
    expect(resources).toMatch(/^vms +skyclust.io\/v1alpha1 +true +VM .*skyclust$/m)
    for (const name of ['ws', 'workspace', 'cred', 'credential', 'vm', 'vms', 'user', 'session', 'skyclust']) {
      await cluster.kubectl('get', name, '--namespace', namespace)
    }
  })

  it('shows of a VM whether it is well and where it is', async () => {
    const name = 'shown'
    await cluster.kubectlWith(vm(name), 'create', '-f', '-')
    const ready = { type: 'Ready', status: 'True', reason: 'Running', message: '', lastTransitionTime: now() }
    const status = {
      state: 'running',
      zone: 'us-east-1a',
      publicIP: '203.0.113.7',
      privateIP: '10.0.0.7',
      instanceType: 't3.micro',
      instanceID: 'i-0123456789abcdef0',
      conditions: [ready],
    }
    await patchStatus('vms', name, status)

    const [header, row] = (await cluster.kubectl('get', 'vms', name, '--namespace', namespace)).trim().split('\n')
    expect(header?.split(/ +/)).toEqual([
      'NAME',
      'STATE',
      'READY',
      'REASON',
      'TYPE',
      'ZONE',
      'PUBLIC-IP',
      'INSTANCE',
      'AGE',
    ])
    expect(row).toMatch(/^shown +running +True +Running +t3.micro +us-east-1a +203.0.113.7 +i-0123456789abcdef0 /)
    expect(await cluster.kubectl('get', 'vms', name, '--namespace', namespace, '-o', 'wide')).toContain('10.0.0.7')
    const running = ['get', 'vms', '--namespace', namespace, '-o', 'name', '--field-selector']
    expect(await cluster.kubectl(...running, 'status.state=running')).toContain('vm.skyclust.io/shown')
    expect(await cluster.kubectl(...running, 'spec.credentialRef.name=another')).toBe('')
  })
})

describe('kubectl wait', () => {
  it('waits for a condition and for a state', async () => {
    const name = 'waited-for'
    await cluster.kubectlWith(vm(name), 'create', '-f', '-')
    const waiting = cluster.kubectl(
      'wait',
      '--for=condition=Ready',
      '--timeout=60s',
      `vm/${name}`,
      '--namespace',
      namespace,
    )

    const ready = { type: 'Ready', status: 'True', reason: 'Running', message: '', lastTransitionTime: now() }
    await patchStatus('vms', name, { state: 'running', observedGeneration: 1, conditions: [ready] })

    expect(await waiting).toContain('condition met')
    const forState = ['wait', '--for=jsonpath={.status.state}=running', '--timeout=5s', `vm/${name}`]
    expect(await cluster.kubectl(...forState, '--namespace', namespace)).toContain('condition met')
  })
})

describe('the API server', () => {
  it('fills in the defaults of the schema and no others', async () => {
    const made = await create(vm('defaults', { network: {} }), '-o', 'json')

    expect(JSON.parse(made).spec).toEqual({
      ...validSpec,
      network: {},
      powerState: 'Running',
      deletionPolicy: 'Delete',
      replacePolicy: 'Never',
      marketType: 'OnDemand',
    })
  })

  it('refuses two members of one name', async () => {
    const members = ['member', 'viewer'].map((role) => ({ user: 'bob', role }))
    const workspace = {
      apiVersion: 'skyclust.io/v1alpha1',
      kind: 'Workspace',
      metadata: { name: 'two-bobs' },
      spec: { owner: 'alice', members },
    }
    await expect(create(stringify(workspace))).rejects.toThrow(/spec.members\[1\]: Duplicate value/)
  })

  it('refuses a field that nobody knows, and says which values there are of one that it knows', async () => {
    await expect(create(vm('typo', { powerstate: 'Stopped' }))).rejects.toThrow(/unknown field "spec.powerstate"/)
    await expect(create(vm('typo', { powerState: 'Stop' }))).rejects.toThrow(
      /spec.powerState: Unsupported value: "Stop": supported values: "Running", "Stopped"/,
    )
  })

  function create(object: string, ...args: readonly string[]): Promise<string> {
    return cluster.kubectlWith(object, 'create', '--dry-run=server', '-f', '-', ...args)
  }
})

function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`
}

function patchStatus(plural: string, name: string, status: object): Promise<string> {
  const patch = JSON.stringify({ status })
  return cluster.kubectl(
    'patch',
    plural,
    name,
    '--namespace',
    namespace,
    '--subresource=status',
    '--type=merge',
    '-p',
    patch,
  )
}

interface Schema {
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
}

function schemaOf(definition: object): Schema {
  const { spec } = definition as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } }
  return spec.versions[0]?.schema.openAPIV3Schema ?? {}
}

function fields(schema: Schema | undefined, path: string): [string, string | undefined][] {
  if (!schema) return []
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, child]): [string, string | undefined][] => [
    [`${path}.${name}`, child.description],
    ...fields(child, `${path}.${name}`),
  ])
  return [...own, ...fields(schema.items, `${path}[]`)]
}
