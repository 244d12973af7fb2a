/** The audit log as it is configured, and what reads it. */
import type { ApiConfig } from '../config.ts'
import { type AuditLog, auditLog } from './audit-log.ts'
import { fileSink, stdoutSink } from './audit-sinks.ts'
import { type AuditTrail, fileTrail, memoryTrail } from './audit-trail.ts'

export interface OpenAudit {
  readonly log: AuditLog
  readonly trail: AuditTrail
  /** For each line, where the trail is kept in memory. */
  readonly remember: ((line: string) => void) | undefined
}

/** Throws one line when the file cannot be opened. */
export async function openAudit(
  config: Pick<ApiConfig, 'auditLog' | 'auditRotateMib' | 'auditKeep'>,
  onError: (error: unknown) => void,
): Promise<OpenAudit> {
  const { auditLog: path, auditRotateMib, auditKeep: keep } = config
  if (path === 'stdout') {
    const trail = memoryTrail()
    return { log: auditLog({ sink: stdoutSink(process.stdout), onError }), trail, remember: trail.remember }
  }
  try {
    const sink = await fileSink({ path, rotateBytes: auditRotateMib * 1024 * 1024, keep })
    const log = auditLog({ sink, onError })
    return { log, trail: fileTrail({ path, keep, written: log.written }), remember: undefined }
  } catch (error) {
    throw new Error(`SKYCLUST_AUDIT_LOG: ${error instanceof Error ? error.message : String(error)}`)
  }
}
