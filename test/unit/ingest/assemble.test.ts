import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EventDraft } from '../../../core/audit-event.ts'
import { assembleParts } from '../../../ingest/assemble.ts'
import { sameTool } from '../../../ingest/find-calls.ts'
import type { EventPart } from '../../../ingest/record.ts'
import { cpuMsOf } from '../../helpers/cpu-time.ts'
import { record, run, sample } from './sample-pipeline.ts'

let next = 0
const part = (callKey: string, draft: EventDraft, joinKey = 'trace:1'): EventPart => {
  const offset = next++
  return {
    tenant: 'acme',
    joinKey,
    partId: `p${offset}`,
    sourceFormat: 'otlp-json',
    topic: 'spans',
    partition: 0,
    offset,
    recordIndex: 0,
    body: {
      callKey,
      draft: { timestamp_source: 'event', occurred_at: `2026-08-21T14:03:1${offset % 10}.000000Z`, ...draft },
    },
  }
}

describe('assembleParts', () => {
  it('joins the layers of a gateway: nested spans whose names differ by prefix', () => {
    const calls = assembleParts([
      part('', { span_id: 'root', 'client.address': '10.0.0.1', 'user.email': 'a@x' }),
      part('span:a', {
        span_id: 'a',
        parent_span_id: 'root',
        'gen_ai.tool.name': 'crm-get-customer',
        'tool.name.raw': 'crm-get-customer',
        outcome: 'success',
      }),
      part('', { span_id: 'm', parent_span_id: 'a' }),
      part('span:b', {
        span_id: 'b',
        parent_span_id: 'm',
        'gen_ai.tool.name': 'get_customer',
        'tool.name.raw': 'get_customer',
        outcome: 'failure',
        'error.type': 'tool_error',
      }),
    ])
    expect(calls).toHaveLength(1)
    expect(calls[0]?.draft).toMatchObject({
      'gen_ai.tool.name': 'get_customer',
      'tool.name.raw': 'crm-get-customer',
      outcome: 'failure',
      'error.type': 'tool_error',
      'client.address': '10.0.0.1',
      'user.email': 'a@x',
    })
  })

  it('puts an approval, a policy decision and a result of one call together', () => {
    const id = { 'gen_ai.tool.call.id': 't1', 'gen_ai.tool.name': 'read_file' }
    const [call, ...others] = assembleParts([
      part('call:t1', {
        ...id,
        'event.sequence': 7,
        'approval.asked': true,
        'approval.by': 'user',
        'approval.answer': 'approved',
        'approval.wait_ms': 4200,
        'gen_ai.security.decision.type': 'allow',
        'gen_ai.security.policy.id': 'default',
      }),
      part('call:t1', {
        ...id,
        'gen_ai.security.decision.type': 'modify',
        'gen_ai.security.policy.id': 'mask-secrets',
      }),
      part('call:t1', {
        ...id,
        'event.sequence': 8,
        outcome: 'success',
        'http.response.status_code': 200,
        'mcp.tool.is_error': false,
        'gen_ai.usage.cost': 0.25,
      }),
    ])
    expect(others).toEqual([])
    expect(call?.draft).toMatchObject({
      'event.sequence': 7,
      'approval.asked': true,
      'approval.by': 'user',
      'approval.answer': 'approved',
      'approval.wait_ms': 4200,
      'gen_ai.security.decision.type': 'modify',
      'gen_ai.security.policy.id': 'mask-secrets',
      outcome: 'success',
      'mcp.tool.is_error': false,
      'gen_ai.usage.cost': 0.25,
    })
  })

  it('keeps what each layer says of a call, and derives the outcome from all of them', () => {
    const span = { span_id: 's', 'gen_ai.tool.name': 'read_file' }
    const [call] = assembleParts([
      part('span:s', { ...span, outcome: 'success', 'http.response.status_code': 200 }),
      part('span:s', {
        ...span,
        outcome: 'failure',
        'http.response.status_code': 502,
        'mcp.tool.is_error': true,
      }),
    ])
    expect(call?.draft).toMatchObject({
      outcome: 'failure',
      'http.response.status_code': 502,
      'mcp.tool.is_error': true,
    })
    const [denied] = assembleParts([
      part('span:s', { ...span, 'gen_ai.security.decision.type': 'deny' }),
      part('span:s', { ...span, outcome: 'success', 'http.response.status_code': 200 }),
    ])
    expect(denied?.draft.outcome).toBe('denied')
  })

  it('keeps calls apart that an id, a name or a span tells apart', () => {
    const ofCalls = (drafts: EventDraft[]) =>
      assembleParts(drafts.map((draft, index) => part(`span:${draft.span_id ?? index}`, draft))).length
    expect(
      ofCalls([
        { span_id: 'a', 'gen_ai.tool.name': 'x' },
        { span_id: 'b', 'gen_ai.tool.name': 'x' },
      ]),
    ).toBe(2)
    expect(
      ofCalls([
        { span_id: 'a', 'gen_ai.tool.name': 'x' },
        { span_id: 'b', parent_span_id: 'a', 'gen_ai.tool.name': 'y' },
      ]),
    ).toBe(2)
    const twice = [1, 2].map((id) =>
      part(`call:${id}`, { span_id: 's', 'gen_ai.tool.call.id': String(id), 'gen_ai.tool.name': 'x' }),
    )
    expect(assembleParts(twice)).toHaveLength(2)
  })

  it('does not count what the gateway asks upstream while it serves a call', () => {
    const calls = assembleParts([
      part('span:a', { span_id: 'a', 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'x' }),
      part('span:b', { span_id: 'b', parent_span_id: 'a', 'mcp.method.name': 'tools/list' }),
    ])
    expect(calls.map(({ draft }) => draft['mcp.method.name'])).toEqual(['tools/call'])
    expect(assembleParts([part('span:b', { span_id: 'b', 'mcp.method.name': 'tools/list' })])).toHaveLength(1)
  })

  it('lends what all surroundings agree on, and nothing that they disagree on', () => {
    const calls = assembleParts([
      part('', { span_id: 'r1', 'user.id': 'alice', 'client.address': '10.0.0.1' }),
      part('', { span_id: 'r2', 'user.id': 'bob', 'client.address': '10.0.0.1' }),
      part('span:a', { span_id: 'a', 'gen_ai.tool.name': 'x' }),
    ])
    expect(calls[0]?.draft['user.id']).toBeUndefined()
    expect(calls[0]?.draft['client.address']).toBe('10.0.0.1')
  })

  it('makes no event of spans that are no calls, and survives a circle of parents', () => {
    expect(
      assembleParts([
        part('', { span_id: 'a', parent_span_id: 'b' }),
        part('', { span_id: 'b', parent_span_id: 'a' }),
      ]),
    ).toEqual([])
    const circle = [
      part('span:a', { span_id: 'a', parent_span_id: 'b', 'gen_ai.tool.name': 'x' }),
      part('span:b', { span_id: 'b', parent_span_id: 'a', 'gen_ai.tool.name': 'x' }),
    ]
    expect(assembleParts(circle)).toHaveLength(1)
  })

  it('keeps calls apart that use one id for two tools, with ids of their own, and joins the same tool', () => {
    const id = { 'gen_ai.tool.call.id': 'c1' }
    const calls = assembleParts([
      part('call:c1', { ...id, 'gen_ai.tool.name': 'crm-get' }),
      part('call:c1', { ...id, 'gen_ai.tool.name': 'get', outcome: 'failure' }),
      part('call:c1', { ...id, 'gen_ai.tool.name': 'Bash' }),
    ])
    expect(calls.map(({ draft }) => draft['gen_ai.tool.name']).sort()).toEqual(['Bash', 'get'])
    expect(new Set(calls.map(({ draft }) => draft.event_id)).size).toBe(2)
    const named = assembleParts([
      part('call:c1', { ...id, 'gen_ai.tool.name': 'mcp_tool' }),
      part('call:c1', { ...id, 'gen_ai.tool.name': 'search' }),
    ])
    expect(named).toHaveLength(1)
  })

  it('takes time in proportion to the parts, whatever they claim of spans', () => {
    const timeOf = (count: number): number => {
      return cpuMsOf(() => {
        const oneSpan = Array.from({ length: count }, (_, index) =>
          part(`id:${index}`, { event_id: String(index), span_id: 's', 'gen_ai.tool.name': 'x' }),
        )
        expect(assembleParts(oneSpan)).toHaveLength(count)
        const chain = Array.from({ length: count }, (_, index) =>
          part('', { span_id: `s${index}`, parent_span_id: `s${index + 1}` }),
        )
        const leaves = Array.from({ length: count / 10 }, (_, index) =>
          part(`span:l${index}`, {
            span_id: `l${index}`,
            parent_span_id: 's0',
            'gen_ai.tool.name': `t${index}`,
          }),
        )
        expect(assembleParts([...chain, ...leaves])).toHaveLength(count / 10)
        const oneId = Array.from({ length: count }, (_, index) =>
          part('call:1', { 'gen_ai.tool.call.id': '1', 'gen_ai.tool.name': `t${index}` }),
        )
        expect(assembleParts(oneId).length).toBeGreaterThan(count / 20)
      })
    }
    timeOf(2000)
    // Eight times the parts: eight times as long is in proportion, sixty-four times is not.
    expect(timeOf(16_000)).toBeLessThan(40 * Math.min(timeOf(2000), timeOf(2000), timeOf(2000)))
  })

  it('compares names apart from prefix and separators', () => {
    expect(sameTool('crm-get-customer', 'get_customer')).toBe(true)
    expect(sameTool('Target___Tool', 'tool')).toBe(true)
    expect(sameTool('forget_customer', 'get_customer')).toBe(false)
  })

  const span = fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { nil: undefined })
  const anyPart = fc
    .record({
      id: fc.nat(40),
      join: fc.constantFrom('trace:1', 'trace:2'),
      call: fc.constantFrom('', 'span:a', 'span:b', 'call:1', 'rpc:s:1'),
      span_id: span,
      parent_span_id: span,
      tool: fc.constantFrom(undefined, 'crm-get', 'get', 'put'),
      method: fc.constantFrom(undefined, 'tools/call', 'tools/list'),
      user: fc.constantFrom(undefined, 'alice', 'bob'),
      outcome: fc.constantFrom(undefined, 'success', 'failure', 'denied'),
      callId: fc.constantFrom(undefined, '1', '2'),
      second: fc.nat(9),
      duration: fc.option(fc.nat(100), { nil: undefined }),
    })
    .map(({ id, join, call, tool, method, user, callId, second, duration, ...more }): EventPart => {
      const draft = {
        ...more,
        'gen_ai.tool.name': tool,
        'mcp.method.name': method,
        'user.id': user,
        'gen_ai.tool.call.id': callId,
        duration_ms: duration,
        occurred_at: `2026-08-21T14:03:0${second}.000000Z`,
        timestamp_source: 'event',
      }
      const known = Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== undefined))
      return { ...part(call, known as EventDraft, join), partId: `p${id}`, offset: id }
    })
  // The same id is the same record.
  const distinct = fc.uniqueArray(anyPart, { selector: ({ partId }) => partId, maxLength: 12 })

  it('is imported as history only when all of its parts are', () => {
    const ofTool = (parentId: string) =>
      part('span:a', { span_id: 'a', parent_span_id: parentId, 'gen_ai.tool.name': 'search' })
    const imported = ({ body, ...rest }: EventPart): EventPart => ({
      ...rest,
      body: { ...body, imported: true },
    })
    const [first, second] = [ofTool('x'), ofTool('y')]
    expect(assembleParts([imported(first), imported(second)]).map((call) => call.imported)).toEqual([true])
    expect(assembleParts([imported(first), second]).map((call) => call.imported)).toEqual([undefined])
  })

  it('is a function of the set of parts: order and repetition change nothing', () => {
    fc.assert(
      fc.property(distinct, fc.infiniteStream(fc.nat()), (parts, keys) => {
        const shuffled = [...parts, ...parts.slice(0, 3)]
          .map((item) => [keys.next().value as number, item] as const)
          .sort(([a], [b]) => a - b)
          .map(([, item]) => item)
        expect(assembleParts(shuffled)).toEqual(assembleParts(parts))
      }),
      { numRuns: 300 },
    )
  })

  it('is the same join key by join key as together', () => {
    fc.assert(
      fc.property(distinct, (parts) => {
        const apart = ['trace:1', 'trace:2'].flatMap((key) =>
          assembleParts(parts.filter(({ joinKey }) => joinKey === key)),
        )
        expect(apart).toEqual(assembleParts(parts))
      }),
    )
  })

  it('gives a real call the same id whether the log or the span comes first', () => {
    const names = ['otel-semconv-mcp-otlp-logs.json', 'otel-semconv-mcp-otlp-traces.json']
    const { parts } = run(names.map((name, offset) => record(sample(name), { offset })))
    const calls = assembleParts(parts)
    expect(calls).toHaveLength(1)
    expect(calls[0]?.draft).toMatchObject({
      'user.id': 'alice',
      outcome: 'failure',
      'server.address': 'mcp.example.com',
    })
    expect(assembleParts([...parts].reverse())).toEqual(calls)
  })
})
