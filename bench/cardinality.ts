import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbedded } from '../store/clickhouse.ts'
import type { Database } from '../store/database.ts'
import {
  encodeNativeBlock,
  type NamedColumn,
  type NativeColumn,
  textColumn,
  timeColumn,
  wordColumn,
} from '../store/native-columns.ts'
import type { Bench, BenchOptions, Figure } from './benchmark.ts'
import { median } from './ingest.ts'

const COLUMNS = ['user_id', 'user_email', 'credential_id', 'client_address'] as const
type Column = (typeof COLUMNS)[number]

/** The types compared. A codec is what the other texts of `events` have. */
const TYPES = {
  low_cardinality: { sql: 'LowCardinality(String)', column: wordColumn },
  text: { sql: 'String CODEC(ZSTD(1))', column: textColumn },
} as const
type TypeName = keyof typeof TYPES
const TYPE_NAMES = Object.keys(TYPES) as TypeName[]

const FEW_PEOPLE = 300
const DAYS = 20
const START_MS = Date.UTC(2026, 9, 1)
const MS_PER_DAY = 86_400_000
const QUESTIONS = 5

interface Measured {
  encode_cpu_s: number
  insert_cpu_s: number
  merge_cpu_s: number
  bytes: number
  by_column: Record<Column, number>
  filter_cpu_ms: number
  pattern_cpu_ms: number
  group_cpu_ms: number
}

/**
 * `LowCardinality(String)` against `String` for the columns that have a value for each person, in one part of 1 M rows of
 * 50,000 people, sorted as `events` is: by tenant, day, actor; and the same (`few_…`) with 300 people, which is what most
 * stores have. CPU is that of the whole process, engine included; figures are those of the text type as a share of the
 * other’s. `--quick`: 200,000 rows of 10,000 and 300 people.
 */
export const run: Bench = async ({ quick, progress }) => {
  const rows = quick ? 200_000 : 1_000_000
  const figures: Record<string, Figure> = {}
  for (const [prefix, people] of [
    ['', rows / DAYS],
    ['few_', FEW_PEOPLE],
  ] as const) {
    progress(`${rows} rows of ${people} people`)
    const measured = await measureTypes({ people, rows }, progress)
    const ratio = (name: string, of: (one: Measured) => number) => {
      const [words, texts] = [of(measured.low_cardinality), of(measured.text)]
      progress(
        `${name.padEnd(20)} LowCardinality ${words.toFixed(3).padStart(8)}   String ${texts.toFixed(3).padStart(8)}`,
      )
      figures[`${prefix}${name}_ratio`] = {
        value: Number((texts / words).toFixed(2)),
        unit: '× of LowCardinality',
      }
    }
    ratio('encode_cpu_s', (one) => one.encode_cpu_s)
    ratio('insert_cpu_s', (one) => one.insert_cpu_s)
    ratio('merge_cpu_s', (one) => one.merge_cpu_s)
    ratio('bytes_per_event', (one) => one.bytes / rows)
    for (const column of COLUMNS) ratio(`${column}_bytes`, (one) => one.by_column[column] / rows)
    ratio('filter_cpu_ms', (one) => one.filter_cpu_ms)
    ratio('pattern_cpu_ms', (one) => one.pattern_cpu_ms)
    ratio('group_cpu_ms', (one) => one.group_cpu_ms)
  }
  return { figures }
}

interface Size {
  readonly people: number
  readonly rows: number
}

