/**
 * A folder of providers, laid out as OpenTofu's `filesystem_mirror` and `SKYCLUST_TOFU_PLUGIN_DIR` want it, so that `tofu init` asks no registry.
 *
 * @see https://opentofu.org/docs/cli/config/config-file/#filesystem_mirror (unpacked layout)
 */
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Platform } from './platform.ts'
import { TIME_PROVIDER_VERSION } from './versions.ts'

/** Puts the program `terraform-provider-time` there, and answers with the folder. */
export async function providerMirror(
  program: string,
  { folder, platform }: { readonly folder: string; readonly platform: Platform },
): Promise<string> {
  const place = join(
    ...[folder, 'registry.opentofu.org', 'hashicorp', 'time'],
    ...[TIME_PROVIDER_VERSION, `${platform.os}_${platform.arch}`],
  )
  await mkdir(place, { recursive: true })
  await copyFile(program, join(place, `terraform-provider-time_v${TIME_PROVIDER_VERSION}`))
  return folder
}
