import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../../core/clock.ts'
import { createLinkBudget } from '../../../ingest/link-budget.ts'
import { isUnlinked } from '../../../ingest/redact/tokens.ts'
import { agree, sameFacts } from '../../../store/event-facts.ts'

const HOUR_MS = 3_600_000
const token = (number: number) => `hmac:k1:${String(number).padStart(22, 'A')}`
const OVER = 'hmac:k1:over-limit--not-linked'

describe('the budget of tokens', () => {
  const start = (perHour: number) => {
    const clock = createManualClock(100 * HOUR_MS)
    const told: string[] = []
    const { bound } = createLinkBudget({ perHour, clock, onBeyond: (source) => told.push(source) })
    const shown = (text: string, source = 'http-a') => {
      const fields = { text }
      bound(fields, source)
      return fields.text
    }
    return { clock, told, bound, shown }
  }

  it('gives so many values of a source tokens of their own, and the others one that they share', () => {
    const { shown, told } = start(2)
    expect(shown(`a ${token(1)} b ${token(2)} c ${token(1)} d ${token(3)}`)).toBe(
      `a ${token(1)} b ${token(2)} c ${token(1)} d ${OVER}`,
    )
    expect(shown(token(3), 'http-b')).toBe(token(3))
    expect(told).toEqual(['http-a'])
    expect(isUnlinked(OVER)).toBe(true)
  })

  it('carries on what is used from one hour to the next, and takes as many new ones', () => {
    const { shown, clock } = start(2)
    shown(token(1) + token(2))
    clock.set(101 * HOUR_MS)
    expect([shown(token(1)), shown(token(3)), shown(token(4)), shown(token(2))]).toEqual([
      ...[token(1), token(3), OVER, token(2)],
    ])
    clock.set(104 * HOUR_MS)
    expect([shown(token(5)), shown(token(6)), shown(token(1))]).toEqual([token(5), token(6), OVER])
  })

  it('looks into lists and objects, and leaves alone what different values share already', () => {
    const { bound } = start(0)
    const fields = {
      list: [token(1), 'x'],
      headers: { authorization: `Bearer ${token(2)}` },
      short: 'hmac:k1:short-value-not-linked',
      count: 3,
    }
    bound(fields, 'http-a')
    expect(fields).toEqual({
      list: [OVER, 'x'],
      headers: { authorization: `Bearer ${OVER}` },
      short: 'hmac:k1:short-value-not-linked',
      count: 3,
    })
  })
})

it('a record that is read again at its place is known, whichever of its values had tokens', () => {
  const row = (text: string) => ({ timestamp_source: 'broker', gen_ai_tool_call_arguments: text })
  expect(agree(row(`{"a":"${token(1)}"}`), row(`{"a":"${OVER}"}`))).toBe(true)
  expect(agree(row(`{"a":"${OVER}"}`), row(`{"b":"${token(1)}"}`))).toBe(false)
  expect(agree(row(`${token(1)} ${token(2)}`), row(`${OVER} ${token(3)}`))).toBe(false)
  // Elsewhere it is another record: both are kept.
  expect(sameFacts(row(token(1)), row(OVER))).toBe(false)
})
