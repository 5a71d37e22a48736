import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { sourceQuality } from '../../../store/source-quality.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { record, run } from '../../unit/ingest/sample-pipeline.ts'

const span = (traceId: string, spanId: string, attributes: object) => ({
  ...{ traceId, spanId, startTimeUnixNano: '1795165201000120000', endTimeUnixNano: '1795165202000120000' },
  attributes: Object.entries(attributes).map(([key, value]) => ({
    key,
    value: { stringValue: value as string },
  })),
})
const spans = (...all: object[]) => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: all }] }] })

it('says by source and format what came, and what of it says too little', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gatewatch-sources-'))
  const database = await openMigratedStore(folder)
  try {
    const trace = 'a'.repeat(32)
    const batch = run(
      [
        ['{"mcp.method.name":"tools/call","occurred_at":"2026-11-20T03:12:01Z"}', 'calls'],
        ['{"gen_ai.tool.name":"echo"}', 'calls'],
        ['{"log":"{\\"gen_ai.tool.name\\":\\"echo\\"}","time":"2026-11-20T03:12:01Z"}', 'calls'],
        ['{"level":"info","msg":"listening"}', 'calls'],
        ['{"serverName":"s","level":"info","message":"m","timestamp":1}', 'calls'],
        // A part that belongs to the call of its trace, and one that belongs to none.
        [
          spans(
            span(trace, '1'.repeat(16), { 'mcp.method.name': 'tools/list' }),
            span(trace, '2'.repeat(16), {}),
          ),
          'otlp',
        ],
        [spans(span('b'.repeat(32), '3'.repeat(16), { 'http.route': '/' })), 'otlp'],
      ].map(([value = '', topic = ''], offset) => record(value, { topic, offset })),
    )
    await createBatchWriter(database).write(encodeBatch(batch), 'block')
    const found = await sourceQuality(
      database,
      'acme',
      '2026-01-01T00:00:00.000000Z',
      '2099-01-01T00:00:00.000000Z',
    )
    const byFormat = (format: string) => found.find(({ sourceFormat }) => sourceFormat === format)
    expect(byFormat('native')).toMatchObject({
      ...{ source: 'calls', calls: 3, incomplete: 1, withoutTime: 1, unwrapped: 1, deadLetters: 0 },
    })
    expect(byFormat('')).toMatchObject({ calls: 0, deadLetters: 1, notCalls: 0 })
    expect(byFormat('metamcp')).toMatchObject({ deadLetters: 1, notCalls: 1 })
    expect(byFormat('otlp-json')).toMatchObject({ source: 'otlp', partsWithoutCall: 1 })
    expect(
      await sourceQuality(database, 'other', '2026-01-01T00:00:00.000000Z', '2099-01-01T00:00:00.000000Z'),
    ).toEqual([])
  } finally {
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
})
