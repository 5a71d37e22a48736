import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createManualClock, systemClock } from '../../../core/clock.ts'
import type { Format } from '../../../ingest/format.ts'
import { FORMATS } from '../../../ingest/formats/registry.ts'
import { createPipeline } from '../../../ingest/pipeline.ts'
import type { DeadLetter } from '../../../ingest/record.ts'
import { createReplay } from '../../../ingest/replay.ts'
import { openSegmentLog, type SegmentLog } from '../../../ingest/segment-log.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import type { Database } from '../../../store/database.ts'
import {
  countDeadLetters,
  countDeadLettersBy,
  findDeadLetters,
  keepDeadLetters,
  listDeadLetters,
  markReplayed,
} from '../../../store/dead-letters.ts'
import { createBatchWriter, createBlockEncoder, encodeBatch } from '../../../store/event-writer.ts'
import { createKnownEvents } from '../../../store/known-events.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { LOCAL, startApi } from '../../unit/api/api-fixture.ts'
import { catalogue, RECEIVED_MS, record } from '../../unit/ingest/sample-pipeline.ts'

// A format that nobody had written when the records came: `call <tool> by <user>`, several with `;`.
const shouted: Format = {
  name: 'shouted',
  reads: 'text',
  recognises: ({ text }) => text?.startsWith('call ') ?? false,
  decode: ({ text = '' }) =>
    text.split(';').map((call) => {
      const [, tool, , user] = call.trim().split(' ')
      return user === undefined
        ? { kind: 'fault', reason: 'field_missing', field: 'user.id', message: 'Nobody called.' }
        : { kind: 'event', draft: { 'gen_ai.tool.name': tool ?? '', 'user.id': user } }
    }),
}

const pipelineWith = (...formats: Format[]) =>
  createPipeline({
    catalogue,
    redactionKey: { id: 'k1', secret: Buffer.alloc(32, 7) },
    clock: createManualClock(RECEIVED_MS),
    formats: [...FORMATS, ...formats],
  })
const before = pipelineWith()
const after = pipelineWith(shouted)

