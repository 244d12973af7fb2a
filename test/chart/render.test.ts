/** What the chart renders, for a matrix of values, and what it says of values that are wrong. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute'
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule'
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiSettings } from '../../api/config.ts'
import type { Settings } from '../../config/settings.ts'
import { readSettings } from '../../config/settings.ts'
import { controllerSettings } from '../../controller/config.ts'
import { rolesAndAccounts } from '../../tools/installation.ts'
import { chart, type Helm, helmFor, listing, type Manifest, named, render, root } from './helm.ts'
import { matrix } from './matrix.ts'

let directory: string
let helm: Helm
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skyclust-helm-'))
  helm = await helmFor(directory)
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const deployments = ['skyclust-controller', 'skyclust-api'] as const

function environmentOf(manifests: readonly Manifest[], name: string): Record<string, string> {
  const [container] = named(manifests, 'Deployment', name).spec.template.spec.containers
  const entries = (container.env as { name: string; value?: string }[]).map(({ name, value = 'from elsewhere' }) => [
    name,
    value,
  ])
  return Object.fromEntries(entries)
}

describe('the chart', () => {
  it.each(Object.entries(matrix))('passes helm lint and renders with values for %s', async (_, values) => {
    expect(await helm(['lint', chart, '--strict', '--quiet'], values)).not.toContain('ERROR')
    const manifests = await render(helm, values)
    expect(new Set(listing(manifests)).size).toBe(manifests.length)
  })

  it.each(['1.36.0', '1.35.2'])(
    'installs the very roles and policies that make dev installs, on %s',
    async (kubernetes) => {
      const rendered = await render(helm, {}, kubernetes)
      const installed = await rolesAndAccounts({ root, namespace: 'skyclust-system', kubernetes })
      for (const wanted of installed) {
        const { metadata, ...rest } = named(rendered, wanted.kind, wanted.metadata.name)
        const { labels: _, ...identity } = metadata
        expect({ metadata: identity, ...rest }).toEqual(wanted)
      }
      const roles = rendered.filter(({ kind }) => /Role|ServiceAccount|AdmissionPolicy/.test(kind))
      expect(roles).toHaveLength(installed.length)
    },
  )

  it.each(Object.entries(matrix))('grants no wildcard with values for %s', async (_, values) => {
    for (const { kind, metadata, rules } of await render(helm, values)) {
      if (!/Role$/.test(kind)) continue
      for (const rule of rules as Record<string, string[]>[]) {
        expect(JSON.stringify(rule), metadata.name).not.toContain('*')
        expect(rule.nonResourceURLs, metadata.name).toBeUndefined()
      }
    }
  })

  it('lets the facade act as a caller by the older verb where the cluster does not know the constrained one', async () => {
    const verbsOf = (manifests: readonly Manifest[]) =>
      JSON.stringify(named(manifests, 'ClusterRole', 'skyclust-api').rules)
    expect(verbsOf(await render(helm, {}, '1.36.0'))).not.toContain('"impersonate"')
    const older = verbsOf(await render(helm, {}, '1.35.2'))
    expect(older).toContain('"impersonate"')
    expect(older).not.toContain('impersonate-on')
    expect(older).not.toContain('impersonate:')
  })

  it('refuses a cluster that is too old', async () => {
    await expect(render(helm, {}, '1.30.0')).rejects.toThrow(/incompatible with Kubernetes v?1\.30/)
  })

  it.each(deployments)(
    'runs %s under the restricted Pod Security Standard, with probes, limits and a spread',
    async (name) => {
      const { spec } = named(await render(helm), 'Deployment', name)
      expect(spec.replicas).toBe(2)
      const pod = spec.template.spec
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
      expect(pod.topologySpreadConstraints).toHaveLength(2)
      const [waits] = pod.containers.map(({ lifecycle }: Manifest) => lifecycle?.preStop.sleep.seconds ?? 0)
      expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(waits + 20)
      // Who is called through a Service goes on answering until the nodes know that the pod is out of it.
      expect(waits > 0).toBe(name === 'skyclust-api')
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
        expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'metrics' })
        expect(container.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'metrics' })
        expect(container.resources.limits.memory).toBeDefined()
      }
    },
  )

  it('has a disruption budget only where one replica may go', async () => {
    expect(listing(await render(helm))).toContain('PodDisruptionBudget/skyclust-api')
    const single = listing(await render(helm, { controller: { replicas: 1 }, api: { replicas: 1 } }))
    expect(single.filter((name) => name.startsWith('PodDisruptionBudget'))).toEqual([])
  })

  it('hands the metadata service to the controller only where it may use the identity of its node', async () => {
    const egress = async (values: object) =>
      JSON.stringify(named(await render(helm, values), 'NetworkPolicy', 'skyclust-controller').spec.egress)
    expect(await egress({})).not.toContain('169.254.169.254/32')
    expect(await egress({ controller: { settings: { SKYCLUST_AMBIENT_CREDENTIALS: true } } })).toContain(
      '169.254.169.254/32',
    )
  })
})

describe('the settings', () => {
  const programs = { 'skyclust-controller': controllerSettings, 'skyclust-api': apiSettings } as const

  it.each(Object.entries(matrix))('are such that both programs start with the values for %s', async (_, values) => {
    const manifests = await render(helm, values)
    for (const name of deployments) {
      const environment = environmentOf(manifests, name)
      // What comes from Secrets and fields is not there in a rendering.
      if ('SKYCLUST_IDENTITY' in environment) environment.SKYCLUST_IDENTITY = 'pod-1'
      const settings = programs[name] as Settings
      const read = readSettings(settings, { program: name, about: '', environment, commandLine: [] })
      expect(read, name).toMatchObject({ outcome: 'read' })
    }
  })

  it('of one process win over those of both', async () => {
    const values = { settings: { SKYCLUST_LOG_LEVEL: 'warn' }, api: { settings: { SKYCLUST_LOG_LEVEL: 'debug' } } }
    const manifests = await render(helm, values)
    expect(environmentOf(manifests, 'skyclust-api').SKYCLUST_LOG_LEVEL).toBe('debug')
    expect(environmentOf(manifests, 'skyclust-controller').SKYCLUST_LOG_LEVEL).toBe('warn')
  })
})

describe('a value that is wrong', () => {
  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ['a misspelt key', { controler: {} }, /'controler' not allowed/],
    [
      'a misspelt setting',
      { controller: { settings: { SKYCLUST_SYNC_INTERVALL: '30s' } } },
      /'\/controller\/settings': additional properties 'SKYCLUST_SYNC_INTERVALL' not allowed/,
    ],
    [
      'a setting of the other process',
      { controller: { settings: { SKYCLUST_LOCALE: 'en' } } },
      /'\/controller\/settings': additional properties 'SKYCLUST_LOCALE' not allowed/,
    ],
    ['no replica', { api: { replicas: 0 } }, /\/api\/replicas[\s\S]*minimum: got 0, want 1/],
    [
      'a locale that is none',
      { api: { settings: { SKYCLUST_LOCALE: 'de' } } },
      /SKYCLUST_LOCALE[\s\S]*must be one of 'ko', 'en'/,
    ],
    [
      'a duration that is none',
      { controller: { settings: { SKYCLUST_SYNC_INTERVAL: 'often' } } },
      /SKYCLUST_SYNC_INTERVAL: "often" is no duration; write a number and a unit/,
    ],
    ['a digest that is none', { image: { digest: 'latest' } }, /\/image\/digest[\s\S]*sha256/],
    [
      'an Ingress without a host',
      { api: { ingress: { enabled: true } } },
      /api\.ingress\.host is missing: name the host/,
    ],
    [
      'an Ingress without TLS',
      { api: { ingress: { enabled: true, host: 'x.example' } } },
      /api\.ingress\.tlsSecret is missing/,
    ],
    [
      'an HTTPRoute without a Gateway',
      { api: { httpRoute: { enabled: true } } },
      /api\.httpRoute\.parentRefs is missing: name the Gateway/,
    ],
    [
      'an identity provider without its issuer',
      { api: { oidc: { corp: { clientId: 'a', redirectUri: 'https://b.example' } } } },
      /\/api\/oidc\/corp[\s\S]*missing property 'issuer'/,
    ],
    [
      'a group of the cluster itself',
      {
        api: {
          oidc: {
            corp: {
              issuer: 'https://i.example',
              clientId: 'a',
              redirectUri: 'https://b.example',
              groups: ['system:masters'],
            },
          },
        },
      },
      /\/api\/oidc\/corp\/groups\/0/,
    ],
    ['an e-mail address that is none', { api: { admin: { email: 'admin' } } }, /\/api\/admin\/email/],
    [
      'the secret of an identity provider in the open',
      {
        api: {
          oidc: {
            corp: {
              issuer: 'https://i.example',
              clientId: 'a',
              redirectUri: 'https://b.example',
              clientSecret: 'hush',
            },
          },
        },
      },
      /clientSecret[\s\S]*got string, want object/,
    ],
  ]
  it.each(wrong)('is refused in words that help: %s', async (_, values, words) => {
    await expect(render(helm, values)).rejects.toThrow(words)
  })
})

describe('what belongs to other projects', () => {
  it('is as their own definitions want it', async () => {
    const manifests = await render(helm, matrix.everything)
    const models = { HTTPRoute, ServiceMonitor, PrometheusRule } as const
    for (const [kind, Model] of Object.entries(models)) {
      const object = new Model(named(manifests, kind, kind === 'HTTPRoute' ? 'skyclust-api' : 'skyclust') as never)
      expect(() => object.validate(), kind).not.toThrow()
    }
  })
})
