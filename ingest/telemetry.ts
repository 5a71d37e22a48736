import type { DeadLetter } from './record.ts'

/** What a part of the ingest needs of a logger; pino fits. */
export interface IngestLogger {
  info(fields: Record<string, unknown>, text: string): void
  warn(fields: Record<string, unknown>, text: string): void
  error(fields: Record<string, unknown>, text: string): void
}

/** Adds to a counter. `name` is one of `INGEST_COUNTERS`. */
export type CountIngest = (name: IngestCounter, by: number, labels: Readonly<Record<string, string>>) => void

/** The counters of the ingest, with their meaning; whoever exports metrics registers them from here. */
export const INGEST_COUNTERS = {
  records_read: 'Records read from a source',
  rows_stored: 'Rows handed to the store, replays included',
  duplicates: 'Events left out because they were stored before',
  id_conflicts: 'Events stored under an id of their own, because another event had theirs with other content',
  values_not_linked:
    'Hidden values that have no token of their own, because their source had too many within the hour',
  dead_letters: 'Records that could not become events, by source and reason',
  rows_rejected: 'Rows that the store refused and that became dead letters',
  store_retries: 'Inserts repeated after a failure of the store',
  offset_gaps: 'Kafka offsets that were gone before they could be read',
  offset_restarts: 'Kafka partitions whose offsets started again, because the topic was made anew',
  records_unreadable: 'Kafka records in batches that are damaged or become too large; dead letters',
  rebalances: 'Assignments of Kafka partitions received',
  calls_assembled: 'Versions of calls put together from their parts',
  parts_late: 'Calls that a part came too late for: the others have ended, the event stays as it is',
  calls_incomplete: 'Of these, versions in which no part says who called or how the call ended',
} as const

export type IngestCounter = keyof typeof INGEST_COUNTERS

/** One function an event of the ingest, so that the log line and the counter cannot drift apart. */
export interface IngestTelemetry {
  recordsRead(source: string, count: number): void
  rowsStored(
    source: string,
    rows: { stored: number; duplicates: number; conflicts: number; rejected: number },
  ): void
  deadLettered(letters: readonly Pick<DeadLetter, 'topic' | 'reason' | 'weight'>[]): void
  /** A source has as many tokens within this hour as it may. */
  valueNotLinked(source: string): void
  /** Called at each failed attempt; logs the first of a row of failures and every tenth. */
  storeFailed(source: string, attempt: number, message: string): void
  storeRecovered(source: string, attempts: number): void
  logRecovered(fields: { segments: number; rows: number; cutBytes: number }): void
  logFault(message: string): void
  brokerFailed(attempt: number, message: string): void
  assigned(partitions: readonly string[]): void
  offsetGap(partition: string, from: number, to: number): void
  /** `from` is the offset that does not exist any more, `to` the one that reading goes on at. */
  offsetsRestarted(partition: string, from: number, to: number): void
  batchUnreadable(partition: string, records: number, message: string): void
  /** The encoder failed on a record of the block that begins at `from`; it is read again, the record becomes a dead letter. */
  recordNotEncoded(partition: string, from: number, message: string): void
  partitionHalted(partition: string, message: string): void
  topicsChanged(fields: { topics: readonly string[]; missing: readonly string[] }): void
  intentReplayed(partition: string, from: number, to: number): void
  assembled(fields: { calls: number; corrected: number; incomplete: number }): void
  /** For so many calls a part came after the others had ended. */
  partsLate(calls: number): void
}

