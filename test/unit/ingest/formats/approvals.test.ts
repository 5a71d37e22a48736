import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../../core/audit-event.ts'
import { eventsOf, record, run, sample } from '../sample-pipeline.ts'

const reported = (name: string) => readFileSync(new URL(`../cases/${name}`, import.meta.url))
const eventsIn = (value: Uint8Array | string): readonly AuditEvent[] => {
  const batch = run([record(value)])
  expect(batch.deadLetters).toEqual([])
  return eventsOf(batch).toSorted((a, b) => a.occurred_at.localeCompare(b.occurred_at))
}

const attributesOf = (fields: Record<string, string | boolean>) =>
  Object.entries(fields).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? { stringValue: value } : { boolValue: value },
  }))
const logs = (service: string, ...records: Record<string, string | boolean>[]): string =>
  JSON.stringify({
    resourceLogs: [
      {
        resource: { attributes: attributesOf({ 'service.name': service }) },
        scopeLogs: [
          {
            logRecords: records.map((fields, second) => ({
              timeUnixNano: `17951652${String(second).padStart(2, '0')}000000000`,
              attributes: attributesOf(fields),
            })),
          },
        ],
      },
    ],
  })

describe('Claude Code', () => {
  it('joins a decision and a result that share no id, and keeps a refusal (anthropics/claude-code#60726)', () => {
    const events = eventsIn(reported('claude-code-without-ids.json'))
    expect(events).toHaveLength(2)
    expect(events[0]).toMatchObject({
      'mcp.server.name': 'files',
      'gen_ai.tool.name': 'read_file',
      outcome: 'success',
      duration_ms: 2100,
      'approval.asked': false,
      'approval.by': 'config',
      'approval.answer': 'approved',
    })
    expect(events[1]).toMatchObject({
      'gen_ai.tool.name': 'delete_file',
      outcome: 'denied',
      'approval.asked': true,
      'approval.by': 'user',
      'approval.answer': 'denied',
    })
  })

  const call = { 'session.id': 's1', tool_name: 'Bash' }
  const decision = { ...call, 'event.name': 'tool_decision', decision: 'accept', source: 'user_permanent' }
  const result = { ...call, 'event.name': 'tool_result', success: 'true', duration_ms: '5' }

  it('pairs in order, each result once, and only of the same tool', () => {
    const events = eventsIn(
      logs(
        'claude-code',
        decision,
        { ...decision, tool_name: 'Read' },
        result,
        decision,
        { ...result, success: 'false' },
        result,
      ),
    )
    expect(
      events.map((event) => [event['gen_ai.tool.name'], event.outcome, event['approval.answer']]),
    ).toEqual([
      ['Bash', 'success', 'approved-always'],
      ['Read', 'unknown', 'approved-always'],
      ['Bash', 'failure', 'approved-always'],
      ['Bash', 'success', undefined],
    ])
  })

  it('says how long a person was waited for: the span in which it is blocked', () => {
    const span = (
      spanId: string,
      parentSpanId: string,
      name: string,
      seconds: readonly [number, number],
      fields: object,
    ) => ({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId,
      parentSpanId,
      name,
      startTimeUnixNano: `179516520${seconds[0]}000000000`,
      endTimeUnixNano: `179516520${seconds[1]}000000000`,
      attributes: attributesOf({ 'session.id': 's1', ...fields }),
    })
    const spans = [
      span('aaaaaaaaaaaaaaaa', '', 'claude_code.tool', [0, 8], {
        tool_name: 'Bash',
        tool_use_id: 't1',
        success: 'true',
        agent_id: 'sub-1',
        parent_agent_id: 'main-1',
      }),
      span('bbbbbbbbbbbbbbbb', 'aaaaaaaaaaaaaaaa', 'claude_code.tool.blocked_on_user', [1, 7], {
        decision: 'accept',
        source: 'user_temporary',
      }),
    ]
    const events = eventsIn(
      JSON.stringify({
        resourceSpans: [
          {
            resource: { attributes: attributesOf({ 'service.name': 'claude-code' }) },
            scopeSpans: [{ spans }],
          },
        ],
      }),
    )
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      span_id: 'aaaaaaaaaaaaaaaa',
      duration_ms: 8000,
      outcome: 'success',
      'approval.asked': true,
      'approval.by': 'user',
      'approval.answer': 'approved',
      'approval.wait_ms': 6000,
      'ai_agent.instance_uid': 'sub-1',
      'ai_agent.parent_uid': 'main-1',
    })
    expect(events[0]?.['gen_ai.agent.id']).toBeUndefined()
  })

  it('numbers its records', () => {
    const sequences = eventsIn(sample('claude-code-otlp-logs.json')).map((event) => event['event.sequence'])
    expect(sequences.filter((sequence) => sequence !== undefined).length).toBeGreaterThan(0)
  })
})

