/**
 * Where traces go, by OpenTelemetry's own variables; nowhere by default.
 *
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
 */
import { type SettingValues, setting } from '../config/settings.ts'
import { url } from '../config/value-schemas.ts'

export const tracingSettings = {
  otlpEndpoint: setting('OTEL_EXPORTER_OTLP_ENDPOINT', {
    schema: url,
    help: "OpenTelemetry's own: where a collector takes OTLP over HTTP, such as http://otel-collector:4318; left out, no traces.",
  }),
  otlpTracesEndpoint: setting('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', {
    schema: url,
    help: "OpenTelemetry's own: the same for traces alone, with the path, such as http://otel-collector:4318/v1/traces.",
  }),
}

/** Where spans are posted; `undefined` when there are to be none. */
export function spansUrl(config: SettingValues<typeof tracingSettings>): string | undefined {
  const { otlpEndpoint, otlpTracesEndpoint } = config
  return otlpTracesEndpoint ?? (otlpEndpoint && `${otlpEndpoint}/v1/traces`)
}
