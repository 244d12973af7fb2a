/** The tree in examples/gitops: what belongs to other projects is as their own definitions want it, and what is ours goes in. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Application } from '@kubernetes-models/argo-cd/argoproj.io/v1alpha1/Application'
import { ExternalSecret } from '@kubernetes-models/external-secrets/external-secrets.io/v1/ExternalSecret'
import { Kustomization } from '@kubernetes-models/flux-cd/kustomize.toolkit.fluxcd.io/v1/Kustomization'
import { GitRepository } from '@kubernetes-models/flux-cd/source.toolkit.fluxcd.io/v1/GitRepository'
import { SealedSecret } from '@kubernetes-models/sealed-secrets/bitnami.com/v1alpha1/SealedSecret'
import { beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { documentsOf, helmFor, type Manifest, named, render, root } from '../chart/helm.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'
import { difference } from './argo-sync.ts'

const tree = join(root, 'examples/gitops')
const foreign = { Application, ExternalSecret, Kustomization, GitRepository, SealedSecret } as const

async function manifestsIn(folder: string): Promise<readonly Manifest[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.name.endsWith('.yaml'))
    .map((entry) => join(entry.parentPath, entry.name))
  return (await Promise.all(files.sort().map((file) => readFile(file, 'utf8')))).flatMap(documentsOf)
}

let all: readonly Manifest[]
beforeAll(async () => {
  all = await manifestsIn(tree)
})

describe('examples/gitops', () => {
  it('is as Argo CD, Flux, External Secrets and Sealed Secrets define their kinds', () => {
    const seen = all.filter(({ kind }) => kind in foreign)
    expect(new Set(seen.map(({ kind }) => kind))).toEqual(new Set(Object.keys(foreign)))
    for (const manifest of seen) {
      const object = new foreign[manifest.kind as keyof typeof foreign](manifest as never)
      expect(() => object.validate(), `${manifest.kind} ${manifest.metadata.name}`).not.toThrow()
    }
  })

  it('leads from the root to folders that are there', async () => {
    const paths = all.flatMap(({ kind, spec }) =>
      kind === 'Application' ? [spec.source.path] : kind === 'Kustomization' ? [spec.path] : [],
    )
    expect(paths.length).toBeGreaterThan(3)
    for (const path of paths) expect((await readdir(join(root, path))).length).toBeGreaterThan(0)
  })

  it('has Argo CD look into the folders of a folder where there are any', async () => {
    const sources = all
      .filter(({ kind, spec }) => kind === 'Application' && !spec.source.helm)
      .map((one) => one.spec.source)
    expect(sources.length).toBeGreaterThan(1)
    for (const { path, directory } of sources) {
      const entries = await readdir(join(root, path), { withFileTypes: true })
      expect(directory?.recurse ?? false, path).toBe(entries.some((entry) => entry.isDirectory()))
    }
  })

  it('gives Flux no folder with both a Workspace and what lives in its namespace: it tries all of a folder before it applies any of it', async () => {
    const kustomizations = all.filter(({ kind }) => kind === 'Kustomization')
    expect(kustomizations.length).toBeGreaterThan(1)
    for (const { spec } of kustomizations) {
      const members = await manifestsIn(join(root, spec.path))
      const workspaces = members.filter(({ kind }) => kind === 'Workspace').map(({ metadata }) => metadata.name)
      expect(members.filter(({ metadata }) => workspaces.includes(metadata.namespace ?? ''))).toEqual([])
      if (workspaces.length === 0) expect(spec.dependsOn, spec.path).toEqual([{ name: 'team-a-workspace' }])
    }
  })

  it('takes along what an Application brought when it is deleted, but asks first where there are machines', () => {
    for (const { metadata } of all.filter(({ kind }) => kind === 'Application')) {
      expect(metadata, metadata.name).toMatchObject({ finalizers: ['resources-finalizer.argocd.argoproj.io'] })
    }
    for (const { metadata } of all.filter(({ kind }) => kind === 'Workspace')) {
      expect(metadata.annotations?.['argocd.argoproj.io/sync-options']).toBe('Prune=confirm,Delete=confirm')
    }
  })

  it('installs the chart with values that it takes', async () => {
    const { spec } = named(all, 'Application', 'skyclust')
    expect((await render(await helmFor(root), spec.source.helm.valuesObject)).length).toBeGreaterThan(20)
  })

  it('comes in waves: Workspace, Credential, VM', () => {
    const waveOf = (kind: string) =>
      all
        .filter((one) => one.kind === kind)
        .map(({ metadata }) => Number(metadata.annotations?.['argocd.argoproj.io/sync-wave']))
    expect(Math.max(...waveOf('Workspace'))).toBeLessThan(Math.min(...waveOf('Credential')))
    expect(Math.max(...waveOf('Credential'))).toBeLessThan(Math.min(...waveOf('VM')))
  })
})

describe('every example', () => {
  let cluster: Cluster
  let namespace: string
  beforeAll(async () => {
    cluster = await sharedCluster()
    namespace = await cluster.namespace('examples')
  })

  it('is the same after it was applied as it is in its file: the schema adds nothing that a sync would see', async () => {
    const examples = (await manifestsIn(join(root, 'examples'))).filter(
      ({ apiVersion, kind }) => apiVersion.startsWith('skyclust.io/') && !['Workspace', 'User'].includes(kind),
    )
    expect(examples.length).toBeGreaterThan(5)
    for (const example of examples) {
      const name = `${example.metadata.name}-${Math.random().toString(36).slice(2, 8)}`
      const here = { ...example, metadata: { ...example.metadata, name, namespace } }
      await cluster.kubectlWith(
        stringify(here),
        'apply',
        '--server-side',
        '--field-manager=argocd-controller',
        '-f',
        '-',
      )
      expect(await difference(cluster, [here]), name).toBe('')
    }
  })
})
