import type { OperationalIssue } from '../../../alerts/operational.ts'
import type { Clock } from '../../../core/clock.ts'
import { inertText } from '../../../core/text.ts'
import { fromMillis } from '../../../core/timestamp.ts'
import type { Database } from '../../../store/database.ts'
import { listDeadLetters, type StoredDeadLetter } from '../../../store/dead-letters.ts'
import type { OperationalCheck } from '../operational.ts'

const DAY_MS = 86_400_000

/** Records that Kafka deleted before they were read, in the last day: each range is told, however small. */
export const lostRecordsCheck =
  (database: Database, clock: Clock): OperationalCheck =>
  async () => {
    const from = fromMillis(clock.now() - DAY_MS)
    return (await listDeadLetters(database, { reason: 'records_lost', from, limit: 1000 })).map(lossOf)
  }

function lossOf({
  tenant,
  topic,
  partition,
  offset,
  message,
  recordedAt,
}: StoredDeadLetter): OperationalIssue {
  const topicText = inertText(topic, 100)
  return {
    code: 'records-lost',
    tenant,
    title: `Records of ${topicText}/${partition} were lost: ${inertText(message, 300)}`,
    entity: { type: 'source', id: topic },
    severity: 'high',
    window: { start: recordedAt, end: recordedAt },
    dedupKey: `${topic}/${partition}/${offset}`,
    count: 1,
    explanation: {
      observed: inertText(message, 300),
      expected: 'Every record is read before the retention of its topic ends.',
      history: 'the offsets that the group had committed',
      silenced_by: 'a retention of the topic that is longer than gatewatch may be away or behind',
      next: 'Raise retention.ms of the topic; docs/operations.md, Kafka',
    },
  }
}
