import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  ETCD_VERSION,
  GO_VERSION,
  HELM_VERSION,
  isAtLeast,
  KUBERNETES_VERSION,
  NODE_VERSION,
  OLDEST_KUBERNETES,
  OPENTOFU_VERSION,
  PROMETHEUS_VERSION,
  TIME_PROVIDER_VERSION,
} from './versions.ts'

/** The version that a module is pinned to in `tools/<folder>/go.mod`; `go` for the language's own. */
function pinned(folder: string, module: string): string | undefined {
  const goMod = readFileSync(join(import.meta.dirname, folder, 'go.mod'), 'utf8')
  return new RegExp(`^\\s*(?:require )?${module.replaceAll('.', '\\.')} v?([\\w.-]+)`, 'm').exec(goMod)?.[1]
}

describe('the pinned versions', () => {
  it('are the same for a release and for a build from the Go modules', () => {
    expect(pinned('kubernetes', 'k8s.io/kubernetes')).toBe(KUBERNETES_VERSION)
    for (const program of ['server', 'etcdctl', 'etcdutl'])
      expect(pinned('kubernetes', `go.etcd.io/etcd/${program}/v3`)).toBe(ETCD_VERSION)
    expect(pinned('opentofu', 'github.com/opentofu/opentofu')).toBe(OPENTOFU_VERSION)
    expect(pinned('provider-time', 'github.com/hashicorp/terraform-provider-time')).toBe(TIME_PROVIDER_VERSION)
    expect(pinned('helm', 'helm.sh/helm/v4')).toBe(HELM_VERSION)
    // As a Go module, Prometheus 3.12.0 is v0.312.0.
    expect(pinned('prometheus', 'github.com/prometheus/prometheus')?.replace(/^0\.3(\d\d)/, '3.$1')).toBe(
      PROMETHEUS_VERSION,
    )
  })

  it('have one oldest Kubernetes, for make dev and for the chart', () => {
    const chart = readFileSync(join(import.meta.dirname, '../charts/skyclust/Chart.yaml'), 'utf8')
    expect(chart).toContain(`kubeVersion: ">=${OLDEST_KUBERNETES}.0-0"`)
  })

  it('have one Node for the images and for what npm brings', () => {
    const { optionalDependencies } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))
    for (const version of Object.values(optionalDependencies)) expect(version).toBe(NODE_VERSION)
  })

  it('take every staging module of Kubernetes from the same release', () => {
    const goMod = readFileSync(join(import.meta.dirname, 'kubernetes/go.mod'), 'utf8')
    const staging = [...goMod.matchAll(/^\s*(k8s\.io\/\S+) => \S+ v(\S+)$/gm)].map(([, , version]) => version)
    expect(staging.length).toBeGreaterThan(30)
    expect(new Set(staging)).toEqual(new Set([KUBERNETES_VERSION.replace(/^1/, '0')]))
  })

  it('name a Go that is new enough for every module', () => {
    for (const folder of ['kubernetes', 'opentofu', 'provider-time', 'helm', 'prometheus'])
      expect(isAtLeast(GO_VERSION, pinned(folder, 'go') ?? '')).toBe(true)
  })
})

describe('isAtLeast', () => {
  it.each([
    ['1.26.8', '1.26.6', true],
    ['1.26.6', '1.26.6', true],
    ['1.27', '1.26.6', true],
    ['1.26', '1.26.6', false],
    ['1.9.9', '1.26.6', false],
    ['1.26.6rc1', '1.26.6', true],
    ['', '1.26.6', false],
    ['devel +abc', '1.26.6', false],
  ])('compares %s with %s number by number', (version, wanted, expected) => {
    expect(isAtLeast(version, wanted)).toBe(expected)
  })
})
