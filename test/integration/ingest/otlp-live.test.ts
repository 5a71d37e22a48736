import { hash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSources } from '../../../core/sources.ts'
import { createAssembler } from '../../../ingest/assembler.ts'
import type { EventPart, RawRecord } from '../../../ingest/record.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import type { Database } from '../../../store/database.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { createPartStore } from '../../../store/parts.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { assemble, record, runWith, sample } from '../../unit/ingest/sample-pipeline.ts'

// What these gateways send to several topics is about the same calls, as their operator says.
const sources = createSources({ together: [['spans-*', 'log*', 'otlp_logs']] })
const run = runWith({ sources })

const SAMPLES = new URL('../../unit/ingest/samples/', import.meta.url)

let folder: string
let database: Database
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-live-'))
  database = await openMigratedStore(folder)
})
afterAll(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

// The same on every run, and nothing like the order of arrival.
const shuffled = <T>(items: readonly T[], seed: number): T[] =>
  items
    .map((item, index) => ({ item, order: Math.imul(index + 1, 2654435761 + seed * 40503) >>> 0 }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item)

const assembler = () =>
  createAssembler({
    store: createPartStore(database, undefined, sources),
    fold: assemble,
    telemetry: silentTelemetry,
    maxParts: 60,
  })

let inserts = 0
/** Parts in inserts of seven, from two consumers in turn, assembled in between by a process that is often started anew. */
async function arrive(parts: readonly EventPart[]): Promise<void> {
  const writer = createBatchWriter(database)
  let instance = assembler()
  for (let first = 0; first < parts.length; first += 7) {
    const batch = { events: [], parts: parts.slice(first, first + 7), deadLetters: [] }
    await writer.write(encodeBatch(batch), `live-${inserts++}`)
    if (inserts % 3 === 0) await instance.tick()
    if (inserts % 5 === 0) instance = assembler()
  }
  while ((await instance.tick()).more) {}
}

const NONE: readonly [string, string, string] = ['', '', '']

interface Row {
  readonly event_id: string
  readonly actor: string
  readonly tool: string
  readonly raw: string
  readonly outcome: string
  readonly trace_id: string
  readonly span_id: string
  readonly keys: readonly string[]
  readonly address: string
}

const callsOf = (tenant: string): Promise<Row[]> =>
  database.query<Row>(
    `SELECT event_id, actor, gen_ai_tool_name AS tool, tool_name_raw AS raw, outcome, trace_id, span_id,
            argument_keys AS keys, client_address AS address
     FROM events WHERE tenant = {tenant:String} AND mcp_method_name = 'tools/call' AND sign = 1
       AND (event_id, version) NOT IN (SELECT event_id, version FROM events WHERE tenant = {tenant:String} AND sign = -1)
     ORDER BY event_id`,
    { tenant },
  )

async function recordsOf(folderName: string, end: string, tenant: string): Promise<RawRecord[]> {
  const names = (await readdir(new URL(folderName, SAMPLES))).filter((name) => name.endsWith(end)).sort()
  return names.map((name, offset) =>
    // Two topics, as two consumers would have them.
    record(sample(`${folderName}/${name}`), {
      tenant,
      offset,
      topic: offset % 2 === 0 ? 'spans-a' : 'spans-b',
    }),
  )
}

const expectedOf = (name: string) => JSON.parse(sample(`${name}/expected.json`).toString('utf8'))

const count = (rows: readonly Row[], keyOf: (row: Row) => string): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const row of rows) counts[keyOf(row)] = (counts[keyOf(row)] ?? 0) + 1
  return counts
}

// The clients know a tool by the name of its server's; a refused call never got as far as that name.
const clientName = (tool: string) => tool.replace(/^crm-/, '').replaceAll('-', '_')

