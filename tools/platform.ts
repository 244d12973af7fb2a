/**
 * The platform in Go's words, which is how releases are named and the cache is keyed.
 */
export interface Platform {
  /** `linux`, `darwin`, … */
  readonly os: string
  /** `amd64`, `arm64`, … */
  readonly arch: string
}

const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' }

export function platformOf(nodePlatform: string, nodeArch: string): Platform {
  return { os: nodePlatform === 'win32' ? 'windows' : nodePlatform, arch: goArchitectures[nodeArch] ?? nodeArch }
}
