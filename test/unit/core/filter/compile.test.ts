import { describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../../core/audit-event.ts'
import { compileFilter } from '../../../../core/filter/compile.ts'
import { FilterSyntaxError } from '../../../../core/filter/syntax-error.ts'
import { cpuMsOf } from '../../../helpers/cpu-time.ts'

const event: AuditEvent = {
  event_id: 'e1',
  occurred_at: '2026-08-21T14:03:11.482915Z',
  timestamp_source: 'event',
  source_format: 'native',
  tenant: 'default',
  topic: 'demo',
  partition: 0,
  offset: 7,
  record_index: 0,
  'user.email': 'Carol@Example.com',
  actor: 'carol@example.com',
  'mcp.client.name': 'Claude Desktop',
  'client.address': '10.2.4.17',
  'mcp.server.name': 'github',
  'mcp.method.name': 'tools/call',
  'gen_ai.tool.name': 'create_issue',
  'gen_ai.tool.call.arguments': '{"path":"/etc/passwd","url":"https://evil.example/a?b=c"}',
  argument_keys: ['path', 'url'],
  outcome: 'denied',
  'error.type': 'PermissionError',
  'error.message': 'Not allowed for carol',
  duration_ms: 512.5,
  'mcp.session.id': 's-1',
  chain: 'session:s-1',
  capability: 'write',
  sensitivity: 'internal',
  destination: 'evil.example',
}

const matches = (filter: string): boolean => compileFilter(filter).predicate(event)

describe('compileFilter', () => {
  // Queries that parsers in use fail on, and the rest of the language.
  it.each([
    'ip:10.2.4.17',
    'ip:10.0.0.0/8',
    'client.address:10.2.4.*',
    'tool:(a OR create_issue)',
    'tool:github/create_issue',
    'tool:github/*',
    'tool:*/create_issue',
    'mcp:tools/call',
    'method:tools/call',
    'occurred_at:>=2026-08-21T14:00:00Z',
    'occurred_at:2026-08-21',
    'time:[2026-08-21T16:00+02:00 TO 2026-08-21T14:03]',
    'status:!=ok',
    'status!=ok',
    'outcome:blocked',
    'outcome:DENIED',
    'path:/etc/passwd',
    'url:https://evil.example/a?b=c',
    'https://EVIL.example/a',
    'duration_ms:>500',
    'duration_ms>500',
    'duration:[512.5 TO 600}',
    'duration_ms:(>500 <600)',
    'actor:Carol@example.com',
    'user:*@Example.com',
    'user.email:Carol@Example.com',
    'mcp_server_name:github',
    'argument:path',
    'argument:p*',
    'error:PermissionError',
    'error:"NOT ALLOWED"',
    'session:*',
    '-agent:*',
    'agent:""',
    'chain:session:s-1',
    'destination:evil.example',
    'client:"Claude Desktop"',
    'client:Claude*',
    'carol create_issue',
    'create*sue',
    'tool:(create_* -*_comment)',
    '(server:gitlab OR server:github) AND NOT capability:read',
    'not server:gitlab and actor:carol@example.com or x',
    '',
  ])('%j matches the event', (filter) => {
    expect(matches(filter)).toBe(true)
  })

  it.each([
    'ip:10.2.4.0/28',
    'ip:2001:db8::/32',
    'tool:Create_Issue',
    'tool:create',
    'tool:gitlab/*',
    'occurred_at:>2026-08-21',
    'occurred_at:<2026-08-21T14:03:11.482915Z',
    'request_bytes:>=0',
    '-actor:*',
    'argument:pa',
    'gen_ai.agent.id:*',
    'NOT carol',
    'tool:(create_* -*_issue)',
  ])('%j does not', (filter) => {
    expect(matches(filter)).toBe(false)
  })

  it.each([
    ['münchen:x', 1, 'There is no field “münchen”'],
    ['tol:x', 1, 'Did you mean tool?'],
    ['server:a duration_ms:fast', 22, 'compared with a number'],
    ['occurred_at:2026-02-30', 13, 'compared with a time'],
    ['outcome:huh', 9, 'one of success, failure'],
    ['tool:>a', 7, 'is text'],
    ['tool:[a TO b]', 7, 'is text'],
    ['ip:10.0.0.0/33', 4, 'not a network'],
  ])('refuses %j at column %i', (filter, column, words) => {
    let fault: unknown
    try {
      compileFilter(filter)
    } catch (error) {
      fault = error
    }
    expect(fault).toBeInstanceOf(FilterSyntaxError)
    expect((fault as FilterSyntaxError).column).toBe(column)
    expect((fault as FilterSyntaxError).toLine()).toContain(words)
  })

  it('binds every value and takes names from the caller', () => {
    const hostile = "'; DROP TABLE events --"
    const { sql, params } = compileFilter(`"${hostile}" tool:"${hostile}"`, {
      paramPrefix: 'where_',
      columnPrefix: 'e.',
    })
    expect(sql).not.toContain('DROP')
    expect(sql).toContain('e.gen_ai_tool_name = {where_1:String}')
    expect(params).toEqual({ where_0: `%${hostile.toLowerCase()}%`, where_1: hostile })
  })

  it('compiles from an AST as from its text', () => {
    const { ast, sql, params } = compileFilter('tool:a* -duration_ms:>5')
    expect(compileFilter(ast)).toMatchObject({ sql, params })
  })

  it('stays linear on many stars', () => {
    const text = 'a'.repeat(60_000)
    const { predicate } = compileFilter(`arguments:${'a*'.repeat(1500)}b`)
    const cpuMs = cpuMsOf(() =>
      expect(predicate({ ...event, 'gen_ai.tool.call.arguments': text })).toBe(false),
    )
    expect(cpuMs).toBeLessThan(5_000)
  })
})
