import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Format, ParsedRecord } from '../../../../ingest/format.ts'
import { FORMATS } from '../../../../ingest/formats/registry.ts'
import { record, run, sample } from '../sample-pipeline.ts'

const variants = JSON.parse(sample('variants.json').toString('utf8')) as { format: string; record: unknown }[]

const ODD: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  '',
  '-',
  ' ',
  '{',
  '[1]',
  '\ud800',
  // Names that every object answers to.
  '__proto__',
  'constructor',
  'toString',
  'x'.repeat(2000),
  [],
  [null],
  [[]],
  {},
  { a: { b: [] } },
  [{ name: {} }],
]

const parsed = (json: unknown): ParsedRecord => {
  const text = JSON.stringify(json) ?? ''
  return { headers: {}, bytes: Buffer.from(text), text, json }
}

/** Every value with one of its leaves, or one of its branches, replaced. */
function* broken(value: unknown, by: unknown): Generator<unknown> {
  yield by
  if (typeof value !== 'object' || value === null) return
  for (const key of Object.keys(value)) {
    for (const inner of broken((value as Record<string, unknown>)[key], by)) {
      const copy: unknown = Array.isArray(value) ? [...value] : { ...value }
      ;(copy as Record<string, unknown>)[key] = inner
      yield copy
    }
  }
}

const decodes = (format: Format, json: unknown): void => {
  const record = parsed(json)
  format.recognises(record)
  for (const entry of format.decode(record))
    expect(['event', 'part', 'definitions', 'fault']).toContain(entry.kind)
}

describe('a format never throws on data', () => {
  const byName = new Map(FORMATS.map((format) => [format.name, format]))

  it.each(variants.map(({ format, record: value }, index) => [`${format} ${index}`, format, value] as const))(
    '%s, with anything in any place',
    (_, name, value) => {
      const format = byName.get(name)
      if (format === undefined) throw new Error(`no format ${name}`)
      for (const odd of ODD) for (const json of broken(value, odd)) decodes(format, json)
    },
  )

  it.each(FORMATS.map((format) => [format.name, format] as const))(
    '%s, with any JSON at all',
    (_, format) => {
      fc.assert(
        fc.property(fc.jsonValue({ maxDepth: 4 }), (json) => decodes(format, json)),
        { numRuns: 200 },
      )
    },
  )
})

it('and the pipeline accounts for each: an event, a part, or a reason that is no fault of ours', () => {
  for (const { record: value } of variants) {
    for (const odd of ODD) {
      for (const json of broken(value, odd)) {
        const text = JSON.stringify(json)
        if (text === undefined || text === '') continue
        const batch = run([record(text)])
        const taken = batch.events.length + batch.parts.length + batch.deadLetters.length
        const bare = { headers: {}, bytes: Buffer.from(text), text, json: JSON.parse(text) as unknown }
        const mayBeEmpty = FORMATS.find((format) => format.recognises(bare))?.mayBeEmpty === true
        if (!mayBeEmpty) expect(taken).toBeGreaterThan(0)
        expect(batch.deadLetters.filter(({ reason }) => reason === 'internal')).toEqual([])
      }
    }
  }
})
