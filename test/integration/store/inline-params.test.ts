import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openEmbedded } from '../../../store/clickhouse.ts'
import type { Database } from '../../../store/database.ts'

let folder: string
let database: Database

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatewatch-params-'))
  database = await openEmbedded({ path: join(folder, 'store') })
})
afterAll(async () => {
  await database?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Text made of what ends, escapes or begins something in SQL, and of anything else. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "'",
        '\\',
        '\0',
        '`',
        '"',
        '{a:String}',
        '{b:Array(String)}',
        '$1',
        '$&',
        '--',
        '/*',
        '*/',
        ';',
        '\n',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(''))

it('gives back every value as it was, whatever it holds', async () => {
  await fc.assert(
    fc.asyncProperty(hostile, fc.array(hostile, { maxLength: 4 }), fc.maxSafeInteger(), async (a, b, n) => {
      const rows = await database.query('SELECT {a:String} AS a, {b:Array(String)} AS b, {n:Int64} AS n', {
        a,
        b,
        n,
      })
      expect(rows).toEqual([{ a, b, n }])
    }),
    { numRuns: 300 },
  )
})
