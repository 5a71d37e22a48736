import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openEmbedded } from '../../../store/clickhouse.ts'
import { createDoubledCount } from '../../../store/doubled-events.ts'
import { createEventQueries } from '../../../store/event-queries.ts'
import { EVENT_COLUMNS, eventRow } from '../../../store/event-rows.ts'
import { migrate } from '../../../store/migrate.ts'
import { statementsOf } from '../../../store/migration-files.ts'
import { smallEvent } from '../../helpers/events.ts'

const MIGRATIONS = new URL('../../../store/migrations/', import.meta.url)

const openFolder = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gatewatch-ids-'))
  const database = await openEmbedded({ path: folder })
  onTestFinished(async () => {
    await database.close()
    await rm(folder, { recursive: true, force: true })
  })
  return database
}

// Columns that came later than the schema that the first test begins with.
const LATER = new Set(['conflicting_event_id', 'imported', 'record_flags'])
const columns = EVENT_COLUMNS.filter((column) => !LATER.has(column))
const row = (event: Parameters<typeof eventRow>[0], ...more: number[]) => {
  const values = JSON.parse(eventRow(event)) as unknown[]
  return JSON.stringify([...values.filter((_, place) => !LATER.has(EVENT_COLUMNS[place] ?? '')), ...more])
}

it('carries a store of before over: every event is found by its id, whenever the migration broke off', async () => {
  const database = await openFolder()
  const names = (await readdir(MIGRATIONS)).filter((name) => name < '0011').sort()
  expect(names.length).toBeGreaterThan(8)
  for (const name of names) {
    for (const statement of statementsOf(await readFile(new URL(name, MIGRATIONS), 'utf8')))
      await database.command(statement)
  }
  const events = Array.from({ length: 40 }, (_, offset) =>
    smallEvent({
      ...{ offset, event_id: `id-${offset}`, actor: `actor-${offset % 5}` },
      occurred_at: `20${String(10 + (offset % 4)).padStart(2, '0')}-03-0${1 + (offset % 9)}T10:00:00.000000Z`,
    }),
  )
  await database.insert({
    table: 'events',
    columns,
    rows: Buffer.from(events.map((event) => row(event)).join('\n')),
    token: 'before',
  })
  const [first] = events
  if (first === undefined) throw new Error('no events')
  const corrected = { ...first, actor: 'corrected' }
  await database.insert({
    table: 'events',
    columns: [...columns, 'sign', 'version'],
    rows: Buffer.from([row(first, -1, 0), row(corrected, 1, 1)].join('\n')),
    token: 'correction',
  })
  // Broken off after the table was filled, and begun again.
  const own = (await readdir(MIGRATIONS)).find((name) => name.startsWith('0011')) ?? ''
  for (const statement of statementsOf(await readFile(new URL(own, MIGRATIONS), 'utf8')))
    await database.command(statement)
  expect(await migrate(database)).toContain(own)
  const { byId, sourcesOf } = createEventQueries(database)
  for (const event of [corrected, ...events.slice(1, 5)])
    expect(await byId('default', event.event_id)).toMatchObject({ actor: event.actor, offset: event.offset })
  expect(await sourcesOf('default', ['id-0', 'id-7', 'id-99'])).toEqual(
    new Map([
      ['id-0', first.topic],
      ['id-7', first.topic],
    ]),
  )
  expect(await sourcesOf('another', ['id-7'])).toEqual(new Map())
  expect(await createDoubledCount(database)()).toBe(0)
})

it('counts every event that is stored twice, old or fresh, a share of all ids at a time', async () => {
  const database = await openFolder()
  await migrate(database)
  const insert = (events: readonly Parameters<typeof eventRow>[0][], token: string) =>
    database.insert({
      table: 'events',
      columns: EVENT_COLUMNS,
      rows: Buffer.from(events.map(eventRow).join('\n')),
      token,
    })
  const now = `${new Date().toISOString().slice(0, 19)}.000000Z`
  const events = Array.from({ length: 1000 }, (_, offset) =>
    smallEvent({
      offset,
      event_id: `id-${offset}`,
      occurred_at: offset < 500 ? '2015-01-01T00:00:00.000000Z' : now,
    }),
  )
  await insert(events, 'once')
  const count = createDoubledCount(database, 300)
  for (let share = 0; share < 4; share++) expect(await count()).toBe(0)
  await insert([...events.slice(10, 13), ...events.slice(700, 704)], 'again')
  await insert(events.slice(10, 11), 'a third time')
  let doubled = 0
  for (let share = 0; share < 4; share++) doubled = await count()
  expect(doubled).toBe(8)
})
