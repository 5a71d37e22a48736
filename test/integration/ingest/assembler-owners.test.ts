import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAssembler } from '../../../ingest/assembler.ts'
import type { EventPart } from '../../../ingest/record.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import type { Database } from '../../../store/database.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { migrate } from '../../../store/migrate.ts'
import { createPartStore } from '../../../store/parts.ts'
import { smallEvent } from '../../helpers/events.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

type Store = ReturnType<typeof createPartStore>

let folder: string
let database: Database
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-owners-'))
  database = await openMigratedStore(folder)
})
afterEach(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

let inserts = 0
const insertPart = (call: string, index: number, tool: string) =>
  createBatchWriter(database).write(
    encodeBatch({
      events: [],
      parts: [
        {
          ...{ tenant: 'default', joinKey: call, partId: `${call}-${index}`, sourceFormat: 'otlp' },
          ...{ topic: 'otlp', partition: 0, offset: inserts, recordIndex: 0 },
          body: { callKey: call, draft: { 'gen_ai.tool.name': tool } },
        },
      ],
      deadLetters: [],
    }),
    `parts-${inserts++}`,
  )

const fold = (parts: readonly EventPart[]) => [
  smallEvent({
    event_id: parts[0]?.body.callKey ?? '',
    ...Object.assign({}, ...parts.map(({ body }) => body.draft)),
  }),
]

const owner = (store: Partial<Store> = {}) =>
  createAssembler({
    store: { ...createPartStore(database), ...store },
    fold,
    telemetry: silentTelemetry,
  })

const settle = async (instance: ReturnType<typeof owner>) => {
  while ((await instance.tick()).more) {}
}

/** Every table has forgotten the tokens of what was inserted before: so many other inserts came. */
const forgetTokens = async () => {
  const tables = await database.query<{ name: string }>(
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'",
  )
  for (const { name } of tables)
    await database.command(`ALTER TABLE ${name} MODIFY SETTING non_replicated_deduplication_window = 2`)
  for (let other = 0; other < 5; other++) {
    await insertPart(`other-${inserts}`, 0, 'x')
    await settle(owner())
  }
}

/** Versions of the call that stand, and how often it counts. */
const standing = async (call: string) => {
  const versions = await database.query<{ tool: string; live: number }>(
    `SELECT gen_ai_tool_name AS tool, toInt32(sum(sign)) AS live FROM events WHERE event_id = {call:String}
     GROUP BY tool, version HAVING live != 0`,
    { call },
  )
  const [sums] = await database.query<{ calls: number; events: number }>(
    'SELECT (SELECT toInt32(sum(calls)) FROM calls_by_actor) AS calls, (SELECT toInt32(sum(sign)) FROM events) AS events',
  )
  return { versions, isCountedAlike: sums?.calls === sums?.events }
}

/** An owner that is suspended at a step of its tick, as by SIGSTOP, until it is told to go on. */
function suspendable(at: 'before the plan' | 'after the plan' | 'in the correction') {
  const store = createPartStore(database)
  const { promise: resumed, resolve: resume } = Promise.withResolvers<void>()
  const { promise: suspended, resolve: suspend } = Promise.withResolvers<void>()
  const pause = async () => {
    suspend()
    await resumed
  }
  const steps: Record<typeof at, Partial<Store>> = {
    'before the plan': {
      standingsOf: async (identities) => {
        const standings = await store.standingsOf(identities)
        await pause()
        return standings
      },
    },
    'after the plan': {
      savePlan: async (blocks) => {
        const isOurs = await store.savePlan(blocks)
        await pause()
        return isOurs
      },
    },
    'in the correction': {
      correct: async (blocks) => {
        await pause()
        return store.correct(blocks)
      },
    },
  }
  return { instance: owner(steps[at]), suspended, resume }
}

describe('an owner of the assembler that is suspended in a tick', () => {
  it.each(['before the plan', 'after the plan'] as const)(
    'adds nothing when it goes on %s, although the tokens of its tick are forgotten',
    async (at) => {
      await insertPart('call', 0, 'search')
      const { instance, suspended, resume } = suspendable(at)
      const ticking = instance.tick()
      await suspended
      await settle(owner())
      // The call is completed meanwhile, so that an old plan would be wrong as well.
      await insertPart('call', 1, 'find')
      await settle(owner())
      await forgetTokens()
      resume()
      await ticking
      await settle(instance)
      expect(await standing('call')).toEqual({
        versions: [{ tool: 'find', live: 1 }],
        isCountedAlike: true,
      })
      // What comes next is built upon what stands.
      await insertPart('call', 2, 'look')
      await settle(owner())
      expect(await standing('call')).toEqual({
        versions: [{ tool: 'look', live: 1 }],
        isCountedAlike: true,
      })
    },
  )

  it('adds nothing when it goes on right before the insert: the token is remembered', async () => {
    await insertPart('call', 0, 'search')
    const { instance, suspended, resume } = suspendable('in the correction')
    const ticking = instance.tick()
    await suspended
    for (let other = 0; other < 4; other++) {
      await insertPart(`other-${inserts}`, 0, 'x')
      await settle(owner())
    }
    resume()
    await ticking
    expect(await standing('call')).toEqual({ versions: [{ tool: 'search', live: 1 }], isCountedAlike: true })
  })
})

it('carries a store over to longer memories of tokens, in all tables, with what it remembers', async () => {
  const windows = () =>
    database.query<{ name: string; window: number }>(
      `SELECT name, toUInt32OrZero(extract(engine_full, 'non_replicated_deduplication_window = ([0-9]+)')) AS window
       FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'migrations'`,
    )
  const tables = await windows()
  expect(tables.length).toBeGreaterThan(10)
  // As the migrations alone leave them.
  for (const { name } of tables)
    await database.command(`ALTER TABLE ${name} MODIFY SETTING non_replicated_deduplication_window = 10000`)
  const write = () =>
    createBatchWriter(database).write(
      encodeBatch({ events: [smallEvent({ event_id: 'old' })], parts: [], deadLetters: [] }),
      'before',
    )
  await write()
  expect(await migrate(database)).toEqual([])
  expect(await windows()).toEqual(tables.map(({ name }) => ({ name, window: 100_000 })))
  await write()
  expect(await standing('old')).toEqual({
    versions: [expect.objectContaining({ live: 1 })],
    isCountedAlike: true,
  })
})
