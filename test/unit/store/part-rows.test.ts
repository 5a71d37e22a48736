import { expect, it } from 'vitest'
import { DEAD_LETTER_COLUMNS, deadLetterRow } from '../../../store/dead-letter-rows.ts'
import { linesOfNativeBlock } from '../../../store/native-block-lines.ts'
import { createPartColumns, PART_COLUMNS, type PartRow, partOf, partRow } from '../../../store/part-rows.ts'

const zip = (columns: readonly string[], line: string) =>
  Object.fromEntries((JSON.parse(line) as unknown[]).map((value, index) => [columns[index], value]))

it('brings a part back as it was, lone surrogates included', () => {
  const part = {
    tenant: 't',
    joinKey: 'trace "1"\n',
    partId: 'p',
    sourceFormat: 'otlp-json',
    topic: 'x',
    partition: 3,
    offset: 2 ** 40,
    recordIndex: 1,
    body: { callKey: 'k', draft: { 'gen_ai.tool.name': 'a\ud800b', argument_keys: ['x'] } },
  }
  expect(partOf(zip(PART_COLUMNS, partRow(part)) as unknown as PartRow)).toEqual(part)
  const columns = createPartColumns()
  columns.add(part)
  const line = Buffer.from(linesOfNativeBlock(columns.finish().rows)).toString('utf8')
  expect(partOf(zip(PART_COLUMNS, line) as unknown as PartRow)).toEqual(part)
})

it('gives a dead letter an id of its coordinates, and one value a column', () => {
  const letter = {
    tenant: 't',
    topic: 'x',
    partition: 0,
    offset: 5,
    recordIndex: 0,
    sourceFormat: '',
    reason: 'record_empty' as const,
    message: 'm',
    field: '',
    record: '\ud800',
    recordEncoding: 'utf8' as const,
    recordBytes: 0,
  }
  const row = zip(DEAD_LETTER_COLUMNS, deadLetterRow(letter))
  expect(Object.keys(row)).toEqual(DEAD_LETTER_COLUMNS)
  expect(row['record']).toBe('\ufffd')
  const idOf = (changes: object) =>
    zip(DEAD_LETTER_COLUMNS, deadLetterRow({ ...letter, ...changes }))['dead_letter_id']
  expect(idOf({ message: 'other', reason: 'record_not_json' })).toBe(row['dead_letter_id'])
  expect(idOf({ offset: 6 })).not.toBe(row['dead_letter_id'])
  expect(idOf({ tenant: 'u' })).not.toBe(row['dead_letter_id'])
})
