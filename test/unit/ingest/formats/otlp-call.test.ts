import { describe, expect, it } from 'vitest'
import { assemble, record, run, sample } from '../sample-pipeline.ts'

type Value = string | number | boolean | object

const wrapped = (value: Value): object => {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number')
    return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  return { kvlistValue: { values: attributesOf(value as Record<string, Value>) } }
}
const attributesOf = (values: Record<string, Value>) =>
  Object.entries(values).map(([key, value]) => ({ key, value: wrapped(value) }))

interface Given {
  readonly service?: string
  readonly scope?: string
  readonly attributes: Record<string, Value>
  readonly [field: string]: unknown
}

const TIME = '1787320991482000000'

function eventsOf(kind: 'log' | 'span', ...records: Given[]) {
  const [resources, scopes, list] =
    kind === 'log' ? ['resourceLogs', 'scopeLogs', 'logRecords'] : ['resourceSpans', 'scopeSpans', 'spans']
  const message = {
    [resources]: records.map(({ service = 'gw', scope = '', attributes, ...fields }) => ({
      resource: { attributes: attributesOf({ 'service.name': service }) },
      [scopes]: [
        {
          scope: { name: scope },
          [list]: [
            {
              [kind === 'log' ? 'timeUnixNano' : 'startTimeUnixNano']: TIME,
              attributes: attributesOf(attributes),
              ...fields,
            },
          ],
        },
      ],
    })),
  }
  const batch = run([record(JSON.stringify(message))])
  expect(batch.deadLetters).toEqual([])
  return assemble(batch.parts)
}

const ids = (trace: string, span: string, parent?: string) => ({
  traceId: trace.padStart(32, '0'),
  spanId: span.padStart(16, '0'),
  ...(parent === undefined ? {} : { parentSpanId: parent.padStart(16, '0') }),
})

