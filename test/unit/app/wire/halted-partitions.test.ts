import { expect, it } from 'vitest'
import { haltedPartitionsCheck } from '../../../../app/wire/operational-checks/halted-partitions.ts'
import { createManualClock } from '../../../../core/clock.ts'
import type { KafkaPartitionStatus } from '../../../../ingest/sources/kafka.ts'

const partition = (changes: Partial<KafkaPartitionStatus>): KafkaPartitionStatus => ({
  ...{ topic: 't', partition: 0, highWatermark: 10, lag: 0, stored: 10, lost: 0 },
  ...{ waitingRows: 0, waitingBytes: 0, paused: false, failedInserts: 0 },
  ...{ lastError: undefined, halted: undefined },
  ...changes,
})

it('raises an issue for each partition that stands still, the same all day, another the next', async () => {
  const clock = createManualClock(Date.UTC(2026, 10, 30, 12))
  const all = [partition({}), partition({ partition: 1, halted: 'no \u001b[2Jtype' })]
  const check = haltedPartitionsCheck(() => all, clock)
  const [issue, ...others] = await check()
  expect(others).toEqual([])
  expect(issue).toMatchObject({
    code: 'partition-halted',
    title: 't/1 is not read any more: no \\u{1b}[2Jtype',
    entity: { type: 'source', id: 't/1' },
  })
  clock.advance(3_600_000)
  expect(await check()).toEqual([issue])
  clock.advance(86_400_000)
  expect((await check())[0]?.window).not.toEqual(issue?.window)
})