describe.each([1, 2])('in a shuffled order (%i)', (seed) => {
  it('ContextForge: each of 30 calls once, as the clients know them', async () => {
    const tenant = `contextforge-${seed}`
    const batch = run(await recordsOf('contextforge-live', '.body', tenant))
    expect([batch.deadLetters.length, batch.events.length]).toEqual([0, 0])
    await arrive(shuffled(batch.parts, seed))
    const calls = await callsOf(tenant)
    const { called } = expectedOf('contextforge-live')
    for (const [person, word] of [
      ['admin@example.com', { ok: 'success', tool_error: 'failure' }],
      ['bob@example.com', { protocol_error: 'denied' }],
    ] as const) {
      const expected: Record<string, number> = {}
      for (const [key, calls] of Object.entries<number>(called[person].counts)) {
        const [tool, result] = key.split(':')
        if (result !== undefined) expected[`${tool}:${(word as Record<string, string>)[result]}`] = calls
      }
      const mine = calls.filter(({ actor }) => actor === person)
      expect(count(mine, ({ tool, outcome }) => `${clientName(tool)}:${outcome}`)).toEqual(expected)
    }
    expect(calls).toHaveLength(30)
    expect(count(calls, ({ outcome }) => outcome)).toEqual({ success: 15, failure: 5, denied: 10 })
    expect(calls.every(({ address }) => address === '127.0.0.1')).toBe(true)
    const posted = calls.filter(({ tool, outcome }) => tool === 'post_message' && outcome === 'success')
    expect(posted.map(({ keys }) => keys)).toEqual([
      ['channel', 'text', 'api_key'],
      ['channel', 'text', 'api_key'],
    ])
  })

  it('ContextForge’s structured log beside its spans: still 30 calls', async () => {
    const tenant = `contextforge-log-${seed}`
    const spans = run(await recordsOf('contextforge-live', '.body', tenant))
    const value = sample('contextforge-live/structured_log_entries.jsonl')
    const lines = run([record(value, { tenant, topic: 'log', format: 'contextforge-log' })])
    expect([lines.events.length, lines.parts.length > 0]).toEqual([0, true])
    await arrive(shuffled([...spans.parts, ...lines.parts], seed))
    expect(await callsOf(tenant)).toHaveLength(30)
  })

  it('agentgateway’s access log beside its OTLP log: one call, however the line is written', async () => {
    const tenant = `agentgateway-${seed}`
    const json = JSON.parse(sample('agentgateway-access-log.json').toString('utf8'))
    const { level, time, scope, ...fields } = json
    const written = Object.entries(fields).map(([name, field]) =>
      typeof field === 'object' ? `${name}=${JSON.stringify(JSON.stringify(field))}` : `${name}=${field}`,
    )
    const parts = [
      run([record(JSON.stringify(json), { tenant, topic: 'log-json' })]),
      run([record(`${time}\t${level}\t${scope} ${written.join(' ')}`, { tenant, topic: 'log-text' })]),
      run([record(sample('agentgateway-otlp-log.json'), { tenant, topic: 'otlp_logs' })]),
    ].flatMap((batch) => batch.parts)
    expect(parts).toHaveLength(3)
    await arrive(shuffled(parts, seed))
    expect(await callsOf(tenant)).toMatchObject([{ tool: 'echo', outcome: 'success', keys: ['message'] }])
  })

  it('LiteLLM’s spans: each of 20 calls once, as the clients know them', async () => {
    const tenant = `litellm-${seed}`
    const batch = run(await recordsOf('litellm-live', '00001.body', tenant))
    await arrive(shuffled(batch.parts, seed))
    const calls = await callsOf(tenant)
    const { called } = expectedOf('litellm-live')
    for (const [person, client] of [
      ['alice@example.com', 'client'],
      ['bob@example.com', 'client-bob'],
    ] as const) {
      const expected: Record<string, number> = {}
      for (const [key, calls] of Object.entries<number>(called[client].counts)) {
        const [tool, result] = key.split(':')
        if (result !== undefined) expected[`${tool}:${result === 'ok' ? 'success' : 'failure'}`] = calls
      }
      const mine = calls.filter(({ actor }) => actor === person)
      expect(count(mine, ({ tool, outcome }) => `${tool}:${outcome}`)).toEqual(expected)
    }
    expect(calls).toHaveLength(20)
    expect(count(calls, ({ outcome }) => outcome)).toEqual({ success: 16, failure: 4 })
    expect(calls.every(({ keys }) => keys.length > 0)).toBe(true)
  })

  // ids.txt and expected.json speak of 24 calls. Each of the four kept Kafka messages — logs and traces, protobuf and
  // JSON — holds the same twelve, those with even numbers: the first of two gateway instances; the message with the other
  // instance's was not kept. So twelve calls come from captured bytes; the twelve others are made here from their even
  // neighbours with the ids of ids.txt, to hold the whole set to its count.
  it('the Collector’s logs and traces: each of 24 calls once, with the ids of its span', async () => {
    const tenant = `otel-${seed}`
    const ids = sample('otel-live/ids.txt')
      .toString('utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/) as [string, string, string])
    const captured = await recordsOf('otel-live', '', tenant)
    const kafka = captured.filter(({ value }) => value.length > 5000)
    expect(kafka).toHaveLength(4)
    const json = ['logs', 'traces'].map((signal) =>
      sample(`otel-live/kafka-message-otlp_json-${signal}.json`).toString(),
    )
    const derived = json.map((text, index) => {
      let other = text
      for (let number = 0; number < ids.length; number += 2) {
        const [from, to] = [ids[number] ?? NONE, ids[number + 1] ?? NONE]
        for (const [place, id] of from.entries()) other = other.replaceAll(id, to[place] ?? '')
        other = other.replaceAll(`call_${from[0].slice(-6)}`, `call_${to[0].slice(-6)}`)
        other = other.replaceAll(`{"stringValue":"${number}"}`, `{"stringValue":"${number + 1}"}`)
      }
      return record(other, { tenant, offset: 10 + index, topic: 'spans-b' })
    })
    const batch = run([...kafka, ...derived])
    expect([batch.deadLetters.length, batch.parts.length]).toEqual([0, 72])
    await arrive(shuffled(batch.parts, seed))
    const calls = await callsOf(tenant)
    expect(calls).toHaveLength(expectedOf('otel-live').distinct_event_ids)
    expect(calls.map(({ event_id, trace_id, span_id }) => [event_id, trace_id, span_id])).toEqual(ids.sort())
    const digest = hash('sha256', calls.map(({ event_id }) => event_id).join('\n'), 'hex')
    expect(digest).toBe(expectedOf('otel-live').event_ids_sha256)
  })
})

it('keeps the canary nowhere in clear', async () => {
  for (const [table, column] of [
    ['event_parts', 'body'],
    ['assembled_calls', "arrayStringConcat(after, '')"],
    ['events', 'gen_ai_tool_call_arguments'],
    ['dead_letters', 'record'],
  ] as const) {
    const [row] = await database.query<{ found: number; rows: number }>(
      `SELECT toUInt32(countIf(position(${column}, 'sk-canary') > 0)) AS found, toUInt32(count()) AS rows FROM ${table}`,
    )
    expect(row?.found, table).toBe(0)
    if (table !== 'dead_letters') expect(row?.rows, table).toBeGreaterThan(50)
  }
})