describe('names of gateways and clients', () => {
  it('Claude Code: three tool events and a server that did not start', () => {
    // The fixture’s records all have the same anonymised id of the tool call; real ones do not.
    const message = JSON.parse(sample('claude-code-otlp-logs.json').toString('utf8'))
    message.resourceLogs[0].scopeLogs[0].logRecords.forEach(
      (log: { attributes: { key: string; value: object }[] }, index: number) => {
        for (const attribute of log.attributes)
          if (attribute.key === 'tool_use_id') attribute.value = { stringValue: `toolu_${index}` }
      },
    )
    const events = assemble(run([record(JSON.stringify(message))]).parts)
    const facts = events.map((event) => [
      event['mcp.method.name'],
      event['mcp.server.name'],
      event['gen_ai.tool.name'],
      event.outcome,
    ])
    expect(facts.sort()).toEqual([
      ['initialize', 'plugin:code-review-graph:code-review-graph', undefined, 'failure'],
      ['tools/call', undefined, 'Bash', 'denied'],
      ['tools/call', undefined, 'Bash', 'failure'],
      ['tools/call', 'codebase-memory-mcp', 'list_projects', 'success'],
    ])
    expect(events.every((event) => event['mcp.client.name'] === 'claude-code')).toBe(true)
  })

  it('Claude Code: ids used again for another tool are two calls', () => {
    const events = assemble(run([record(sample('claude-code-otlp-logs.json'))]).parts)
    expect(
      events
        .filter((event) => event['mcp.method.name'] === 'tools/call')
        .map((event) => event['gen_ai.tool.name'])
        .sort(),
    ).toEqual(['Bash', 'list_projects'])
    expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(events.length)
  })

  it('Codex: a refused call is denied, a decision and its result are one call', () => {
    const base = { 'conversation.id': 'c1', tool_name: 'mcp__github__create_issue' }
    const events = eventsOf(
      'log',
      {
        service: 'codex_cli_rs',
        attributes: { ...base, 'event.name': 'codex.tool_decision', call_id: '1', decision: 'denied' },
      },
      {
        service: 'codex_cli_rs',
        attributes: { ...base, 'event.name': 'codex.tool_decision', call_id: '2', decision: 'approved' },
      },
      {
        service: 'codex_cli_rs',
        attributes: { ...base, 'event.name': 'codex.tool_result', call_id: '2', success: 'false' },
      },
    )
    expect(
      events
        .map((event) => [
          event['gen_ai.tool.call.id'],
          event['mcp.server.name'],
          event['gen_ai.tool.name'],
          event.outcome,
        ])
        .sort(),
    ).toEqual([
      ['1', 'github', 'create_issue', 'denied'],
      ['2', 'github', 'create_issue', 'failure'],
    ])
  })

  it('LiteLLM: person, server and arguments out of a Python repr, secrets redacted', () => {
    const [event] = eventsOf('span', {
      ...ids('1', '2'),
      attributes: {
        'mcp.method.name': 'tools/call',
        'gen_ai.tool.name': 'crm-post_message',
        'metadata.user_api_key_user_id': 'alice-id',
        'metadata.user_api_key_user_email': 'alice@example.com',
        'metadata.requester_ip_address': '10.1.2.3',
        'metadata.mcp_tool_call_metadata':
          "{'name': 'post_message', 'arguments': {'text': \"it's\", 'api_key': 'sk-canary-0123456789abcdef-DO-NOT-STORE'}, 'mcp_server_name': 'crm', 'mcp_session_id': 's-1', 'cost': None}",
      },
    })
    expect(event).toMatchObject({
      'user.id': 'alice-id',
      'client.address': '10.1.2.3',
      'mcp.server.name': 'crm',
      'gen_ai.tool.name': 'post_message',
      'tool.name.raw': 'crm-post_message',
      'mcp.session.id': 's-1',
      argument_keys: ['text', 'api_key'],
    })
    expect(JSON.stringify(event)).not.toContain('sk-canary')
  })

  it('Kuadrant: an audit line, and plain words that mean nothing elsewhere', () => {
    const words = {
      user: 'u1',
      tool: 'test_greet',
      server: 'mcp/server1',
      status: '403',
      session: 'sha256:ab',
    }
    expect(eventsOf('log', { attributes: { audit: true, ...words } })).toMatchObject([
      {
        'gen_ai.tool.name': 'test_greet',
        'mcp.server.name': 'mcp/server1',
        outcome: 'denied',
        'user.id': 'u1',
      },
    ])
    expect(eventsOf('log', { attributes: words })).toEqual([])
    const istio = {
      mcp_method: 'tools/call',
      mcp_tool_name: 't',
      mcp_server_name: 's',
      mcp_user_id: 'u',
      response_code: 403,
    }
    expect(eventsOf('log', { attributes: istio })).toMatchObject([
      { 'mcp.server.name': 's', actor: 'u', outcome: 'denied' },
    ])
  })

  it('Envoy AI Gateway: the vocabulary of before the conventions', () => {
    const scope = 'envoyproxy/ai-gateway'
    const [call] = eventsOf('span', {
      scope,
      ...ids('1', '2'),
      name: 'CallTool',
      attributes: { 'mcp.request.id': '7', 'mcp.transport': 'http', 'mcp.tool.name': 'github__search' },
    })
    expect(call).toMatchObject({
      'mcp.method.name': 'tools/call',
      'mcp.server.name': 'github',
      'gen_ai.tool.name': 'search',
      'jsonrpc.request.id': '7',
      'network.transport': 'tcp',
    })
    expect(eventsOf('span', { scope, ...ids('3', '4'), name: 'ListTools', attributes: {} })).toMatchObject([
      { 'mcp.method.name': 'tools/list' },
    ])
    expect(eventsOf('span', { scope: 'other', ...ids('3', '4'), name: 'ListTools', attributes: {} })).toEqual(
      [],
    )
  })

  it('Docker: tool calls and tool lists', () => {
    const scope = 'github.com/docker/mcp-gateway'
    expect(
      eventsOf('span', {
        scope,
        ...ids('1', '2'),
        name: 'mcp.tool.call',
        attributes: { 'mcp.tool.name': 'x', 'mcp.server.name': 's' },
      }),
    ).toMatchObject([{ 'gen_ai.tool.name': 'x', 'mcp.server.name': 's', outcome: 'success' }])
    expect(
      eventsOf('span', { scope, ...ids('1', '2'), name: 'mcp.list.tools', attributes: {} }),
    ).toMatchObject([{ 'mcp.method.name': 'tools/list' }])
  })

  it('a client leg that names its tool in its name only is the call that it serves', () => {
    const method = { 'mcp.method.name': 'tools/call' }
    const events = eventsOf(
      'span',
      {
        ...ids('1', 'a'),
        name: 'tools/call crm-get_customer',
        kind: 2,
        attributes: { ...method, 'gen_ai.tool.name': 'crm-get_customer' },
      },
      { ...ids('1', 'b', 'a'), name: 'MCP send tools/call get_customer', kind: 3, attributes: method },
      { ...ids('2', 'c'), name: 'MCP send tools/call other', kind: 3, attributes: method },
    )
    expect(events.map((event) => event['gen_ai.tool.name']).sort()).toEqual(['get_customer', 'other'])
  })

  it('a Collector that reads files: the line in the body, as a map or as text', () => {
    const line = { 'gen_ai.tool.name': 'echo', 'jwt.sub': 'u1', 'http.status': 403 }
    const wanted = [{ 'gen_ai.tool.name': 'echo', actor: 'u1', outcome: 'denied' }]
    expect(
      eventsOf('log', { attributes: {}, body: { kvlistValue: { values: attributesOf(line) } } }),
    ).toMatchObject(wanted)
    expect(eventsOf('log', { attributes: {}, body: { stringValue: JSON.stringify(line) } })).toMatchObject(
      wanted,
    )
    expect(eventsOf('log', { attributes: {}, body: { stringValue: '{"broken' } })).toEqual([])
  })
})

