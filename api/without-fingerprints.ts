import type { AuditEvent } from '../core/audit-event.ts'

/** The event as lists show it: a hash of a value tells who can guess the value that it is the right one. */
export function withoutFingerprints(event: AuditEvent): AuditEvent {
  const { argument_fingerprints: _ofArguments, result_fingerprints: _ofResult, ...others } = event
  return others
}
