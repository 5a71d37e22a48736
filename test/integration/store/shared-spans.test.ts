import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { sharedSpansCheck } from '../../../app/wire/operational-checks/shared-spans.ts'
import { createManualClock } from '../../../core/clock.ts'
import { createSources } from '../../../core/sources.ts'
import type { Database } from '../../../store/database.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { sharedSpans } from '../../../store/shared-spans.ts'
import { smallEvent } from '../../helpers/events.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

let database: Database
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-spans-'))
  database = await openMigratedStore(join(folder, 'store'))
  const at = new Date().toISOString()
  const event = (id: string, topic: string, span: string, actor: string) =>
    smallEvent({
      ...{ event_id: id, tenant: 'acme', topic, actor, occurred_at: at, offset: Number(id) },
      ...(span === '' ? {} : { trace_id: 't'.repeat(32), span_id: span }),
    })
  const events = [
    ...[event('1', 'http-a', 's1', 'mallory'), event('2', 'http-b', 's1', 'bob')],
    ...[event('3', 'http-a', 's2', 'ada'), event('4', 'http-b', 's2', 'ada')],
    // Twice by one source, and by one only; without a span; by the topics of one source.
    ...[
      event('5', 'http-a', 's3', 'ada'),
      event('6', 'http-a', 's3', 'bob'),
      event('7', 'http-b', 's4', 'ada'),
    ],
    ...[event('8', 'http-a', '', 'ada'), event('9', 'http-b', '', 'ada')],
    ...[event('10', 'calls', 's5', 'ada'), event('11', 'spans', 's5', 'bob')],
  ]
  const blocks = encodeBatch({ events, parts: [], deadLetters: [] })
  await createBatchWriter(database).write(blocks, 'shared-spans')
})
afterAll(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

it('says which topics reported one span, and of how many they do not say the same', async () => {
  expect(
    (await sharedSpans(database)).map(({ from: _from, to: _to, traceId: _trace, ...row }) => row),
  ).toEqual([
    { tenant: 'acme', topics: ['http-a', 'http-b'], spans: 2, different: 1, spanId: 's1' },
    { tenant: 'acme', topics: ['calls', 'spans'], spans: 1, different: 1, spanId: 's5' },
  ])
})

it('is an issue that names both, but of sources that belong together', async () => {
  const sources = createSources({ together: [['calls', 'spans']] })
  const clock = createManualClock(Date.now())
  const check = sharedSpansCheck(database, sources, clock)
  const issues = await check()
  expect(issues).toMatchObject([
    {
      ...{ code: 'shared-spans', tenant: 'acme', severity: 'high', count: 1 },
      title:
        'http-a and http-b report the same spans, 1 or more, 1 or more of them with other content; each is kept as a call of its own',
      entity: { type: 'source', id: 'http-a and http-b' },
      explanation: { observed: { span_id: 's1' } },
    },
  ])
  expect(await check()).toBe(issues)
})
