import { expect, it } from 'vitest'
import { createAskingLimit } from '../../../api/asking-limit.ts'
import { createShownEvents } from '../../../api/shown-events.ts'
import { createManualClock } from '../../../core/clock.ts'
import { smallEvent } from '../../helpers/events.ts'

const event = smallEvent({
  event_id: 'e1',
  argument_fingerprints: ['to:AAAAAAAA'],
  result_fingerprints: ['BBBBBBBB'],
})
const page = { events: [event], nextCursor: 'more' }
const events = createShownEvents(
  { search: async () => page, chain: async () => page, byId: async () => event, byIds: async () => [event] },
  new Uint8Array(32),
)

it('lists have no fingerprints, and one event has others than the store', async () => {
  const scope = { tenant: 't', from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z', chain: 'c' } as never
  for (const answer of [await events.search(scope, { limit: 1 }), await events.chain(scope, { limit: 1 })]) {
    expect(answer.nextCursor).toBe('more')
    expect(answer.events[0]).toMatchObject({ event_id: 'e1' })
    expect(JSON.stringify(answer)).not.toContain('fingerprints')
  }
  expect(JSON.stringify(await events.byIds('t', ['e1'], ['', ''] as never))).not.toContain('fingerprints')
  const one = await events.byId('t', 'e1')
  expect(one?.argument_fingerprints?.[0]).toMatch(/^to:(?!AAAAAAAA)[\w-]{8}$/)
  expect(one?.result_fingerprints?.[0]).toMatch(/^(?!BBBBBBBB)[\w-]{8}$/)
})

it('a caller asks so many times a minute', () => {
  const clock = createManualClock(1_000_000)
  const { ask } = createAskingLimit(2, clock)
  expect([ask('a'), ask('a'), ask('a'), ask('b')]).toEqual([undefined, undefined, 60, undefined])
  clock.set(1_061_000)
  expect(ask('a')).toBeUndefined()
})