describe('Codex', () => {
  it('makes one call of a decision and a result, with the model', () => {
    const events = eventsIn(sample('codex-otlp-logs.json'))
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      'gen_ai.tool.name': 'create_issue',
      outcome: 'success',
      'approval.asked': true,
      'approval.by': 'user',
      'approval.answer': 'approved',
      'gen_ai.request.model': 'gpt-5.1-codex',
    })
  })

  it.each([
    ['approved_for_session', 'user', 'approved-for-session', 'unknown'],
    ['approved_execpolicy_amendment', 'user', 'approved-always', 'unknown'],
    ['denied', 'config', 'denied', 'denied'],
    ['abort', 'user', 'aborted', 'denied'],
  ])('%s by %s is %s', (decision, source, answer, outcome) => {
    const [event] = eventsIn(
      logs('codex_cli_rs', {
        'event.name': 'codex.tool_decision',
        'conversation.id': 'c1',
        call_id: 'k1',
        tool_name: 'shell',
        decision,
        source,
      }),
    )
    expect(event).toMatchObject({
      'approval.answer': answer,
      'approval.by': source,
      'approval.asked': source === 'user',
      outcome,
    })
  })
})

describe('Gemini CLI', () => {
  it('reports a call, its approval and its result in one record', () => {
    const events = eventsIn(reported('gemini-cli.json'))
    const common = {
      'user.email': 'ada.r@example.test',
      'gen_ai.conversation.id': '7c9e6679-7425-40de-944b-e07fc1f90ae7',
    }
    expect(events).toHaveLength(3)
    expect(events[0]).toMatchObject({
      ...common,
      'gen_ai.tool.name': 'create_issue',
      'mcp.server.name': 'tracker',
      'mcp.client.name': 'gemini-cli',
      'gen_ai.tool.call.arguments': '{"title": "printer on fire"}',
      outcome: 'success',
      duration_ms: 410,
      'approval.answer': 'approved',
    })
    expect(events[1]).toMatchObject({
      ...common,
      'gen_ai.tool.name': 'run_shell_command',
      outcome: 'denied',
      'approval.answer': 'denied',
    })
    expect(events[2]).toMatchObject({
      ...common,
      'gen_ai.tool.name': 'read_file',
      outcome: 'failure',
      'error.type': 'file_not_found',
    })
  })

  it('accepted by a setting: nobody was asked', () => {
    const [event] = eventsIn(
      logs('gemini-cli', {
        'event.name': 'gemini_cli.tool_call',
        function_name: 'read_file',
        success: true,
        decision: 'auto_accept',
      }),
    )
    expect(event).toMatchObject({
      'approval.asked': false,
      'approval.by': 'config',
      'approval.answer': 'approved',
    })
  })

  it('a function elsewhere is no tool', () => {
    expect(eventsIn(logs('lambda', { function_name: 'resize-image', success: true }))).toEqual([])
  })
})

describe('policies over OTLP', () => {
  it('a guardrail’s span inside a call is about the call', () => {
    const span = (spanId: string, parentSpanId: string, name: string, fields: Record<string, string>) => ({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId,
      parentSpanId,
      name,
      startTimeUnixNano: '1795165200000000000',
      endTimeUnixNano: '1795165201000000000',
      attributes: attributesOf(fields),
    })
    const guard = {
      'gen_ai.operation.name': 'apply_guardrail',
      'gen_ai.security.target.type': 'tool_call',
      'gen_ai.security.decision.type': 'deny',
      'gen_ai.security.policy.id': 'no-mail',
    }
    const call = {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'send_email',
      'mcp.method.name': 'tools/call',
    }
    const both = [
      span('aaaaaaaaaaaaaaaa', '', 'execute_tool send_email', call),
      span('bbbbbbbbbbbbbbbb', 'aaaaaaaaaaaaaaaa', 'apply_guardrail Mail', guard),
    ]
    const message = (spans: readonly object[]) =>
      JSON.stringify({ resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ spans }] }] })
    const events = eventsIn(message(both))
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      span_id: 'aaaaaaaaaaaaaaaa',
      'gen_ai.tool.name': 'send_email',
      'gen_ai.security.decision.type': 'deny',
      'gen_ai.security.policy.id': 'no-mail',
      outcome: 'denied',
    })
    // A check of anything but a call makes no call.
    expect(eventsIn(message(both.slice(1)))).toEqual([])
  })

  it('a plain decision of anybody but a coding agent is a policy’s', () => {
    const [event] = eventsIn(
      logs('gatekeeper', {
        'gen_ai.tool.name': 'send',
        'mcp.method.name': 'tools/call',
        decision: 'blocked',
      }),
    )
    expect(event).toMatchObject({ outcome: 'denied', 'gen_ai.security.decision.type': 'deny' })
    expect(event?.['approval.answer']).toBeUndefined()
  })
})