async function measureTypes(
  size: Size,
  progress: BenchOptions['progress'],
): Promise<Readonly<Record<TypeName, Measured>>> {
  const folder = mkdtempSync(join(tmpdir(), 'gatewatch-bench-'))
  const database = await openEmbedded({ path: join(folder, 'store') })
  const measured: Partial<Record<TypeName, Measured>> = {}
  try {
    for (const type of TYPE_NAMES) {
      measured[type] = await measure(database, type, size)
      progress(`${type} ${JSON.stringify(measured[type])}`)
    }
    return measured as Record<TypeName, Measured>
  } finally {
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

const cpuSeconds = async (work: () => Promise<unknown> | unknown): Promise<number> => {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

async function measure(database: Database, type: TypeName, { people, rows }: Size): Promise<Measured> {
  const table = `cardinality_${type}`
  const columns = COLUMNS.map((column) => `${column} ${TYPES[type].sql}`).join(', ')
  await database.command(`DROP TABLE IF EXISTS ${table}`)
  await database.command(
    `CREATE TABLE ${table} (tenant LowCardinality(String), occurred_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
       actor LowCardinality(String), ${columns})
     ENGINE = MergeTree ORDER BY (tenant, toDate(occurred_at), actor, occurred_at)`,
  )
  let insertCpu = 0
  let encodeCpu = 0
  const block = rows / DAYS
  for (let first = 0; first < rows; first += block) {
    const values = valuesOf({ first, rows: block, people, all: rows })
    const encoded: Uint8Array[] = []
    encodeCpu += await cpuSeconds(() => {
      encoded.push(encodeBlock(TYPES[type].column, values))
    })
    const [bytes = new Uint8Array()] = encoded
    insertCpu += await cpuSeconds(() =>
      database.insert({ table, columns: NAMES, rows: bytes, format: 'Native', token: `${first}` }),
    )
  }
  const mergeCpu = await cpuSeconds(() => database.command(`OPTIMIZE TABLE ${table} FINAL`))
  const byColumn = await bytesByColumn(database, table)
  return {
    encode_cpu_s: encodeCpu,
    insert_cpu_s: insertCpu,
    merge_cpu_s: mergeCpu,
    bytes: COLUMNS.reduce((sum, column) => sum + byColumn[column], 0),
    by_column: byColumn,
    filter_cpu_ms: await question(database, (column, person) => [
      `SELECT count() FROM ${table} WHERE ${column} = {value:String}`,
      personal(column, person),
    ]),
    pattern_cpu_ms: await question(database, (column, person) => [
      `SELECT count() FROM ${table} WHERE ${column} LIKE {value:String}`,
      `%${personal(column, person).slice(2)}`,
    ]),
    group_cpu_ms: await question(database, (column) => [
      `SELECT ${column}, count() AS calls FROM ${table} GROUP BY ${column} ORDER BY calls DESC, ${column} LIMIT 10`,
      '',
    ]),
  }
}

/** Median CPU of a question, in milliseconds, over all columns. */
async function question(
  database: Database,
  ask: (column: Column, person: number) => readonly [string, string],
): Promise<number> {
  const costs: number[] = []
  for (let at = 0; at < QUESTIONS; at++) {
    for (const column of COLUMNS) {
      const [sql, value] = ask(column, at * 1777)
      costs.push((await cpuSeconds(() => database.query(sql, { value }))) * 1000)
    }
  }
  return median(costs)
}

async function bytesByColumn(database: Database, table: string): Promise<Record<Column, number>> {
  const sizes = await database.query<{ column: Column; bytes: number }>(
    `SELECT column, toUInt32(sum(column_bytes_on_disk)) AS bytes FROM system.parts_columns
     WHERE active AND database = currentDatabase() AND table = {table:String} GROUP BY column`,
    { table },
  )
  return Object.fromEntries(sizes.map(({ column, bytes }) => [column, bytes])) as Record<Column, number>
}

const NAMES = ['tenant', 'occurred_at', 'actor', ...COLUMNS]

interface BlockOfRows {
  readonly first: number
  readonly rows: number
  readonly people: number
  readonly all: number
}

// A block is a stretch of time with all people in it, in no order, as it comes from a gateway.
function valuesOf({ first, rows, people, all }: BlockOfRows): readonly (readonly string[])[] {
  return Array.from({ length: rows }, (_, row) => {
    const number = first + row
    const person = (number * 7919) % people
    const at = new Date(START_MS + number * ((DAYS * MS_PER_DAY) / all)).toISOString().replace('Z', '000Z')
    // One call in ten comes from another address than the person’s own.
    const from = number % 10 === 0 ? (person * 31 + number) % people : person
    const personals = COLUMNS.map((column) => personal(column, column === 'client_address' ? from : person))
    return ['acme', at, personal('user_email', person), ...personals]
  })
}

function encodeBlock(create: () => NativeColumn, values: readonly (readonly string[])[]): Uint8Array {
  const columns: NamedColumn[] = [
    { name: 'tenant', column: wordColumn() },
    { name: 'occurred_at', column: timeColumn() },
    { name: 'actor', column: wordColumn() },
    ...COLUMNS.map((name) => ({ name, column: create() })),
  ]
  for (const [index, { column }] of columns.entries()) {
    for (const [row, each] of values.entries()) column.set(row, each[index] ?? '')
  }
  return encodeNativeBlock(columns, values.length)
}

/** A person’s value: a UUID, an address of mail, an id of a key, an address of the network. */
function personal(column: Column, person: number): string {
  // A step of a multiplicative generator: digits that do not repeat from one person to the next.
  const mixed = (person * 2_654_435_761 + 97_531) % 2 ** 32
  const hex = mixed.toString(16).padStart(8, '0')
  switch (column) {
    case 'user_id':
      return `${hex}-7d1e-4a2b-9c3d-${hex}${(person % 65_536).toString(16).padStart(4, '0')}`
    case 'user_email':
      return `person.${person}@${['sales', 'lab', 'ops'][person % 3]}.example.com`
    case 'credential_id':
      return `AKIA${mixed.toString(36).toUpperCase().padStart(7, '0')}${hex.toUpperCase()}`
    case 'client_address':
      return `10.${(mixed >>> 24) % 256}.${(mixed >>> 8) % 256}.${person % 256}`
  }
}
