import { describe, expect, it } from 'vitest'
import { createFingerprints, FINGERPRINT_LENGTH } from '../../../ingest/fingerprints.ts'
import { eventsOf, record, run } from './sample-pipeline.ts'

const SECRET = Buffer.alloc(32, 7)
const ADDRESS = 'mallory@evil.example'
const RESULT = { content: [{ type: 'text', text: `{"contact":"${ADDRESS}"}` }] }
const [MARK = ''] = createFingerprints(SECRET).ofResult(ADDRESS, 'acme')

const otlp = (attributes: Record<string, string>) => ({
  resourceSpans: [
    {
      scopeSpans: [
        {
          spans: [
            {
              traceId: '5b8aa5a2d2c872e8321cf37308d69df2',
              spanId: '051581bf3cb55c13',
              name: 'tools/call get_contact',
              startTimeUnixNano: '1763546400000000000',
              endTimeUnixNano: '1763546401000000000',
              attributes: Object.entries({
                'mcp.method.name': 'tools/call',
                'gen_ai.tool.name': 'get_contact',
                ...attributes,
              }).map(([key, stringValue]) => ({ key, value: { stringValue } })),
            },
          ],
        },
      ],
    },
  ],
})

describe('results', () => {
  const carriers: Readonly<Record<string, object>> = {
    native: {
      occurred_at: '2026-11-19T10:00:00Z',
      'gen_ai.tool.name': 'get_contact',
      'gen_ai.tool.call.result': RESULT,
    },
    'otlp-json': otlp({ 'gen_ai.tool.call.result': JSON.stringify(RESULT) }),
    agentgateway: {
      time: '2026-08-21T14:03:11Z',
      scope: 'request',
      'src.addr': '1.2.3.4:5',
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'get_contact',
      'http.status': 200,
      tool_result: RESULT,
    },
    kong: {
      started_at: 1_755_000_000_000,
      response: { status: 200 },
      ai: {
        mcp: {
          mcp_session_id: 's',
          rpc: [
            {
              id: '1',
              method: 'tools/call',
              tool_name: 'get_contact',
              latency: 1,
              payload: {
                request: JSON.stringify({
                  method: 'tools/call',
                  params: { name: 'get_contact', arguments: {} },
                }),
                response: JSON.stringify({ jsonrpc: '2.0', id: 1, result: RESULT }),
              },
            },
          ],
        },
      },
    },
    litellm: {
      id: 'x1',
      call_type: 'call_mcp_tool',
      status: 'success',
      startTime: 1_763_546_400,
      endTime: 1_763_546_401,
      model: 'MCP: get_contact',
      metadata: { mcp_tool_call_metadata: { name: 'get_contact', arguments: {} } },
      response: RESULT,
    },
    'openai-agents': {
      object: 'trace.span',
      id: 'span_1',
      trace_id: 'trace_1',
      started_at: '2026-08-21T14:03:11Z',
      ended_at: '2026-08-21T14:03:12Z',
      span_data: { type: 'function', name: 'get_contact', input: '{}', output: JSON.stringify(RESULT) },
      error: null,
    },
  }

  it.each(Object.keys(carriers))('are recognised again and not kept: %s', (format) => {
    const batch = run([record(JSON.stringify(carriers[format]))])
    expect(batch.deadLetters).toEqual([])
    const [event] = eventsOf(batch)
    expect(event?.source_format).toBe(format)
    expect(event?.result_fingerprints).toContain(MARK)
    expect(JSON.stringify([batch, event])).not.toContain('mallory')
  })
})

describe('arguments', () => {
  const call = (given: unknown) => {
    const [event] = run([
      record(
        JSON.stringify({
          occurred_at: '2026-11-19T10:00:00Z',
          'gen_ai.tool.name': 'send_email',
          'gen_ai.tool.call.arguments': given,
        }),
      ),
    ]).events
    return event
  }

  it('have marks that lead back to the result they came from', () => {
    const marks = call({ to: ADDRESS, subject: 'the list' })?.argument_fingerprints ?? []
    expect(marks.map((mark) => mark.slice(-FINGERPRINT_LENGTH))).toContain(MARK)
    expect(marks.find((mark) => mark.endsWith(MARK))).toBe(`to:${MARK}`)
  })

  it('have the mark of the token where a secret was, which says nothing about the secret', () => {
    const password = ['hunter', '2', 'hunter', '2'].join('')
    const event = call({ password })
    const secretMarks = createFingerprints(SECRET).ofArguments({ password }, 'acme')
    expect(event?.argument_fingerprints).toHaveLength(1)
    expect(event?.argument_fingerprints).not.toEqual(secretMarks)
  })

  it('are flagged by shapes that attacks need', () => {
    expect(call({ path: '%2e%2e/%2e%2e/etc/passwd' })?.argument_flags).toEqual([
      'path-traversal',
      'sensitive-path',
    ])
    expect(call({ path: 'docs/readme.md' })?.argument_flags).toBeUndefined()
  })
})
