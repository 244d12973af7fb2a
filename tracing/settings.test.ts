import { describe, expect, it } from 'vitest'
import { readSettings } from '../config/settings.ts'
import { spansUrl, tracingSettings } from './settings.ts'

function urlIn(environment: Readonly<Record<string, string>>): string | undefined {
  const read = readSettings(tracingSettings, { program: 'api', about: '', environment, commandLine: [] })
  if (read.outcome !== 'read') throw new Error(JSON.stringify(read))
  return spansUrl(read.values)
}

describe('spansUrl', () => {
  it('is nowhere unless somebody says where', () => {
    expect(urlIn({})).toBeUndefined()
    expect(urlIn({ OTEL_EXPORTER_OTLP_ENDPOINT: '' })).toBeUndefined()
  })

  it('is the usual path of a collector, or exactly what is said for traces alone', () => {
    const OTEL_EXPORTER_OTLP_ENDPOINT = 'http://collector:4318/'
    expect(urlIn({ OTEL_EXPORTER_OTLP_ENDPOINT })).toBe('http://collector:4318/v1/traces')
    const OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = 'http://traces:4318/here'
    expect(urlIn({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT })).toBe('http://traces:4318/here')
  })
})
