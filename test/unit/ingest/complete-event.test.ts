import { expect, it } from 'vitest'
import { type EventDraft, eventFields } from '../../../core/audit-event.ts'
import { createCompleteEvent } from '../../../ingest/complete-event.ts'

const complete = createCompleteEvent({
  catalogue: { classify: () => ({ capability: 'read', sensitivity: 'none' }) },
})
const from = { tenant: 't', topic: 'x', partition: 1, offset: 2, recordIndex: 3, sourceFormat: 'native' }

it('carries every field of a draft over, in the order of the schema', () => {
  const given = eventFields.filter((field) => field !== 'recorded_at')
  const draft = Object.fromEntries(given.toReversed().map((field) => [field, `the ${field}`])) as EventDraft
  const event = complete(draft, from)
  expect(new Set(Object.keys(event))).toEqual(new Set(given))
  const derived = [
    'source_format',
    'tenant',
    'topic',
    'partition',
    'offset',
    'record_index',
    // Whoever sends it may say so, the record may not.
    'imported',
    'actor',
    'chain',
    // Found when the event meets the store.
    'conflicting_event_id',
  ]
  for (const field of given.filter((name) => !derived.includes(name)))
    expect(event[field]).toBe(`the ${field}`)
  const carried = (names: readonly string[]) => names.filter((name) => !derived.includes(name))
  expect(carried(Object.keys(event))).toEqual(carried(given))
})

it('gives no value to a field that the draft does not have', () => {
  const event = complete({ event_id: 'e' }, from)
  expect(eventFields.filter((field) => event[field] !== undefined).sort()).toEqual(
    [
      ...['actor', 'capability', 'chain', 'event_id', 'offset', 'outcome', 'partition', 'record_index'],
      ...['sensitivity', 'source_format', 'tenant', 'topic'],
    ].sort(),
  )
})

it('gives every event the same shape, whatever its draft filled', () => {
  const names = (draft: EventDraft) => Object.keys(complete(draft, from))
  expect(names({ destination: 'a.example', 'user.id': 'u' })).toEqual(names({ event_id: 'e' }))
})
