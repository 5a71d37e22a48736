import { describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { createEventColumns } from '../../../store/event-columns.ts'
import { EVENT_COLUMNS, eventRow } from '../../../store/event-rows.ts'
import { linesOfNativeBlock } from '../../../store/native-block-lines.ts'
import { fullEvent, smallEvent } from '../../helpers/events.ts'

// What the store itself makes of the bytes: test/integration/store/databases.test.ts.
function both(events: readonly AuditEvent[]) {
  const encoder = createEventColumns()
  encoder.add(events)
  const { columns, rows } = encoder.finish()
  const asLines = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown[])
  const lines = asLines(events.map(eventRow).join('\n'))
  const at = columns.map((column) => EVENT_COLUMNS.indexOf(column))
  return {
    columns,
    fromColumns: asLines(Buffer.from(linesOfNativeBlock(rows)).toString()),
    fromRows: lines.map((line) => at.map((index) => line[index])),
    leftOut: lines.map((line) => line.filter((_, index) => !at.includes(index))),
  }
}

const isDefault = (value: unknown) =>
  value === '' || value === null || (Array.isArray(value) && value.length === 0)

describe('events by columns', () => {
  it.each([
    ['every field', [fullEvent()]],
    ['few fields', [smallEvent(), smallEvent({ offset: 1 })]],
    ['fields that come and go', [smallEvent(), fullEvent(), smallEvent({ offset: 2 }), fullEvent()]],
    [
      'text of every length and kind',
      [
        '',
        'a',
        'é',
        '😀',
        'x'.repeat(63),
        'x'.repeat(64),
        'ä'.repeat(64),
        'y'.repeat(70_000),
        'bad \ud800',
      ].map((text, offset) =>
        smallEvent({ offset, 'mcp.session.id': text, 'gen_ai.tool.name': text, argument_keys: [text] }),
      ),
    ],
    [
      'times',
      ['1970-01-01T00:00:00.000000Z', '2000-02-29T23:59:59.999999Z', '2200-12-31T23:59:59.999999Z'].map(
        (occurred_at, offset) => smallEvent({ offset, occurred_at }),
      ),
    ],
    ...[255, 256, 257, 65_536].map((count): [string, AuditEvent[]] => [
      `${count} different words`,
      Array.from({ length: count }, (_, offset) =>
        smallEvent({ offset, actor: `a${offset}`, argument_keys: offset % 3 ? [`k${offset}`, 'x'] : [] }),
      ),
    ]),
  ])('say what the lines say: %s', (_, events) => {
    const { fromColumns, fromRows, leftOut } = both(events)
    expect(fromColumns).toEqual(fromRows)
    expect(leftOut.flat().every(isDefault)).toBe(true)
  })

  it('leave out columns that nothing fills', () => {
    expect(both([smallEvent()]).columns).not.toContain('trace_id')
    expect(both([fullEvent()]).columns).toEqual(EVENT_COLUMNS)
  })

  it('give the same bytes for the same events however they are added', () => {
    const events = [smallEvent(), fullEvent(), smallEvent({ offset: 2 })]
    const whole = createEventColumns()
    whole.add(events)
    const single = createEventColumns()
    for (const event of events) single.add([event])
    expect(single.finish()).toEqual(whole.finish())
    expect(single.count()).toBe(3)
  })
})