export function createIngestTelemetry(logger: IngestLogger, count: CountIngest = () => {}): IngestTelemetry {
  return {
    recordsRead: (source, records) => count('records_read', records, { source }),
    rowsStored: (source, { stored, duplicates, conflicts, rejected }) => {
      count('rows_stored', stored, { source })
      if (duplicates > 0) count('duplicates', duplicates, { source })
      if (conflicts > 0) {
        count('id_conflicts', conflicts, { source })
        logger.warn(
          { source, conflicts },
          'events with the id of another event and other content; both are kept, search for conflicting_event_id:*',
        )
      }
      if (rejected > 0) {
        count('rows_rejected', rejected, { source })
        logger.warn({ source, rejected }, 'the store refused rows; they are dead letters now')
      }
    },
    deadLettered: (letters) => {
      for (const { topic, reason, weight = 1 } of letters)
        count('dead_letters', weight, { source: sourceOf(topic), reason })
    },
    valueNotLinked: (source) => count('values_not_linked', 1, { source }),
    storeFailed: (source, attempt, message) => {
      count('store_retries', 1, { source })
      if (attempt === 1 || attempt % 10 === 0) {
        logger.warn(
          { source, attempt, reason: message },
          'the store does not take rows; trying again, nothing is lost',
        )
      }
    },
    storeRecovered: (source, attempts) => logger.info({ source, attempts }, 'the store takes rows again'),
    logRecovered: (fields) => logger.info(fields, 'replaying what the last run had accepted but not stored'),
    logFault: (message) => logger.error({ reason: message }, 'a part of the ingest failed'),
    brokerFailed: (attempt, message) => {
      if (attempt === 1 || attempt % 10 === 0) {
        logger.warn({ attempt, reason: message }, 'Kafka is not reachable or refused us; trying again')
      }
    },
    assigned: (partitions) => {
      count('rebalances', 1, {})
      logger.info({ partitions }, 'Kafka partitions assigned')
    },
    offsetGap: (partition, from, to) => {
      count('offset_gaps', to - from, { partition })
      logger.error(
        { partition, from, to },
        'records were deleted from Kafka before they could be read; raise the retention of the topic',
      )
    },
    offsetsRestarted: (partition, from, to) => {
      count('offset_restarts', 1, { partition })
      logger.warn(
        { partition, from, to },
        'the offsets of a partition start again: the topic was made anew; reading it from its beginning',
      )
    },
    batchUnreadable: (partition, records, message) => {
      count('records_unreadable', records, { partition })
      logger.error(
        { partition, records, reason: message },
        'a batch cannot be read; its records are dead letters',
      )
    },
    recordNotEncoded: (partition, from, message) =>
      logger.error(
        { partition, from, reason: message },
        'a record cannot be encoded for the store; reading its block again to make it a dead letter',
      ),
    partitionHalted: (partition, message) =>
      logger.error({ partition, reason: message }, 'a partition stands still; the others go on'),
    topicsChanged: ({ topics, missing }) => {
      if (missing.length === 0) logger.info({ topics }, 'topics to read')
      else logger.warn({ topics, missing }, 'topics to read; those missing do not exist on the brokers')
    },
    intentReplayed: (partition, from, to) =>
      logger.info(
        { partition, from, to },
        'repeating an insert whose outcome the last owner did not confirm',
      ),
    partsLate: (calls) => {
      count('parts_late', calls, {})
      logger.warn(
        { calls },
        'parts came too late for their calls; what is stored of the calls stays as it is',
      )
    },
    assembled: (fields) => {
      count('calls_assembled', fields.calls, {})
      if (fields.incomplete > 0) count('calls_incomplete', fields.incomplete, {})
      if (fields.corrected > 0) logger.info(fields, 'calls completed or corrected from late parts')
    },
  }
}

// Files come and go, and a process has a topic of its own for HTTP: labels must not pile up.
function sourceOf(topic: string): string {
  if (topic.startsWith('file:')) return 'file'
  return /^http-[0-9a-f]{8}-[0-9a-f]{4}-/.test(topic) ? 'http' : topic
}

/** For tests and tools that watch something else. */
export const silentTelemetry: IngestTelemetry = createIngestTelemetry({
  info: () => {},
  warn: () => {},
  error: () => {},
})