let folder: string
let database: Database
let segments: SegmentLog
let api: Awaited<ReturnType<typeof startApi>>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-letters-'))
  database = await openMigratedStore(join(folder, 'store'))
  segments = await openSegmentLog({
    folder: join(folder, 'log'),
    encode: encodeBatch,
    write: createBatchWriter(database).write,
    compare: createKnownEvents(database, systemClock),
    sealMs: 20,
    telemetry: silentTelemetry,
  })
  let number = 0
  api = await startApi({
    deadLetters: {
      list: (filter) => listDeadLetters(database, filter),
      byIds: (tenant, ids) => findDeadLetters(database, tenant, ids),
      counts: (tenant) => countDeadLetters(database, tenant),
      countsBy: (scope) => countDeadLettersBy(database, scope),
    },
    deadLetterReplays: {
      run: (letters, by) =>
        createReplay({
          pipeline: after,
          segments,
          formatOf: (topic) => (topic === 'pinned' ? 'shouted' : undefined),
          note: (tried, outcomes) =>
            markReplayed(
              database,
              outcomes.flatMap(({ outcome, ...rest }, index) =>
                outcome === 'not_replayable'
                  ? []
                  : [
                      {
                        tenant: tried[index]?.tenant ?? '',
                        outcome,
                        reason: '',
                        field: '',
                        message: '',
                        ...rest,
                      },
                    ],
              ),
              { by, token: `test-${number++}` },
            ),
        }).run(letters),
    },
  })
})
afterAll(async () => {
  await api.app.close()
  await segments.close()
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

async function arrive(...records: Parameters<typeof record>[]) {
  const { stored } = await segments.append(before(records.map((each) => record(...each))))
  await stored
  await segments.flush()
}

const call = async (method: 'GET' | 'POST', url: string, payload?: object, tenant = 'acme') => {
  const credential = api.tokenFor(['dead-letters:read', 'dead-letters:write'], tenant)
  const answer = await api.app.inject({
    method,
    url,
    headers: { ...LOCAL, authorization: `Bearer ${credential}` },
    ...(payload === undefined ? {} : { payload }),
  })
  const { paths = {} } = api.app.swagger() as { paths?: Record<string, Record<string, unknown>> }
  const path = url.split('?')[0]?.replace(/\/[0-9a-f]{32}$/, '/{dead_letter_id}') ?? ''
  const operation = paths[path]?.[method.toLowerCase()] as {
    responses: Record<string, { content: Record<string, { schema: object }> }>
  }
  const schema = operation.responses['200']?.content['application/json']?.schema
  if (answer.statusCode === 200) {
    const validate = new Ajv2020({ strict: false }).compile(schema ?? false)
    validate(answer.json())
    expect(validate.errors).toBeNull()
  }
  return { status: answer.statusCode, body: answer.json() as Record<string, never> }
}
const idsOf = (body: Record<string, unknown>) =>
  (body['dead_letters'] as { dead_letter_id: string }[]).map(({ dead_letter_id }) => dead_letter_id)
const events = (topic: string) =>
  database.query<{
    event_id: string
    tool: string
    offset: number
    record_index: number
    occurred_at: string
  }>(
    'SELECT event_id, gen_ai_tool_name AS tool, offset, record_index, occurred_at FROM events WHERE topic = {topic:String} ORDER BY offset, record_index',
    { topic },
  )

describe('a record that a later format reads', () => {
  const topic = 'calls'
  it('is a dead letter until it is replayed, then an event, once, with its own time and coordinates', async () => {
    await arrive(
      ['call alpha by u1', { topic, offset: 7, timestampMs: RECEIVED_MS - 5000, timestampSource: 'broker' }],
      ['call beta', { topic, offset: 8 }],
      ['never', { topic, offset: 9 }],
    )
    expect(await events(topic)).toEqual([])
    const first = await call('POST', '/v1/dead-letters/replay', { topic })
    expect(first.body).toMatchObject({ replayed: 1, failed: 2, not_replayable: 0, stored: 1, duplicate: 0 })
    const stored = await events(topic)
    expect(stored).toEqual([
      expect.objectContaining({
        tool: 'alpha',
        offset: 7,
        record_index: 0,
        occurred_at: '2026-11-29 23:59:55.000000',
      }),
    ])
    const direct = after([
      record('call alpha by u1', {
        topic,
        offset: 7,
        timestampMs: RECEIVED_MS - 5000,
        timestampSource: 'broker',
      }),
    ])
    expect(stored[0]?.event_id).toBe(direct.events[0]?.event_id)
  })

  it('leaves the list, and the others say why they failed this time', async () => {
    const { body } = await call('GET', `/v1/dead-letters?topic=${topic}`)
    expect(body['dead_letters']).toHaveLength(2)
    expect(body['dead_letters']).toContainEqual(
      expect.objectContaining({
        offset: 8,
        reason: 'field_missing',
        field: 'user.id',
        replay: { at: expect.stringMatching(/^2\d{3}-.*Z$/), by: 'alice', outcome: 'failed' },
      }),
    )
    expect(body['counts']).toEqual({ field_missing: 1, record_not_json: 1 })
    const replayed = await call('GET', `/v1/dead-letters?topic=${topic}&status=replayed`)
    expect(replayed.body['dead_letters']).toEqual([
      expect.objectContaining({ offset: 7, replay: expect.objectContaining({ outcome: 'replayed' }) }),
    ])
    expect(idsOf((await call('GET', `/v1/dead-letters?reason=field_missing`)).body)).toHaveLength(1)
    expect(idsOf((await call('GET', `/v1/dead-letters?topic=${topic}&status=all`)).body)).toHaveLength(3)
  })

  it('is not stored again by a second replay, nor by the record itself coming again', async () => {
    const { body } = await call('GET', `/v1/dead-letters?topic=${topic}&status=replayed`)
    const again = await call('POST', '/v1/dead-letters/replay', { ids: idsOf(body) })
    expect(again.body).toMatchObject({ replayed: 1, failed: 0, stored: 0, duplicate: 1 })
    expect(await events(topic)).toHaveLength(1)
  })

  it('belongs to its tenant', async () => {
    const { body } = await call('GET', `/v1/dead-letters?topic=${topic}&status=all`)
    const [id = ''] = idsOf(body)
    expect((await call('GET', `/v1/dead-letters/${id}`, undefined, 'stranger')).status).toBe(404)
    const other = await call('POST', '/v1/dead-letters/replay', { ids: [id] }, 'stranger')
    expect(other.body).toMatchObject({ replayed: 0, failed: 0, results: [] })
  })
})

describe('pieces of a record', () => {
  it('take indices that no other piece has, and each is stored once', async () => {
    const topic = 'pieces'
    const good = '{"gen_ai.tool.name":"echo","user.id":"u1"}'
    await arrive([`${good}\ncall a by u1; call b by u2; call c by u3\n${good}`, { topic, offset: 1 }])
    expect(await events(topic)).toHaveLength(2)
    const { body } = await call('POST', '/v1/dead-letters/replay', { topic })
    expect(body).toMatchObject({ replayed: 1, stored: 3, duplicate: 0 })
    const stored = await events(topic)
    expect(stored.map(({ tool }) => tool).sort()).toEqual(['a', 'b', 'c', 'echo', 'echo'])
    expect(new Set(stored.map(({ record_index }) => record_index)).size).toBe(5)
    expect((await call('POST', '/v1/dead-letters/replay', { topic })).body).toMatchObject({ results: [] })
  })

  it('that were hidden behind a fault of the whole get letters of their own', async () => {
    const topic = 'hidden'
    await arrive(['call a by u1; call b; call c by u3', { topic, offset: 1 }])
    const { body } = await call('POST', '/v1/dead-letters/replay', { topic })
    expect(body).toMatchObject({ replayed: 1, failed: 0, stored: 2 })
    await segments.flush()
    const left = await call('GET', `/v1/dead-letters?topic=${topic}`)
    expect(left.body['dead_letters']).toEqual([
      expect.objectContaining({ record_index: 1, reason: 'field_missing' }),
    ])
  })
})

describe('the configuration of now', () => {
  it('decides the format of a topic, and a header of the record where it says nothing', async () => {
    await arrive(
      ['call a by u1', { topic: 'pinned', offset: 1, format: 'native' }],
      ['call b by u1', { topic: 'named', offset: 1, headers: { 'x-gatewatch-format': 'native' } }],
    )
    expect((await call('POST', '/v1/dead-letters/replay', { topic: 'pinned' })).body).toMatchObject({
      replayed: 1,
    })
    expect((await call('POST', '/v1/dead-letters/replay', { topic: 'named' })).body).toMatchObject({
      failed: 1,
    })
  })
})

describe('letters of which too little is kept', () => {
  it('are not tried, and it is said where the record is', async () => {
    const topic = 'large'
    await arrive([`call a by ${'u'.repeat(70_000)}`, { topic, partition: 3, offset: 12 }])
    const { body } = await call('POST', '/v1/dead-letters/replay', { topic })
    expect(body).toMatchObject({
      not_replayable: 1,
      results: [{ message: expect.stringContaining('large, partition 3, offset 12') }],
    })
    const [id = ''] = idsOf((await call('GET', `/v1/dead-letters?topic=${topic}`)).body)
    const one = await call('GET', `/v1/dead-letters/${id}`)
    expect(one.body).toMatchObject({ kept: 'beginning', record_bytes: 70_010 })
    expect(String(one.body['record']).length).toBe(64 * 1024)
  })
})

describe('the view of a record', () => {
  it('shows bytes that are no text, and hides nothing that a terminal would act on', async () => {
    const topic = 'view'
    const bytes = Buffer.concat([
      Buffer.from('a\u001b[31m\u202eb\n'),
      Buffer.from([0xff, 0xc3]),
      Buffer.from('é'),
    ])
    await arrive([
      bytes,
      { topic, headers: { ce_type: 'call', authorization: 'Bearer abcdefghijklmnop0123456789' } },
    ])
    const [id = ''] = idsOf((await call('GET', `/v1/dead-letters?topic=${topic}`)).body)
    const { body } = await call('GET', `/v1/dead-letters/${id}`)
    expect(body['record_encoding']).toBe('base64')
    expect(body['view']).toBe('a\\u{1b}[31m\\u{202e}b\n\\xff\\xc3é')
    expect(body['headers']).toMatchObject({ ce_type: 'call' })
    expect(JSON.stringify(body)).not.toContain('abcdefghijklmnop')
  })
})

describe('search', () => {
  it('finds text in record and message, in bytes too, and pages through it all', async () => {
    const topic = 'search'
    const records = Array.from(
      { length: 45 },
      (_, offset) => [`needle ${offset}`, { topic, offset }] as const,
    )
    await arrive(...records.map(([text, more]): Parameters<typeof record> => [text, more]))
    await arrive([Buffer.concat([Buffer.from('NEEDLE'), Buffer.from([0xff])]), { topic, offset: 99 }])
    await arrive(['hay', { topic, offset: 100 }])
    const found: string[] = []
    for (let cursor = '', pages = 0; pages < 10; pages++) {
      const { body } = await call(
        'GET',
        `/v1/dead-letters?topic=${topic}&text=needle&limit=20${cursor && `&cursor=${cursor}`}`,
      )
      found.push(...idsOf(body))
      cursor = body['next_cursor'] ?? ''
      if (cursor === '') break
    }
    expect(new Set(found).size).toBe(46)
    expect(found).toHaveLength(46)
    const byMessage = await call('GET', `/v1/dead-letters?topic=${topic}&text=NOT%20VALID%20utf`)
    expect(idsOf(byMessage.body)).toHaveLength(1)
    const later = new Date(Date.now() + 60_000).toISOString()
    expect(idsOf((await call('GET', `/v1/dead-letters?topic=${topic}&from=${later}`)).body)).toEqual([])
    expect((await call('GET', '/v1/dead-letters?limit=5000')).status).toBe(400)
  })
})

describe('a poison topic', () => {
  const flood = (count: number, spanMs: number): DeadLetter[] =>
    before(
      Array.from({ length: count }, (_, offset) =>
        record('poison', {
          topic: 'poison',
          offset,
          timestampSource: 'broker',
          timestampMs: RECEIVED_MS + Math.floor((offset * spanMs) / count),
        }),
      ),
    ).deadLetters as DeadLetter[]

  it('is counted exactly and kept as a sample; the same block again changes nothing', async () => {
    const deadLetters = flood(20_000, 1000)
    const blocks = [0, 1].map(() => {
      const encoder = createBlockEncoder()
      for (let at = 0; at < deadLetters.length; at += 500)
        encoder.add({ events: [], parts: [], deadLetters: deadLetters.slice(at, at + 500) })
      return encoder.finish()
    })
    expect(blocks[0]).toEqual(blocks[1])
    for (const block of blocks) await createBatchWriter(database).write(block, 'poison/0/0-19999')
    const [count] = await countDeadLettersBy(database, { topic: 'poison' })
    expect(count).toMatchObject({ count: 20_000, reason: 'record_not_json' })
    expect(count?.kept).toBeGreaterThanOrEqual(20)
    expect(count?.kept).toBeLessThan(100)
    const [row] = await database.query<{ rows: number }>(
      "SELECT toUInt32(count()) AS rows FROM dead_letters WHERE topic = 'poison'",
    )
    expect(row?.rows).toBe((count?.kept ?? 0) + 1)
    const letters = await listDeadLetters(database, { topic: 'poison', limit: 1000 })
    const others = letters.filter(({ kept }) => kept === 'nothing')
    expect(others).toEqual([expect.objectContaining({ lastOffset: 19_999, record: '' })])
    const replayed = await call('POST', '/v1/dead-letters/replay', { ids: [others[0]?.deadLetterId] })
    expect(replayed.body).toMatchObject({
      not_replayable: 1,
      results: [{ message: expect.stringMatching(/offsets \d+ to 19999/) }],
    })
  })
})

describe('retention', () => {
  it('is what it is told, without a statement where it is that already', async () => {
    const ttlOf = async (table: string) => {
      const [row] = await database.query<{ q: string }>(
        'SELECT create_table_query AS q FROM system.tables WHERE database = currentDatabase() AND name = {table:String}',
        { table },
      )
      return /TTL (.*?) SETTINGS/.exec(row?.q ?? '')?.[1]
    }
    const commands: string[] = []
    const watched: Database = {
      ...database,
      command: (sql, params) => {
        commands.push(sql)
        return database.command(sql, params)
      },
    }
    await keepDeadLetters(watched, 30)
    expect(commands).toEqual([])
    await keepDeadLetters(watched, 7)
    expect(await ttlOf('dead_letters')).toContain('toIntervalDay(7)')
    expect(await ttlOf('dead_letter_replays')).toContain('toIntervalDay(7)')
    await keepDeadLetters(watched, 7)
    expect(commands).toHaveLength(2)
  })

  it('removes what is older', async () => {
    await database.insert({
      table: 'dead_letters',
      columns: ['dead_letter_id', 'tenant', 'topic', 'recorded_at', 'reason'],
      rows: Buffer.from('["old","t","expired","2026-01-01 00:00:00","internal"]\n'),
      token: 'old',
    })
    await database.command('OPTIMIZE TABLE dead_letters FINAL')
    expect(await listDeadLetters(database, { topic: 'expired' })).toEqual([])
  })
})
