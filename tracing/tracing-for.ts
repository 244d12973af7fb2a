/** Traces as the settings have them: none, or opened for a process. */
import { readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import type { SettingValues } from '../config/settings.ts'
import { spansUrl, type tracingSettings } from './settings.ts'
import { openTracing, type Tracing } from './tracing.ts'

/** @param service `service.name` of the process */
export async function tracingFor(
  service: string,
  config: SettingValues<typeof tracingSettings>,
  log: Pick<Logger, 'warn'>,
): Promise<Tracing | undefined> {
  const url = spansUrl(config)
  if (url === undefined) return undefined
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(manifest) as { readonly version: string }
  return openTracing({ url, service, version, onError: (error) => log.warn({ error }, 'traces could not be sent') })
}
