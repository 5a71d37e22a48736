import { describe, expect, it } from 'vitest'
import type { EventDraft } from '../../../core/audit-event.ts'
import { assembleParts } from '../../../ingest/assemble.ts'
import type { EventPart } from '../../../ingest/record.ts'

let offset = 0
const at = (seconds: number) => `2026-08-21T14:03:${String(seconds).padStart(2, '0')}.000000Z`
const part = (draft: EventDraft): EventPart => ({
  tenant: 'acme',
  joinKey: 'spans trace:1',
  partId: `p${String(offset++).padStart(4, '0')}`,
  sourceFormat: 'otlp-json',
  topic: 'spans',
  partition: 0,
  offset,
  recordIndex: 0,
  body: {
    callKey: 'rpc:s:1',
    draft: {
      timestamp_source: 'event',
      'mcp.session.id': 's',
      'jsonrpc.request.id': '1',
      'gen_ai.tool.name': 'export',
      outcome: 'success',
      duration_ms: 10,
      ...draft,
    },
  },
})
const countOf = (...drafts: EventDraft[]) => assembleParts(drafts.map(part)).length
const args = (n: number) => ({ 'gen_ai.tool.call.arguments': JSON.stringify({ n }) })

describe('parts under one key', () => {
  it('are several calls where one call cannot be that', () => {
    const under = (span_id: string, seconds: number) => ({
      ...{ span_id, parent_span_id: 'agent', occurred_at: at(seconds) },
    })
    expect(countOf({ ...under('a', 1), ...args(1) }, { ...under('b', 1), ...args(2) })).toBe(2)
    expect(countOf(under('a', 1), under('b', 1))).toBe(2)
    expect(countOf({ occurred_at: at(1) }, { occurred_at: at(2) }, { occurred_at: at(3) })).toBe(3)
    expect(countOf({ occurred_at: at(1), 'gateway.id': 'g' }, { occurred_at: at(30) })).toBe(2)
  })

  it('are one call where they are layers, repetitions of a record, or rewritten by a policy', () => {
    expect(
      countOf(
        { span_id: 'a', occurred_at: at(1), duration_ms: 900, ...args(1) },
        { span_id: 'b', parent_span_id: 'a', occurred_at: at(1) },
        { span_id: 'c', parent_span_id: 'a', occurred_at: at(1) },
      ),
    ).toBe(1)
    expect(countOf({ occurred_at: at(1), ...args(1) }, { occurred_at: at(1), ...args(1) })).toBe(1)
    expect(
      countOf(
        { span_id: 'a', occurred_at: at(1), 'gen_ai.tool.call.arguments': '{"a":1,"b":[2]}' },
        { span_id: 'a', occurred_at: at(1), 'gen_ai.tool.call.arguments': '{"b":"[2]","a":1}' },
      ),
    ).toBe(1)
    expect(
      countOf(
        { span_id: 'a', occurred_at: at(1), ...args(1) },
        {
          ...{ span_id: 'b', parent_span_id: 'a', occurred_at: at(1), ...args(2) },
          'gen_ai.security.decision.type': 'modify',
        },
      ),
    ).toBe(1)
  })

  it('give the first call the id that it has without the others', () => {
    const first = part({ span_id: 'a', parent_span_id: 'x', occurred_at: at(1), ...args(1) })
    const [alone] = assembleParts([first])
    const all = assembleParts([
      first,
      part({ span_id: 'b', parent_span_id: 'x', occurred_at: at(2), ...args(2) }),
      part({ span_id: 'c', parent_span_id: 'x', occurred_at: at(3), ...args(1) }),
    ])
    expect(all.map(({ draft }) => draft.event_id)).toContain(alone?.draft.event_id)
    expect(new Set(all.map(({ draft }) => draft.event_id)).size).toBe(3)
  })
})
