import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { GatewatchError } from '../../../core/errors.ts'
import { createAssembler } from '../../../ingest/assembler.ts'
import type { EventPart } from '../../../ingest/record.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import type { Database } from '../../../store/database.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { createPartStore } from '../../../store/parts.ts'
import { smallEvent } from '../../helpers/events.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

let folder: string
let database: Database
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-assembler-'))
  database = await openMigratedStore(folder)
})
afterAll(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

const part = (call: number, index: number, draft: Partial<AuditEvent>): EventPart => ({
  tenant: 'default',
  joinKey: `trace-${call % 40}`,
  partId: `p${call}-${index}`,
  sourceFormat: 'otlp',
  topic: 'otlp',
  partition: 0,
  offset: call * 10 + index,
  recordIndex: 0,
  body: { callKey: `call-${call}`, draft },
})

// The union of what the parts say, the call key as identity.
const fold = (parts: readonly EventPart[]): AuditEvent[] =>
  [...Map.groupBy(parts, ({ body }) => body.callKey)].map(([event_id, group]) => {
    const draft = Object.assign(
      {},
      ...group.toSorted((a, b) => (a.partId < b.partId ? -1 : 1)).map(({ body }) => body.draft),
    )
    return smallEvent({ event_id, ...draft })
  })

const assembler = (changes: Partial<Parameters<typeof createAssembler>[0]> = {}) =>
  createAssembler({ store: createPartStore(database), fold, telemetry: silentTelemetry, ...changes })

async function settle(
  instance: ReturnType<typeof assembler>,
): Promise<{ written: number; cancelled: number }> {
  const total = { written: 0, cancelled: 0 }
  for (let more = true; more; ) {
    const result = await instance.tick()
    total.written += result.written
    total.cancelled += result.cancelled
    more = result.more
  }
  return total
}

let inserts = 0
const insertParts = (...parts: EventPart[]) =>
  createBatchWriter(database).write(encodeBatch({ events: [], parts, deadLetters: [] }), `parts-${inserts++}`)

/** Live events, and every sum that the rollups keep of them. */
async function live() {
  const events = await database.query<{ event_id: string; outcome: string; tool: string; live: number }>(
    `SELECT event_id, outcome, gen_ai_tool_name AS tool, toInt32(sum(sign)) AS live FROM events
     GROUP BY event_id, outcome, tool, version HAVING live != 0 ORDER BY event_id`,
  )
  const [sums] = await database.query<Record<string, number>>(
    `SELECT toInt32(sum(sign)) AS events, toInt32(sumIf(sign, outcome = 'failure')) AS failures,
            (SELECT toInt32(sum(calls)) FROM calls_by_actor) AS by_actor,
            (SELECT toInt32(sum(failures)) FROM calls_by_actor) AS actor_failures,
            (SELECT toInt32(sum(calls)) FROM calls_by_tool) AS by_tool,
            (SELECT toInt32(sum(calls)) FROM tools_by_actor) AS tools FROM events`,
  )
  return { events, sums }
}

const expectCalls = async (count: number, failures: number) => {
  const { events, sums } = await live()
  expect(events.filter((event) => event.live !== 1)).toEqual([])
  expect(events).toHaveLength(count)
  expect(sums).toEqual({
    ...{ events: count, failures, by_actor: count, actor_failures: failures, by_tool: count, tools: count },
  })
  return events
}

it('finishes the very first tick of a store, if a crash cut it short', async () => {
  await insertParts(part(0, 0, { 'gen_ai.tool.name': 'first' }))
  const store = createPartStore(database)
  const failing = assembler({ store: { ...store, correct: () => Promise.reject(new Error('killed')) } })
  await expect(failing.tick()).rejects.toThrow('killed')
  await settle(assembler())
  await expectCalls(1, 0)
})

it('writes a call once, completes it when another part comes, and leaves it alone otherwise', async () => {
  const instance = assembler()
  await insertParts(part(1, 0, { 'gen_ai.tool.name': 'search' }))
  expect(await settle(instance)).toEqual({ written: 1, cancelled: 0 })
  await insertParts(part(1, 1, { outcome: 'failure' }))
  expect(await settle(instance)).toEqual({ written: 1, cancelled: 1 })
  await insertParts(part(1, 1, { outcome: 'failure' }))
  expect(await settle(instance)).toEqual({ written: 0, cancelled: 0 })
  const [, event] = await expectCalls(2, 1)
  expect(event).toMatchObject({ event_id: 'call-1', outcome: 'failure', tool: 'search' })
})

it('gives the same events for parts in any order, in different inserts, and across restarts', async () => {
  const parts = Array.from({ length: 120 }, (_, index) => index + 2).flatMap((call) => [
    part(call, 0, { 'gen_ai.tool.name': `tool-${call % 3}` }),
    part(call, 1, { actor: `actor-${call % 5}` }),
    part(call, 2, { outcome: call % 4 === 0 ? 'failure' : 'success' }),
  ])
  const shuffled = parts.toSorted((a, b) => ((a.offset * 7919) % 1000) - ((b.offset * 7919) % 1000))
  let instance = assembler({ maxParts: 30 })
  for (let first = 0; first < shuffled.length; first += 37) {
    await insertParts(...shuffled.slice(first, first + 37))
    if (first % 2 === 0) await instance.tick()
    if (first % 3 === 0) instance = assembler({ maxParts: 30 })
  }
  await settle(instance)
  const failures = Array.from({ length: 120 }, (_, index) => index + 2).filter(
    (call) => call % 4 === 0,
  ).length
  const events = await expectCalls(122, failures + 1)
  expect(events.find(({ event_id }) => event_id === 'call-8')).toMatchObject({
    tool: 'tool-2',
    outcome: 'failure',
  })
  // A fresh start looks back and finds nothing to do.
  expect(await settle(assembler())).toEqual({ written: 0, cancelled: 0 })
})

it('finishes a tick that a crash cut short, wherever it was', async () => {
  const before = (await live()).events.length
  const store = createPartStore(database)
  for (const broken of ['correct', 'saveProgress'] as const) {
    await insertParts(part(500 + inserts, 0, { actor: `crash-${broken}` }))
    const failing = assembler({
      store: { ...store, [broken]: () => Promise.reject(new Error('killed')) },
    })
    await expect(failing.tick()).rejects.toThrow('killed')
    await settle(assembler())
  }
  const { events, sums } = await live()
  expect(events.filter((event) => event.live !== 1)).toEqual([])
  expect(events).toHaveLength(before + 2)
  expect(sums).toMatchObject({ events: before + 2, by_actor: before + 2, by_tool: before + 2 })
})

it('survives two owners at once', async () => {
  const before = (await live()).events.length
  const owners = [assembler(), assembler(), assembler()]
  for (let round = 0; round < 5; round++) {
    await insertParts(part(900 + round, 0, {}), part(900 + round, 1, { outcome: 'failure' }))
    await Promise.all(owners.map((owner) => owner.tick()))
  }
  for (const owner of owners) await settle(owner)
  const { events, sums } = await live()
  expect(events.filter((event) => event.live !== 1)).toEqual([])
  expect(events).toHaveLength(before + 5)
  expect(sums).toMatchObject({
    events: before + 5,
    by_actor: before + 5,
    by_tool: before + 5,
    tools: before + 5,
  })
})

it('takes up an insert that becomes visible after later ones were read', async () => {
  const before = (await live()).events.length
  const store = createPartStore(database)
  let hidden: number | undefined
  // The store answers as if one insert were not yet visible.
  const instance = assembler({
    store: {
      ...store,
      blocksSince: async (...range) =>
        (await store.blocksSince(...range)).filter(({ recordedAtUs }) => recordedAtUs !== hidden),
    },
  })
  await settle(instance)
  await insertParts(part(2000, 0, {}))
  hidden = (await store.blocksSince(1e15, 0)).at(-1)?.recordedAtUs
  await insertParts(part(2001, 0, {}))
  await settle(instance)
  expect((await live()).events).toHaveLength(before + 1)
  hidden = undefined
  await settle(instance)
  expect((await live()).events).toHaveLength(before + 2)
})

it('stores corrections row by row where the store refuses their block', async () => {
  const before = (await live()).events.length
  const strict: Database = {
    ...database,
    insert: (block) =>
      block.format === 'Native' && block.table === 'events'
        ? Promise.reject(
            new GatewatchError('store_rejected', 'Code: 27. Cannot parse.', {
              cause: new Error('Code: 27. DB::Exception: Cannot parse.'),
            }),
          )
        : database.insert(block),
  }
  const instance = assembler({ store: createPartStore(strict) })
  await insertParts(part(3100, 0, {}))
  await settle(instance)
  await insertParts(part(3100, 1, { outcome: 'failure' }))
  expect(await settle(instance)).toEqual({ written: 1, cancelled: 1 })
  const { events } = await live()
  expect(events).toHaveLength(before + 1)
  expect(events.find(({ event_id: id }) => id === 'call-3100')).toMatchObject({ outcome: 'failure', live: 1 })
})

it('counts the calls of which no part says who called or how it ended', async () => {
  await settle(assembler())
  const counts: { calls: number; incomplete: number }[] = []
  const telemetry = {
    ...silentTelemetry,
    assembled: ({ calls, incomplete }: { calls: number; incomplete: number }) => {
      counts.push({ calls, incomplete })
    },
  }
  const instance = assembler({ telemetry })
  await insertParts(part(7000, 0, { outcome: 'unknown' }), part(7001, 0, { outcome: 'success' }))
  await settle(instance)
  await insertParts(part(7000, 1, { outcome: 'failure' }))
  await settle(instance)
  expect(counts).toEqual([
    { calls: 2, incomplete: 1 },
    { calls: 1, incomplete: 0 },
  ])
})

it('works off an insert of any size, some keys a tick, and goes on where it was after a crash', async () => {
  const before = (await live()).events.length
  const many = Array.from({ length: 900 }, (_, index) => ({
    ...part(10_000 + index, 0, { 'gen_ai.tool.name': 'many' }),
    joinKey: `many-${index}`,
  }))
  await insertParts(...many)
  const sizes: number[] = []
  const store = createPartStore(database)
  const watched = {
    ...store,
    partsOf: (keys: Parameters<typeof store.partsOf>[0]) => {
      sizes.push(keys.length)
      return store.partsOf(keys)
    },
  }
  const first = assembler({ store: watched, maxParts: 200 })
  await first.tick()
  await first.tick()
  await settle(assembler({ store: watched, maxParts: 200 }))
  expect(Math.max(...sizes)).toBeLessThanOrEqual(200)
  const { events } = await live()
  expect(events.filter((event) => event.live !== 1)).toEqual([])
  expect(events).toHaveLength(before + 900)
})

/** What the store does when the parts of a key have been kept long enough. */
const endParts = async (joinKey: string, ...tables: readonly string[]) => {
  for (const table of tables)
    await database.command(
      `ALTER TABLE ${table} DELETE WHERE join_key = {joinKey:String} SETTINGS mutations_sync = 2`,
      { joinKey },
    )
}

it('leaves an event as it is when a part comes after the others have ended, and counts it', async () => {
  await settle(assembler())
  const before = (await live()).events.length
  let late = 0
  const telemetry = {
    ...silentTelemetry,
    partsLate: (calls: number) => {
      late += calls
    },
  }
  const instance = assembler({ telemetry })
  const of = (index: number, draft: Partial<AuditEvent>) => ({
    ...part(20_000, index, draft),
    joinKey: 'ended',
  })
  await insertParts(of(0, { 'gen_ai.tool.name': 'first' }), of(1, { outcome: 'failure' }))
  await settle(instance)
  await endParts('ended', 'event_parts')
  await insertParts(of(2, { actor: 'late' }))
  expect(await settle(instance)).toEqual({ written: 0, cancelled: 0 })
  expect(late).toBe(1)
  const { events } = await live()
  expect(events).toHaveLength(before + 1)
  expect(events.find(({ event_id }) => event_id === 'call-20000')).toMatchObject({ tool: 'first', live: 1 })
})

it('does not write a call again whose parts are sent again when all that was known of it has ended', async () => {
  await settle(assembler())
  const before = (await live()).events.length
  const old = (call: number) => ({
    ...part(call, 0, { occurred_at: '2024-02-01T10:00:00.000000Z', 'gen_ai.tool.name': 'old' }),
    joinKey: `old-${call}`,
  })
  await insertParts(old(21_000))
  expect(await settle(assembler())).toEqual({ written: 1, cancelled: 0 })
  await endParts('old-21000', 'event_parts', 'assembled_calls')
  // As a topic that is read from its beginning once more, with one call that was never stored.
  await insertParts(old(21_000), old(21_001))
  expect(await settle(assembler())).toEqual({ written: 1, cancelled: 0 })
  const { events } = await live()
  expect(events.filter((event) => event.live !== 1)).toEqual([])
  expect(events).toHaveLength(before + 2)
})

it('does not go by what it read ahead when another owner went on in between', async () => {
  await settle(assembler())
  const many = Array.from({ length: 300 }, (_, index) => ({
    ...part(30_000 + index, 0, { 'gen_ai.tool.name': 'ahead' }),
    joinKey: `ahead-${index}`,
  }))
  await insertParts(...many)
  const reads: Promise<unknown>[] = []
  const stored = createPartStore(database)
  const store = {
    ...stored,
    assembledOf: (keys: Parameters<typeof stored.assembledOf>[0]) => {
      const read = stored.assembledOf(keys)
      reads.push(read)
      return read
    },
    // Without the second look at what is stored, which would hide it.
    standingsOf: async (identities: readonly unknown[]) => identities.map(() => 'free' as const),
  }
  const [a, b] = [assembler({ store, maxParts: 100 }), assembler({ store, maxParts: 100 })]
  // A writes the first hundred; B finds them done and reads the second ahead; A writes the second; B goes on.
  for (const owner of [a, b, a, b]) {
    await owner.tick()
    await Promise.all(reads)
  }
  await settle(a)
  await settle(b)
  const events = (await live()).events.filter(({ tool }) => tool === 'ahead')
  expect(events.filter((event) => event.live !== 1)).toEqual([])
  expect(events).toHaveLength(300)
})

it('keeps a call whose part has ended, also when others of its trace have come since', async () => {
  await settle(assembler())
  const before = (await live()).events.length
  const of = (call: number) => ({
    ...part(call, 0, { 'gen_ai.tool.name': `t${call}` }),
    joinKey: 'long-trace',
  })
  await insertParts(of(40_000))
  await settle(assembler())
  await insertParts(of(40_001))
  await settle(assembler())
  await database.command(
    "ALTER TABLE event_parts DELETE WHERE part_id = 'p40000-0' SETTINGS mutations_sync = 2",
  )
  await insertParts(of(40_002))
  await settle(assembler())
  const { events } = await live()
  expect(events.filter((event) => event.live !== 1)).toEqual([])
  expect(events.map(({ event_id }) => event_id)).toEqual(expect.arrayContaining(['call-40000', 'call-40001']))
  expect(events).toHaveLength(before + 2)
})

it('goes on when the clock of the store was ahead for a while', async () => {
  await settle(assembler())
  const of = (call: number) => ({
    ...part(call, 0, { 'gen_ai.tool.name': 'clock' }),
    joinKey: `clock-${call}`,
  })
  await insertParts(of(50_000))
  await database.command(
    `INSERT INTO event_parts (tenant, join_key, part_id, topic, body, recorded_at)
     SELECT tenant, 'clock-50001', 'p50001-0', topic, replaceAll(body, '50000', '50001'), now64(6) + toIntervalHour(1)
     FROM event_parts WHERE join_key = 'clock-50000'`,
  )
  const instance = assembler({ maxParts: 200 })
  await settle(instance)
  for (const call of [50_002, 50_003, 50_004]) await insertParts(of(call))
  await settle(instance)
  await insertParts(of(50_005))
  await settle(assembler({ maxParts: 200 }))
  const clock = (await live()).events.filter(({ tool }) => tool === 'clock')
  expect(clock.map(({ event_id, live: sum }) => [event_id, sum])).toEqual(
    [0, 1, 2, 3, 4, 5].map((call) => [`call-5000${call}`, 1]),
  )
})

// The last one: what it leaves would make the first tick of any other assembler fail once.
it('leaves out a call that cannot be encoded, before and after its plan was stored, and goes on', async () => {
  const before = (await live()).events.length
  const faults: string[] = []
  const telemetry = { ...silentTelemetry, logFault: (message: string) => void faults.push(message) }
  const poisoned = (parts: readonly EventPart[]): AuditEvent[] =>
    fold(parts).map((event) => (event.actor === 'poison' ? { ...event, 'user.id': 5 as never } : event))
  const one = assembler({ fold: poisoned, telemetry })
  // By itself: its plan is stored before its events are encoded.
  await insertParts(part(3000, 0, { actor: 'poison' }))
  await expect(settle(one)).rejects.toThrow()
  await insertParts(part(3001, 0, {}), part(3002, 0, { actor: 'poison' }), part(3003, 0, {}))
  const next = assembler({ fold: poisoned, telemetry })
  for (let attempt = 0; attempt < 4; attempt++) await settle(next).catch(() => undefined)
  const { events } = await live()
  expect(events.map(({ event_id: id }) => id).filter((id) => /^call-300\d$/.test(id))).toEqual([
    'call-3001',
    'call-3003',
  ])
  expect(events).toHaveLength(before + 2)
  expect(faults.length).toBeGreaterThan(0)
  expect(faults[0]).toContain('cannot be encoded')
})
