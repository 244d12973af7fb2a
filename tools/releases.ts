/**
 * What there is to obtain: each program, the Go package it is built from, and where its project publishes it with a checksum.
 *
 * @see https://kubernetes.io/releases/download/
 * @see https://github.com/etcd-io/etcd/releases
 * @see https://github.com/opentofu/opentofu/releases
 * @see https://github.com/helm/helm/releases
 * @see https://github.com/prometheus/prometheus/releases
 */
import type { Platform } from './platform.ts'
import {
  ETCD_VERSION,
  HELM_VERSION,
  KUBERNETES_VERSION,
  OPENTOFU_VERSION,
  PROMETHEUS_VERSION,
  TIME_PROVIDER_VERSION,
} from './versions.ts'

export type ProgramName =
  | 'etcd'
  | 'etcdctl'
  | 'etcdutl'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kubectl'
  | 'tofu'
  | 'terraform-provider-time'
  | 'helm'
  | 'promtool'

export const controlPlanePrograms = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const

export interface Program {
  readonly name: ProgramName
  /** The project and version it belongs to: the first two folders of its place in the cache. */
  readonly project: 'etcd' | 'kubernetes' | 'opentofu' | 'helm' | 'prometheus' | 'provider-time'
  readonly version: string
  /** Where to `go build`: the folder under `tools/` with the go.mod, the package, and what the linker is told. */
  readonly source: {
    readonly module: 'kubernetes' | 'opentofu' | 'helm' | 'prometheus' | 'provider-time'
    readonly package: string
    readonly linkerFlags: string
    /** Go build tags, where something large can be left out. */
    readonly tags?: string
  }
  /** Left out: it is always built. */
  readonly release?: (platform: Platform) => Release
}

export interface Release {
  readonly url: string
  /** A file with the SHA-256 of `url`: either the bare digest or lines of `digest  file name`. */
  readonly checksumUrl: string
  /** Set where `url` is an archive (which `tar -xf` opens): the path of the program in it. */
  readonly archiveMember?: string
}

// What Kubernetes' own build script sets, so that /version tells the truth about a program built here.
const [major, minor] = KUBERNETES_VERSION.split('.')
const kubernetesLinkerFlags = [
  '-s -w',
  `-X k8s.io/component-base/version.gitVersion=v${KUBERNETES_VERSION}`,
  `-X k8s.io/component-base/version.gitMajor=${major}`,
  `-X k8s.io/component-base/version.gitMinor=${minor}`,
  '-X k8s.io/component-base/version.gitTreeState=clean',
].join(' ')

// Left out, it calls itself 1.12.6-dev, and a pre-release satisfies no `required_version = ">= 1.6"`.
const tofuLinkerFlags = '-s -w -X github.com/opentofu/opentofu/version.dev=no'

function kubernetesProgram(name: ProgramName): Program {
  return {
    name,
    project: 'kubernetes',
    version: KUBERNETES_VERSION,
    source: { module: 'kubernetes', package: `k8s.io/kubernetes/cmd/${name}`, linkerFlags: kubernetesLinkerFlags },
    release: ({ os, arch }) => {
      const url = `https://dl.k8s.io/v${KUBERNETES_VERSION}/bin/${os}/${arch}/${name}`
      return { url, checksumUrl: `${url}.sha256` }
    },
  }
}

function etcdProgram(name: ProgramName, goPackage: string): Program {
  return {
    name,
    project: 'etcd',
    version: ETCD_VERSION,
    source: { module: 'kubernetes', package: goPackage, linkerFlags: kubernetesLinkerFlags },
    release: ({ os, arch }) => {
      const folder = `https://github.com/etcd-io/etcd/releases/download/v${ETCD_VERSION}`
      const file = `etcd-v${ETCD_VERSION}-${os}-${arch}`
      return {
        url: `${folder}/${file}.${os === 'darwin' ? 'zip' : 'tar.gz'}`,
        checksumUrl: `${folder}/SHA256SUMS`,
        archiveMember: `${file}/${name}`,
      }
    },
  }
}

export const programs: Readonly<Record<ProgramName, Program>> = {
  etcd: etcdProgram('etcd', 'go.etcd.io/etcd/server/v3'),
  etcdctl: etcdProgram('etcdctl', 'go.etcd.io/etcd/etcdctl/v3'),
  etcdutl: etcdProgram('etcdutl', 'go.etcd.io/etcd/etcdutl/v3'),
  'kube-apiserver': kubernetesProgram('kube-apiserver'),
  'kube-controller-manager': kubernetesProgram('kube-controller-manager'),
  kubectl: kubernetesProgram('kubectl'),
  tofu: {
    name: 'tofu',
    project: 'opentofu',
    version: OPENTOFU_VERSION,
    source: { module: 'opentofu', package: 'github.com/opentofu/opentofu/cmd/tofu', linkerFlags: tofuLinkerFlags },
    release: ({ os, arch }) => {
      const folder = `https://github.com/opentofu/opentofu/releases/download/v${OPENTOFU_VERSION}`
      return {
        url: `${folder}/tofu_${OPENTOFU_VERSION}_${os}_${arch}.tar.gz`,
        checksumUrl: `${folder}/tofu_${OPENTOFU_VERSION}_SHA256SUMS`,
        archiveMember: 'tofu',
      }
    },
  },
  // A provider for tests that need no registry. Its releases are zip archives, which GNU tar does not open; it builds in half a minute.
  'terraform-provider-time': {
    name: 'terraform-provider-time',
    project: 'provider-time',
    version: TIME_PROVIDER_VERSION,
    source: {
      module: 'provider-time',
      package: 'github.com/hashicorp/terraform-provider-time',
      linkerFlags: '-s -w',
    },
  },
  helm: {
    name: 'helm',
    project: 'helm',
    version: HELM_VERSION,
    source: {
      module: 'helm',
      package: 'helm.sh/helm/v4/cmd/helm',
      linkerFlags: `-s -w -X helm.sh/helm/v4/internal/version.version=v${HELM_VERSION}`,
    },
    release: ({ os, arch }) => {
      const url = `https://get.helm.sh/helm-v${HELM_VERSION}-${os}-${arch}.tar.gz`
      return { url, checksumUrl: `${url}.sha256sum`, archiveMember: `${os}-${arch}/helm` }
    },
  },
  promtool: {
    name: 'promtool',
    project: 'prometheus',
    version: PROMETHEUS_VERSION,
    source: {
      module: 'prometheus',
      package: 'github.com/prometheus/prometheus/cmd/promtool',
      linkerFlags: `-s -w -X github.com/prometheus/common/version.Version=${PROMETHEUS_VERSION}`,
      tags: 'remove_all_sd', // it checks rules here; the service discoveries are a third of what would be compiled
    },
    release: ({ os, arch }) => {
      const folder = `https://github.com/prometheus/prometheus/releases/download/v${PROMETHEUS_VERSION}`
      const file = `prometheus-${PROMETHEUS_VERSION}.${os}-${arch}`
      return {
        url: `${folder}/${file}.tar.gz`,
        checksumUrl: `${folder}/sha256sums.txt`,
        archiveMember: `${file}/promtool`,
      }
    },
  },
}
