import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { processInSlices } from '../../../ingest/pipeline-slices.ts'
import { ODD_RECORDS } from './odd-record-cases.ts'
import { GOOD, record, run } from './sample-pipeline.ts'

// What no UTF-8 can hold is replaced where events become rows.
const asStored = (event: object = {}) =>
  Object.fromEntries(
    Object.entries(event).map(([field, value]) => [
      field,
      typeof value === 'string' ? value.toWellFormed() : value,
    ]),
  )

it.each(ODD_RECORDS.map((odd, index) => [index, odd.name, odd] as const))('%i %s', (_, __, odd) => {
  const headers = Object.fromEntries(
    Object.entries(odd.headers ?? {}).map(([name, value]) => [name, value.toString()]),
  )
  const first = run([record(odd.value ?? new Uint8Array(0), { headers }), record(GOOD, { offset: 1 })])
  expect(first.deadLetters.map(({ reason }) => reason)).toEqual(odd.deadLetters)
  expect(first.events).toHaveLength(odd.events.length + 1)
  for (const [index, wanted] of odd.events.entries())
    expect(asStored(first.events[index])).toMatchObject(wanted)
  expect(first.events.at(-1)?.offset).toBe(1)
  expect(({} as Record<string, unknown>)['tenant']).toBeUndefined()
  // The same every time.
  expect(run([record(odd.value ?? new Uint8Array(0), { headers }), record(GOOD, { offset: 1 })])).toEqual(
    first,
  )
})

it('docs/odd-records.md states the rule for each', () => {
  const section = readFileSync(new URL('../../../docs/odd-records.md', import.meta.url), 'utf8')
  expect(ODD_RECORDS.map(({ name }) => name).filter((name) => !section.includes(`| ${name} |`))).toEqual([])
  const reasons = ODD_RECORDS.flatMap(({ deadLetters }) => deadLetters)
  expect(reasons.filter((reason) => !section.includes(reason))).toEqual([])
})

it('dead letters show nothing that a sender had compressed, and keep no secret in it', () => {
  const token = `ghp_${'a1B2c3D4e5'.repeat(4).slice(0, 36)}`
  const [letter] = run([record(gzipSync(`{"note":"${token}"}`))]).deadLetters
  expect(letter).toMatchObject({ reason: 'format_unknown', recordEncoding: 'utf8' })
  expect(letter?.record).toContain('hmac:')
  expect(letter?.record).not.toContain(token)
})

it('very many records leave other work its turn', async () => {
  const records = Array.from({ length: 20_000 }, (_, offset) => record(GOOD, { offset }))
  let turns = 0
  const watch = setInterval(() => turns++, 1)
  const batch = await processInSlices(run, records)
  clearInterval(watch)
  expect(batch.events.map(({ offset }) => offset)).toEqual(records.map(({ offset }) => offset))
  // Forty slices, each longer than the interval.
  expect(turns).toBeGreaterThan(20)
})