describe('notations of OTLP/JSON', () => {
  const call = { 'gen_ai.tool.name': 'x' }

  it('takes enums as numbers and as names', () => {
    for (const code of [2, '2', 'STATUS_CODE_ERROR'])
      expect(eventsOf('span', { ...ids('1', '2'), attributes: call, status: { code } })[0]?.outcome).toBe(
        'failure',
      )
    for (const severityNumber of [17, '18', 'SEVERITY_NUMBER_ERROR', 'SEVERITY_NUMBER_FATAL2'])
      expect(eventsOf('log', { attributes: call, severityNumber })[0]?.outcome).toBe('failure')
    for (const severityNumber of [9, 'SEVERITY_NUMBER_WARN4'])
      expect(eventsOf('log', { attributes: call, severityNumber })[0]?.outcome).toBe('unknown')
  })

  it('takes times as text and as numbers, the observed one when there is no other, ours when there is none', () => {
    const at = (fields: object) => {
      const [event] = eventsOf('log', { attributes: call, ...fields })
      return [event?.occurred_at, event?.timestamp_source]
    }
    expect(at({})).toEqual(['2026-08-21T14:03:11.482000Z', 'event'])
    expect(at({ timeUnixNano: 1787320991000000000 })).toEqual(['2026-08-21T14:03:11.000000Z', 'event'])
    expect(at({ timeUnixNano: '0', observedTimeUnixNano: TIME })).toEqual([
      '2026-08-21T14:03:11.482000Z',
      'observed',
    ])
    expect(at({ timeUnixNano: undefined })).toEqual(['2026-11-30T00:00:00.000000Z', 'received'])
  })

  it('takes ids in hex of any case, and in base64 from the plain mapping of protobuf', () => {
    const trace = '0af7651916cd43dd8448eb211c80319c'
    const traceOf = (traceId: string) =>
      eventsOf('span', { ...ids('1', '2'), traceId, attributes: call })[0]?.trace_id
    expect(traceOf(trace)).toBe(trace)
    expect(traceOf(trace.toUpperCase())).toBe(trace)
    expect(traceOf(Buffer.from(trace, 'hex').toString('base64'))).toBe(trace)
  })

  it('passes over fields and attributes that nobody knows', () => {
    const [event] = eventsOf('log', {
      attributes: { ...call, 'x.y': { a: { b: 1 } } },
      flags: 1,
      new_field: { deep: [] },
    })
    expect(event).toMatchObject({ 'gen_ai.tool.name': 'x', outcome: 'unknown' })
  })

  it('prefers the strongest name, whatever the order, and what the record says to what its resource says', () => {
    const who = (attributes: Record<string, Value>) =>
      eventsOf('log', { attributes: { ...call, ...attributes } })[0]?.['user.id']
    expect(who({ user: 'c', 'enduser.id': 'b', 'user.id': 'a' })).toBe('a')
    expect(who({ 'user.id': 'a', 'enduser.id': 'b', user: 'c' })).toBe('a')
    expect(who({ 'user.id': '', 'enduser.id': 'b' })).toBe('b')
  })

  it('joins nothing by ids of zeros, which are nobody’s', () => {
    const zeros = { traceId: '0'.repeat(32), spanId: '0'.repeat(16) }
    const of = (user: string) => ({ ...zeros, attributes: { ...call, 'user.id': user } })
    for (const kind of ['log', 'span'] as const) {
      const events = eventsOf(kind, of('a'), of('b'), of('c'))
      expect(events.map((event) => event['user.id']).sort()).toEqual(['a', 'b', 'c'])
      expect(events.map((event) => event.trace_id)).toEqual([undefined, undefined, undefined])
    }
  })

  it('counts a record that an exporter sent twice once', () => {
    expect(eventsOf('log', { attributes: call }, { attributes: call })).toHaveLength(1)
    expect(eventsOf('log', { attributes: call }, { attributes: { ...call, 'user.id': 'b' } })).toHaveLength(2)
  })
})
