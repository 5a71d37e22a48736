import type { EventField } from '../../core/audit-event.ts'

/** Ours to say, never the record's: whoever writes a record must not choose its tenant, its place or what is worked out. */
export const OWN_FIELDS: ReadonlySet<EventField> = new Set<EventField>([
  'conflicting_event_id',
  'recorded_at',
  'timestamp_source',
  'source_format',
  'tenant',
  'topic',
  'partition',
  'offset',
  'record_index',
  'imported',
  'actor',
  'chain',
  'argument_fingerprints',
  'result_fingerprints',
  'argument_flags',
  'record_flags',
])
