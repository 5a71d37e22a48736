import { expect, it } from 'vitest'
import { checkKafka } from '../../../../app/wire/ingest.ts'
import type { KafkaPartitionStatus, KafkaSourceStatus } from '../../../../ingest/sources/kafka.ts'

const partition = (changes: Partial<KafkaPartitionStatus>): KafkaPartitionStatus => ({
  ...{ topic: 't', partition: 0, highWatermark: 10, lag: 0, stored: 10, lost: 0 },
  ...{ waitingRows: 0, waitingBytes: 0, paused: false, failedInserts: 0 },
  ...{ lastError: undefined, halted: undefined },
  ...changes,
})
const check = (changes: Partial<KafkaSourceStatus>) =>
  checkKafka({
    ...{ state: 'running', ready: true, missingTopics: [], lastError: undefined },
    partitions: [partition({}), partition({ partition: 1 })],
    ...changes,
  })

it('finds nothing wrong with a member that reads', () => {
  expect(check({})).toEqual([])
})

it('fails while the group is not joined, and says why', () => {
  expect(check({ ready: false, state: 'retrying', lastError: 'no broker' })).toEqual([
    { state: 'failing', reason: 'kafka_not_joined', detail: 'retrying: no broker' },
  ])
})

it('is degraded by a partition that stands still, and fails when all of them do', () => {
  const halted = partition({ partition: 3, halted: 'no such type' })
  const trouble = { reason: 'partition_halted', detail: 't/3 stands still: no such type' }
  expect(check({ partitions: [partition({}), halted] })).toEqual([{ state: 'degraded', ...trouble }])
  expect(check({ partitions: [halted] })).toEqual([{ state: 'failing', ...trouble }])
})

it('is degraded by a partition whose inserts fail again and again', () => {
  const failing = { failedInserts: 5, lastError: 'no such table' }
  expect(check({ partitions: [partition(failing)] })).toEqual([
    {
      state: 'degraded',
      reason: 'partition_not_stored',
      detail: 't/0 is not stored after 5 attempts: no such table',
    },
  ])
  expect(check({ partitions: [partition({ ...failing, failedInserts: 4 })] })).toEqual([])
})
