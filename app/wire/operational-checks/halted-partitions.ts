import { OPERATOR_TENANT } from '../../../alerts/operational.ts'
import type { Clock } from '../../../core/clock.ts'
import { stableId } from '../../../core/hash.ts'
import { inertText } from '../../../core/text.ts'
import { fromMillis } from '../../../core/timestamp.ts'
import type { KafkaPartitionStatus } from '../../../ingest/sources/kafka.ts'
import type { OperationalCheck } from '../operational.ts'

const DAY_MS = 86_400_000

/** Kafka partitions of this process that stand still: a finding for each of them and each day on which it does. */
export const haltedPartitionsCheck =
  (partitions: () => readonly KafkaPartitionStatus[], clock: Clock): OperationalCheck =>
  async () => {
    const today = fromMillis(Math.floor(clock.now() / DAY_MS) * DAY_MS)
    return partitions().flatMap(({ topic, partition, halted }) => {
      if (halted === undefined) return []
      const name = `${inertText(topic, 100)}/${partition}`
      const reason = inertText(halted, 300)
      return [
        {
          code: 'partition-halted',
          tenant: OPERATOR_TENANT,
          title: `${name} is not read any more: ${reason}`,
          entity: { type: 'source', id: `${topic}/${partition}` },
          severity: 'high',
          window: { start: today, end: today },
          dedupKey: stableId(name, reason),
          count: 1,
          explanation: {
            observed: reason,
            expected: 'Every partition is read.',
            history: 'since the partition was assigned to this process',
            silenced_by: 'a partition that is read',
            next: 'Note the reason, then start the process again: what was not read waits in Kafka.',
          },
        },
      ]
    })
  }
